"""The classes, and fills of all kinds of arrays."""

import array
import copy
import ctypes
import mmap
import pickle
import sys

import ml_dtypes
import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import seedbed
from seedbed import Init, Key, Region, fill

KEY = Key(42).named("w")
EXPECTED = fill(np.empty((3, 4), np.float32), "normal", KEY)


def test_version():
    assert seedbed.CONTRACT_VERSION == 1
    assert seedbed.__version__.count(".") == 2


def test_key():
    key = Key(42)
    assert (key.seed, key.offset) == (42, 0)
    assert repr(key) == "Key(seed=42, offset=0)" and eval(repr(key)) == key
    assert Key(1, 2) == Key(seed=1, offset=2) != Key(1) and Key(1) != 1
    assert len({Key(1), Key(1), Key(1, 1)}) == 2
    assert key.split(2) == [key.fold_in(0), key.fold_in(1)] and key.split(0) == []
    assert key.named("ä") != key.named("a") and key.named("") != key
    assert Key(np.uint64(2**64 - 1), True) == Key(2**64 - 1, 1)
    assert Key(torch.tensor(7)) == Key(7)
    with pytest.raises(AttributeError):
        key.seed = 3


def test_init():
    init = Init("normal(std=0.02)")
    assert str(init) == "normal(mean=0,std=0.02)" and repr(init) == "Init('normal(mean=0,std=0.02)')"
    assert eval(repr(init)) == init == Init(init) == Init(" normal( 0 , 0.02 ) ") != Init("normal")
    assert hash(init) == hash(Init("normal(mean=0,std=0.02)"))
    assert Init("constant(nan)") == Init("constant(nan)") and init != "normal(mean=0,std=0.02)"
    assert (init.mean([3]), init.std([3])) == (0.0, 0.02)
    assert str(Init("xavier_uniform").resolve((30, 66))).startswith("uniform(")
    assert Init("xavier_normal").std([100, 100]) == pytest.approx(0.1)
    assert Init("normal(std=1/sqrt(fan_in))").std([7, 16]) == 0.25
    assert str(Init("jax::orthogonal")) == "jax::orthogonal"


def test_fans_replace_those_of_the_shape():
    given = Init("kaiming_normal", fans=(8, 4))
    assert given.std([5]) == pytest.approx(0.5)
    assert Init("zeros", fans=(1, 2)) == Init("zeros")
    x, y = np.empty((3, 4), np.float32), np.empty((3, 4), np.float32)
    np.testing.assert_array_equal(fill(x, given, KEY), fill(y, "normal(std=0.5)", KEY))


def test_signatures_are_initialisers():
    signatures = Init.signatures()
    assert "normal(mean=0,std=1)" in signatures and len(signatures) > 30
    for signature in signatures:
        name, _, arguments = signature.partition("(")
        # An argument without a default gets one.
        required = {"value": "1", "sparsity": "0.5", "expression": "'i'", "scale": "1",
                    "mode": "fan_in", "distribution": "normal"}  # fmt: skip
        filled = [a if "=" in a else f"{a}={required.get(a, '1')}" for a in arguments[:-1].split(",") if a]
        Init(f"{name}({','.join(filled)})")


def test_region():
    whole = Region([8, 3])
    assert (whole.shape, whole.local_shape, whole.size) == ((8, 3), (8, 3), 24)
    shard = whole.shard([2, 1], [3, 2])
    assert (shard.shape, shard.local_shape, shard.size) == ((8, 3), (3, 2), 6)
    part = whole.elements(5, 9)
    assert (part.shape, part.local_shape, part.size, part.is_elements) == ((8, 3), (4,), 4, True)
    assert not whole.is_elements and not shard.is_elements
    assert Region(torch.Size([2, 3])) == Region(np.array([2, 3])) == Region((2, 3)) != Region([3, 2])
    assert Region([]).size == 1 and Region([0, 7]).size == 0
    ranges = whole.ranges([[(0, 2), (6, 8)], [(0, 3)]])
    assert (ranges.shape, ranges.local_shape, ranges.size) == ((8, 3), (4, 3), 12)
    for region in [whole, shard, part, ranges, Region([]), Region([]).ranges([])]:
        assert eval(repr(region)) == region and hash(eval(repr(region))) == hash(region)
    assert len({whole, shard, part}) == 3


def test_parts_of_parts():
    rows = Region([8, 6]).shard([4, 0], [4, 6])
    assert rows.cut([1, 2], [2, 3]) == Region([8, 6]).shard([5, 2], [2, 3])
    assert Region([8, 6]).cut([1, 2], [2, 3]) == Region([8, 6]).shard([1, 2], [2, 3])
    assert Region([8, 6]).elements(10, 30).cut([5], [2]) == Region([8, 6]).elements(15, 17)
    ranges = Region([9, 6]).ranges([[(5, 7), (3, 3), (0, 4)], [(1, 3), (2, 6)]])
    assert ranges.cut([1, 0], [3, 3]) == Region([9, 6]).ranges([[(6, 7), (0, 2)], [(1, 3), (2, 3)]])
    assert ranges.cut([0, 0], [0, 0]).size == 0


@pytest.mark.parametrize("x", [Key(3, 2**64 - 1), Init("xavier_normal(gain=2)"), Init("arange"), Region([2, 3]),
                               Region([4, 3]).elements(2, 7), Region([4, 3]).shard([0, 1], [4, 2]), Region([]),
                               Region([4, 3]).ranges([[(2, 4), (0, 1)], [(0, 2)]])])  # fmt: skip
def test_pickle_and_copy(x):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(x, protocol)) == x
    assert copy.copy(x) == copy.deepcopy(x) == x


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_kinds_of_arrays():
    flat = EXPECTED.reshape(-1)
    half = fill(np.empty((3, 4), np.float16), "normal", KEY)
    brain = fill(np.empty((3, 4), ml_dtypes.bfloat16), "normal", KEY)
    np.testing.assert_array_equal(half, EXPECTED.astype(np.float16))
    np.testing.assert_array_equal(brain.view(np.uint16), EXPECTED.astype(ml_dtypes.bfloat16).view(np.uint16))

    def check(x, expected, **arguments):
        assert fill(x, "normal", KEY, **arguments) is x
        assert bytes(memoryview(x)) == expected.tobytes()

    check(np.matrix(np.zeros((3, 4), np.float32)), EXPECTED)
    check(np.zeros((3, 4), np.float16), half)
    check(array.array("f", bytes(48)), flat)
    check((ctypes.c_float * 12)(), flat)
    check(memoryview(bytearray(48)).cast("f"), flat)
    check(memoryview(bytearray(48)).cast("f", (3, 4)), EXPECTED)
    check(
        memoryview(bytearray(24)).cast("B").cast("e") if sys.version_info >= (3, 12) else np.zeros(12, "e"),
        half,
    )
    check(bytearray(48), EXPECTED, dtype="float32")
    check(bytearray(24), brain, dtype="bfloat16", region=Region([3, 4]))
    check(array.array("H", bytes(24)), brain, dtype="bfloat16")
    check(array.array("B", bytes(24)), half, dtype="float16")
    check(np.zeros(24, np.uint8), brain, dtype="bfloat16")
    check(np.zeros((3, 4), np.uint16), brain, dtype="bfloat16")
    check(mmap.mmap(-1, 48), EXPECTED, dtype="float32")
    check(np.zeros((3, 4), np.float32), EXPECTED, dtype="float32")
    strided = memoryview(array.array("f", bytes(96)))[::2]
    assert fill(strided, "normal", KEY) is strided and strided.tolist() == flat.tolist()


def test_tensors_of_pytorch():
    for dtype, bits in [(torch.float32, np.uint32), (torch.float16, np.uint16), (torch.bfloat16, np.uint16)]:
        x = torch.zeros(3, 4, dtype=dtype)
        assert fill(x, "normal", KEY) is x
        torch.testing.assert_close(x, torch.from_numpy(EXPECTED).to(dtype), rtol=0, atol=0)
    raw = torch.zeros(24, dtype=torch.uint8)
    fill(raw, "normal", KEY, dtype="bfloat16")
    torch.testing.assert_close(raw.view(torch.bfloat16).view(3, 4), x, rtol=0, atol=0)
    assert fill(torch.empty(()), "ones", KEY) == 1


def test_autograd_sees_the_write():
    weight = torch.nn.Parameter(torch.zeros(3, 4))
    assert fill(weight, "normal", KEY) is weight
    assert weight.is_leaf and weight.requires_grad and weight.grad_fn is None
    np.testing.assert_array_equal(weight.detach().numpy(), EXPECTED)
    x = torch.ones(3, 4)
    version = x._version
    y = (x.requires_grad_() * x).sum()
    fill(x, "normal", KEY)
    assert x._version > version
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
    with torch.inference_mode():
        z = torch.empty(3, 4)
        np.testing.assert_array_equal(fill(z, "normal", KEY).numpy(), EXPECTED)
    np.testing.assert_array_equal(fill(z, "normal", KEY).numpy(), EXPECTED)


def test_a_copy_on_write_tensor_leaves_its_origin():
    origin = torch.ones(3, 4)
    fill(lazy := torch._lazy_clone(origin), "normal", KEY)
    assert (origin == 1).all()
    np.testing.assert_array_equal(lazy.numpy(), EXPECTED)


def test_default_device_and_modes_of_pytorch():
    x = torch.zeros(3, 4)
    with torch.device("meta"), torch.no_grad():
        fill(x, "normal", KEY)
    np.testing.assert_array_equal(x.numpy(), EXPECTED)
    with FakeTensorMode():
        fill(x, "ones", KEY)
    assert (x == 1).all()


def test_a_storage_stays_resizable():
    x = fill(torch.empty(3, 4), "normal", KEY)
    x.untyped_storage().resize_(0)
    x.untyped_storage().resize_(48)
    np.testing.assert_array_equal(fill(x, "normal", KEY).numpy(), EXPECTED)


class Exporter:
    """An array of another library, which speaks DLPack."""

    def __init__(self, array, device=(1, 0)):
        self.array, self.device = array, device

    def __dlpack__(self, **arguments):
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self.device


def test_dlpack():
    x = np.zeros((3, 4), np.float32)
    exporter = Exporter(x)
    assert fill(exporter, "normal", KEY) is exporter
    np.testing.assert_array_equal(x, EXPECTED)
    y = torch.zeros(4, 3).T
    fill(Exporter(y), "normal", KEY)
    np.testing.assert_array_equal(y.numpy(), EXPECTED)


def test_integers_are_made_by_constants_and_formulas():
    np.testing.assert_array_equal(
        fill(np.zeros((2, 3), np.int64), "arange()", KEY), np.arange(6).reshape(2, 3)
    )
    assert fill(torch.ones(3, dtype=torch.bool), "zeros", KEY).sum() == 0
    with pytest.raises(ValueError, match="makes no I64"):
        fill(np.zeros(3, np.int64), "normal", KEY)


@pytest.mark.parametrize(
    "init", ["normal", "sparse(0.3)", "eye", "orthogonal", "xavier_uniform", "formula('n*i1')"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_parts_are_those_of_the_whole(init, dtype):
    whole = fill(np.empty((9, 13), dtype), init, KEY)
    region = Region([9, 13])
    for start in range(0, 117, 11):
        for stop in range(start, 118, 13):
            x = fill(np.empty(stop - start, dtype), init, KEY, region=region.elements(start, stop))
            np.testing.assert_array_equal(x, whole.reshape(-1)[start:stop])
    x = fill(np.empty((3, 4), dtype), init, KEY, region=region.elements(20, 32))
    np.testing.assert_array_equal(x.reshape(-1), whole.reshape(-1)[20:32])
    for row in range(0, 9, 2):
        for column in range(0, 13, 3):
            shape = (9 - row, 13 - column)
            x = fill(np.empty(shape, dtype), init, KEY, region=region.shard([row, column], shape))
            np.testing.assert_array_equal(x, whole[row:, column:])


RANGES = [[(5, 9), (0, 0), (0, 2), (2, 3), (1, 2)], [(3, 4), (7, 13), (0, 2)]]
INDEXES = [[i for start, stop in ranges for i in range(start, stop)] for ranges in RANGES]


@pytest.mark.parametrize(
    "init", ["normal", "sparse(0.3)", "eye", "orthogonal", "keras::orthogonal", "formula('n*i1')", "arange"]
)
@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_ranges_are_an_outer_product(init, dtype):
    whole = fill(np.empty((9, 13), dtype), init, KEY)
    region = Region([9, 13]).ranges(RANGES)
    expected = whole[np.ix_(*INDEXES)]
    shape = region.local_shape
    assert shape == expected.shape
    memory = np.zeros((shape[0], shape[1] + 5), dtype)
    for x in [np.zeros(shape, dtype), np.zeros(shape, dtype, order="F"), memory[:, 2:-3], memory[:, :-5]]:
        fill(x, init, KEY, region=region)
        np.testing.assert_array_equal(np.asarray(x, np.float32), np.asarray(expected, np.float32))
    cut = fill(np.empty((4, 5), dtype), init, KEY, region=region.cut([2, 1], [4, 5]))
    np.testing.assert_array_equal(np.asarray(cut, np.float32), np.asarray(expected[2:6, 1:6], np.float32))


def test_ranges_of_three_dimensions():
    whole = fill(np.empty((4, 5, 6), np.float32), "normal", KEY)
    for lists in [
        [[(0, 4)], [(3, 5), (0, 2)], [(0, 6)]],
        [[(2, 3), (0, 1)], [(0, 5)], [(0, 6)]],
        [[(0, 4)], [(0, 5)], [(4, 6), (1, 2)]],
        [[(0, 4)], [(0, 5)], [(0, 6)]],
    ]:
        indexes = np.ix_(*[[i for a, b in ranges for i in range(a, b)] for ranges in lists])
        region = Region([4, 5, 6]).ranges(lists)
        for init in ["normal", "formula('n')"]:
            x = fill(np.empty(region.local_shape, np.float32), init, KEY, region=region)
            np.testing.assert_array_equal(x, whole[indexes])
            strided = np.zeros([2 * n for n in region.local_shape], np.float32)[::2, ::2, ::2]
            np.testing.assert_array_equal(fill(strided, init, KEY, region=region), whole[indexes])


def test_elements_beyond_2_to_the_32():
    region = Region([2**20, 2**20])
    rows = fill(np.empty((2, 2**20), np.float32), "normal", KEY, region=region.shard([2**19, 0], [2, 2**20]))
    start = 2**39 + 2**20 - 3
    x = fill(np.empty(6, np.float32), "normal", KEY, region=region.elements(start, start + 6))
    np.testing.assert_array_equal(x, np.concatenate([rows[0, -3:], rows[1, :3]]))
