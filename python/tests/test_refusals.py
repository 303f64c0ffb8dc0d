"""Mistakes: ValueError or TypeError with a remedy, and nothing is written."""

import itertools
import math
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import torch

from seedbed import Init, Key, Region, _fill, fill
from seedbed._native import Filler, Plan
from seedbed.torch import fill_

KEY = Key(1)


class Stranger:
    """An object without any protocol."""


HOSTILE = [
    None, True, -1, 0, 1, 2**63, 2**64, -(2**64), 10**5000, 1.5, math.nan, math.inf, 1j, "", "normal", "\ud800", "\0",
    "n" * 100_000, "(" * 10_000, "formula('" + "(" * 50_000 + "')", b"", b"x", bytearray(8), [], [1], [-1], ["a"],
    [[1]], [2**64], [2**40] * 3, [1] * 300, [None], (), (1, 2), {}, {1: 2}, set(), range(3), itertools.count(),
    np.float32(1), np.int64(-1), np.zeros(3), np.zeros((2, 3), np.float32), np.array("x"), torch.zeros(3),
    torch.tensor(-1), torch.zeros(2, 3), Key(1), Init("normal"), Region([2, 3]), Stranger, Stranger(), int, len,
]  # fmt: skip


def calls():
    """Calls with hostile arguments, each with a name."""
    region = Region([4, 6])
    x = np.zeros((2, 3), np.float32)
    plan = Plan('{"w": {"shape": [2, 3], "dtype": "F32"}}', rules="[[rule]]\nmatch = '*'\ninit = 'normal()'")
    one = [
        ("Key", Key), ("Key.offset", lambda v: Key(1, v)), ("named", KEY.named), ("fold_in", KEY.fold_in),
        ("Init", Init), ("Init.fans", lambda v: Init("xavier_normal", fans=v)), ("mean", Init("eye").mean),
        ("std", Init("xavier_normal").std), ("resolve", Init("normal(std=fan_in)").resolve), ("Region", Region),
        ("fill.x", lambda v: fill(v, "normal", KEY)), ("fill.init", lambda v: fill(x, v, KEY)),
        ("fill.key", lambda v: fill(x, "normal", v)), ("fill.region", lambda v: fill(x, "normal", KEY, region=v)),
        ("fill.dtype", lambda v: fill(x, "normal", KEY, dtype=v)),
        ("fill.bytes", lambda v: fill(bytearray(8), "normal", KEY, dtype=v)),
        ("Filler.init", lambda v: Filler(v, KEY)), ("Filler.key", lambda v: Filler(Init("normal"), v)),
        ("check", lambda v: Filler(Init("normal"), KEY).check(v, region)),
        ("check.region", lambda v: Filler(Init("normal"), KEY).check("float32", v)),
        ("Filler.fill", lambda v: Filler(Init("normal"), KEY).fill(v, "float32", Region([2]))),
        ("Filler.pitch", lambda v: Filler(Init("normal"), KEY).fill(np.zeros(24, np.uint8), "float32", Region([2, 3]), v)),
        ("Filler.pitch of a formula",
         lambda v: Filler(Init("arange"), KEY).fill(np.zeros(24, np.uint8), "float32", Region([2, 3]), v)),
        ("ranges", region.ranges), ("ranges.list", lambda v: region.ranges([v, [(0, 6)]])),
        ("ranges.range", lambda v: region.ranges([[v], [(0, 6)]])),
        ("ranges.start", lambda v: region.ranges([[(v, 4)], [(0, 6)]])),
        ("ranges.stop", lambda v: region.ranges([[(0, v)], [(0, 6)]])),
        ("Plan", Plan), ("Plan.rules", lambda v: Plan('{"w":{"shape":[2],"dtype":"F32"}}', rules=v)),
        ("Plan.preset", lambda v: Plan('{"w":{"shape":[2],"dtype":"F32"}}', preset=v)),
        ("Plan.config", lambda v: Plan('{"w":{"shape":[2],"dtype":"F32"}}', config=v)),
        ("Plan.strip", lambda v: Plan('{"w":{"shape":[2],"dtype":"F32"}}', strip_prefix=v)),
        ("Plan.dtype", lambda v: Plan('{"w":{"shape":[2],"dtype":"F32"}}', dtype=v)),
        ("Plan.fill.name", lambda v: plan.fill(v, x, 1)), ("Plan.fill.x", lambda v: plan.fill("w", v, 1)),
        ("Plan.fill.key", lambda v: plan.fill("w", x, v)), ("Plan.fill.region", lambda v: plan.fill("w", x, 1, v)),
        ("Plan.filler", lambda v: plan.filler(v, 1)), ("Plan.filler.key", lambda v: plan.filler("w", v)),
    ]  # fmt: skip
    two = [
        ("elements", region.elements), ("shard", region.shard), ("cut", region.cut),
        ("elements.cut", region.elements(3, 9).cut), ("shard.cut", region.shard([1, 1], [2, 2]).cut),
        ("ranges.cut", region.ranges([[(0, 2), (1, 4)], [(3, 6), (0, 1)]]).cut),
    ]  # fmt: skip
    for name, call in one:
        for value in HOSTILE:
            yield name, call, (value,)
    for name, call in two:
        for a, b in itertools.product(HOSTILE, repeat=2):
            yield name, call, (a, b)


def test_hostile_arguments():
    """No argument raises anything but ValueError and TypeError; PanicException is none of both."""
    count = 0
    for name, call, arguments in calls():
        try:
            call(*arguments)
        except (ValueError, TypeError):
            pass
        except BaseException as error:
            raise AssertionError(f"{name}{arguments!r:.200}: {type(error).__name__} {error}") from error
        count += 1
    assert count > 10_000


def test_split_of_huge_numbers():
    for n in [2**24 + 1, 2**63, 2**64 - 1]:
        with pytest.raises(ValueError, match="fold_in"):
            KEY.split(n)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Key(-1), "the seed is -1; it must be 0 to 2^64 - 1"),
        (lambda: Key(2**64), "the seed is 18446744073709551616; it must be"),
        (lambda: Key(0, -5), "the offset is -5"),
        (lambda: KEY.fold_in(-1), "the number to fold in is -1"),
        (lambda: Init("xavier_norml"), 'the initialiser "xavier_norml" is unknown; there are constant, '),
        (lambda: Init("normal(std=1"), "closing parenthesis"),
        (lambda: Init("xavier_normal", fans=(-1, 2)), "a fan of -1"),
        (lambda: Init("xavier_normal", fans=(math.nan, 2)), "a fan of NaN"),
        (lambda: Init("arange", fans=(1, 2)), "takes no fans"),
        (lambda: Region([2, -3]), "the shape is -3"),
        (lambda: Region([2**40, 2**40]), "more than 2^60 elements"),
        (lambda: Region([1] * 255), "more than 254 dimensions"),
        (lambda: Region([4, 3]).shard([0, 2], [4, 2]), "in dimension 1, of which the tensor has 3"),
        (lambda: Region([4, 3]).shard([0], [4, 3]), "one number for each"),
        (lambda: Region([4, 3]).elements(3, 13), "13"),
        (lambda: Region([4, 3]).elements(5, 3), "3"),
        (lambda: Region([4, 3]).elements(0, 3).shard([0, 0], [1, 1]), "is a part already"),
        (
            lambda: Region([4, 3]).shard([1, 0], [2, 3]).cut([1, 0], [2, 3]),
            "in dimension 0, of which the tensor has 2",
        ),
        (lambda: Region([8, 3]).ranges([[(0, 9)], [(0, 3)]]), "9"),
        (lambda: Region([8, 3]).ranges([[(5, 4)], [(0, 3)]]), "5"),
        (lambda: Region([8, 3]).ranges([[(0, 8)]]), "1"),
        (lambda: Region([8]).ranges([itertools.repeat((0, 1))]), "more than 1048576 ranges"),
        (lambda: Region([2**59]).ranges([[(0, 2**59)] * 64]), ""),
        (lambda: Init("eye").std([3]), "the shape is [3]"),
        (lambda: Init("arange").std([3]), "no distribution"),
    ],
)
def test_values(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Key("1"), "the seed must be an integer, not str"),
        (lambda: Key(1.0), "the seed must be an integer, not float"),
        (lambda: Key(None), "the seed must be an integer, not NoneType"),
        (lambda: Region(3), "the shape must be a sequence of integers, not int"),
        (lambda: Region([1.0]), "the shape must be an integer, not float"),
        (lambda: Init(3), "an initialiser must be a text or an Init"),
        (lambda: fill([1.0], "normal", KEY), "list is no array"),
        (lambda: fill("x", "normal", KEY), "str is no array"),
        (lambda: fill(np.zeros(3, np.float32), "normal", 1), "seedbed.Key(seed) makes one"),
        (
            lambda: fill(np.zeros(3, np.float32), "normal", KEY, region=[3]),
            "the region must be a seedbed.Region",
        ),
        (lambda: fill(np.zeros(3, np.float32), "normal", KEY, dtype=np.float32), "the dtype must be a text"),
        (lambda: fill(np.ma.zeros(3, np.float32), "normal", KEY), "fill x.data"),
        (lambda: fill(torch.zeros(3).to_sparse(), "normal", KEY), "torch.sparse_coo"),
        (lambda: fill(torch.zeros(3, dtype=torch.complex64), "normal", KEY), "torch.complex64"),
    ],
)
def test_types(call, message):
    with pytest.raises(TypeError) as caught:
        call()
    assert message in str(caught.value)


def read_only(x):
    x.flags.writeable = False
    return x


def freed():
    x = torch.zeros(3, 4)
    x.untyped_storage().resize_(0)
    return x


class Device:
    def __dlpack__(self, **arguments):
        raise AssertionError("the device is read first")

    def __dlpack_device__(self):
        return (2, 0)


class Broken:
    def __init__(self, error):
        self.error = error

    def __dlpack__(self, **arguments):
        raise self.error

    def __dlpack_device__(self):
        return (1, 0)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: np.zeros((3, 4)), "the type float64 is not supported; fill an array of float32"),
        (
            lambda: torch.zeros(3, 4, dtype=torch.float64),
            "the type float64 is not supported; fill an array of float32",
        ),
        (lambda: np.zeros((3, 4), np.complex64), "the type complex64 is not supported"),
        (lambda: np.zeros((3, 4), object), "the type object is not supported"),
        (lambda: np.zeros((3, 4), "U3"), "is not supported"),
        (lambda: np.zeros((3, 4), [("a", "f4")]), "is not supported"),
        (lambda: np.zeros((3, 4), ml_dtypes.float8_e4m3fn), "the type float8_e4m3fn is not supported"),
        (lambda: np.zeros((3, 4), "V2"), "is not supported"),
        (lambda: np.zeros((3, 4), ">f4"), "byte order"),
        (lambda: memoryview(np.zeros((3, 4), ">f4")), "byte order"),
        (lambda: read_only(np.zeros((3, 4), np.float32)), "read-only"),
        (lambda: read_only(np.zeros((3, 6), np.float32))[:, ::2], "read-only"),
        (lambda: np.float32(1), "read-only"),
        (lambda: b"12345678", "read-only"),
        (lambda: bytearray(8), 'dtype="float32"'),
        (lambda: freed(), "storage is freed"),
        (lambda: torch.zeros(3, 4, device="meta"), "to_empty"),
        (lambda: torch.nn.UninitializedParameter(), "no shape yet"),
        (lambda: torch._efficientzerotensor(3), "fill a clone()"),
        (lambda: torch.zeros(3, dtype=torch.complex64).conj().imag, "fill a clone()"),
        (lambda: Device(), "kind 2"),
        (lambda: Broken(BufferError("no")), "by DLPack (no)"),
        (lambda: Broken(RuntimeError("no")), "by DLPack (no)"),
    ],
)
def test_arrays(make, message):
    with pytest.raises(ValueError) as caught:
        fill(make(), "normal", KEY)
    assert message in str(caught.value)


def test_tensors_without_memory_of_their_own():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        fake = torch.zeros(3)
    with pytest.raises(TypeError, match="a FakeTensor has no memory of its own"):
        fill(fake, "normal", KEY)
    with pytest.raises(ValueError, match="can't be reached"):
        torch.vmap(lambda x: fill(x, "normal", KEY))(torch.zeros(2, 3))


def test_arrays_of_jax_are_immutable():
    jax = pytest.importorskip("jax")
    x = jax.numpy.zeros(3)
    with pytest.raises(TypeError, match="immutable; seedbed.jax.make makes a new one"):
        fill(x, "ones", KEY)
    with pytest.raises(ValueError, match="read-only"):
        fill(np.asarray(x), "ones", KEY)
    with pytest.raises(TypeError, match="immutable"):
        jax.jit(lambda x: fill(x, "ones", KEY))(x)
    assert not x.any()


def test_raw_bytes_that_do_not_fit():
    for x, dtype, message in [
        (bytearray(7), "float32", "7 bytes are no whole number"),
        (bytearray(8), "float64", "float64 is not supported"),
        (bytearray(8), "f4", "the type f4 is not supported"),
        (np.zeros((4, 8), np.uint8)[:, :4], "float32", "gaps"),
        (np.zeros(4, np.float32), "bfloat16", "the array has the type float32, not bfloat16"),
        (np.zeros(4, np.uint16), "float32", "the array has the type uint16, not float32"),
    ]:
        with pytest.raises(ValueError, match=message):
            fill(x, "normal", KEY, dtype=dtype)


def test_regions_that_do_not_fit():
    x = np.zeros((4, 6), np.float32)
    for view, region, message in [
        (x, Region([6, 4]), "the array has the shape [4, 6], and the region [6, 4]"),
        (x, Region([8, 6]).shard([0, 0], [3, 6]), "and the region [3, 6]"),
        (x, Region([8, 6]).elements(0, 23), "24 elements, and the region 23"),
        (x[:, :3], Region([8, 6]).elements(0, 12), "contiguous"),
        (x.T, Region([8, 6]).elements(0, 24), "contiguous"),
        (x.reshape(-1), Region([4, 6]), "the array has the shape [24], and the region [4, 6]"),
    ]:
        with pytest.raises(ValueError) as caught:
            fill(view, "normal", KEY, region=region)
        assert message in str(caught.value)
    with pytest.raises(ValueError, match="4 elements, and the region 6"):
        fill(bytearray(16), "normal", KEY, dtype="float32", region=Region([2, 3]))
    assert not x.any()


@pytest.mark.parametrize(
    "init, message",
    [
        ("xavier_normal", "fewer than 2 dimensions"),
        ("constant(1e39)", "1e39"),
        ("normal(std=-1)", "-1"),
        ("uniform(low=2,high=1)", ""),
        ("eye", ""),
        ("sparse(2)", ""),
        ("formula('1/(i-400)')", "element 400 of"),
        ("formula('1e39*(i-400)')", "too large for F32"),
        ("arange(step=1e38)", "too large for F32"),
        ("norm(of='w')", "there is no other parameter"),
        ("jax::delta_orthogonal()", ""),
        ("copy()", "is unknown"),
    ],
)
@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[::2], lambda x: x.reshape(20, 50)[:, 2:]])
def test_nothing_is_written_on_an_error(init, message, view):
    memory = np.full(1000, 7, np.float32)
    if "eye" in init or "xavier" in init or "sparse" in init:
        x = memory[::2] if view(memory).ndim == 1 else memory
    else:
        x = view(memory)
    with pytest.raises(ValueError) as caught:
        fill(x, init, KEY)
    assert message in str(caught.value)
    assert (memory == 7).all()


@pytest.mark.parametrize("piece, copied", [(1 << 14, 1 << 20), (1, 1000), (1 << 30, 1000)])
def test_errors_late_in_a_large_formula_write_nothing(piece, copied, monkeypatch):
    monkeypatch.setattr(_fill, "MIN_PIECE", piece)
    monkeypatch.setattr(_fill, "MAX_COPIED", copied)
    for x in [np.full(300_000, 7, np.float32), np.full((1000, 600), 7, np.float32)[:, ::2],
              np.full((3000, 120), 7, np.float32)[:, :100], np.full((60, 60, 120), 7, np.float32)[::2, ::2, :100],
              np.full((30, 70, 120), 7, np.float32)[:, :50, :100], np.full((100, 3000), 7, np.float32).T]:  # fmt: skip
        with pytest.raises(ValueError, match="element 80000 of"):
            fill(x, "formula('1/(i-80000)')", KEY)
        assert (x == 7).all()


def test_a_matrix_that_no_memory_holds():
    region = Region([2**25, 2**25]).elements(0, 4)
    x = np.full(4, 7, np.float32)
    with pytest.raises(ValueError):
        fill(x, "orthogonal", KEY, region=region)
    assert (x == 7).all()


def test_hostile_objects():
    class Liar(np.ndarray):
        @property
        def dtype(self):
            raise RuntimeError("no")

    class Raising:
        @property
        def __dlpack__(self):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        fill(Raising(), "normal", KEY)
    with pytest.raises(RuntimeError, match="no"):
        fill(np.zeros(3, np.float32).view(Liar), "normal", KEY)

    class Index:
        def __index__(self):
            raise KeyError("mine")

    with pytest.raises(TypeError):
        Key(Index())


def test_strange_modules_in_place_of_torch_and_jax():
    code = """
import sys
for name in ["torch", "jax"]:
    sys.modules[name] = VALUE
import numpy as np, seedbed
seedbed.fill(np.empty(3, np.float32), "normal", seedbed.Key(1))
assert seedbed.fill(bytearray(8), "ones", seedbed.Key(1), dtype="float32")
"""
    for value in ["None", "5", "type(sys)('x')", "type('T', (), {'Tensor': 1, 'Array': 2})"]:
        subprocess.run([sys.executable, "-c", code.replace("VALUE", value)], check=True)


class Liar(np.ndarray):
    """A subclass that says other things of itself than its memory has."""

    shape = property(lambda self: (1000,))
    flags = property(lambda self: np.zeros(1).flags)


def test_a_subclass_is_taken_for_what_its_memory_is():
    x = np.zeros(4, np.float32)
    fill(x.view(Liar), "arange()", KEY)
    assert x.tolist() == [0, 1, 2, 3]
    constant = b"0123456789abcdef"
    with pytest.raises(ValueError, match="read-only"):
        fill(np.frombuffer(constant, np.float32).view(Liar), "arange()", KEY)
    assert constant == b"0123456789abcdef"


@pytest.mark.parametrize(
    "tensor",
    [torch.zeros(3, 1).expand(3, 4), torch.zeros(10).as_strided((3, 3), (1, 1))],
    ids=["expanded", "overlapping"],
)
def test_tensors_whose_elements_share_memory(tensor):
    with pytest.raises(ValueError, match="share memory"):
        fill_(tensor, "arange(start=1)", KEY)
    assert not tensor.any()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_are_refused():
    nested = torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)])
    with pytest.raises(ValueError, match="nested"):
        fill_(nested, "normal()", KEY)
