"""`seedbed.torch.seeded`: what PyTorch's own initialisation writes inside the block, and what stays."""

import copy
import functools
import math
import random
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import init as torch_init
from torch.nn.init import kaiming_normal_, orthogonal_, trunc_normal_, xavier_uniform_

import seedbed
from seedbed.torch import UnseededWarning, seeded

# References as programs hold them, from before any block.
REFERENCES = {
    name: getattr(torch_init, name) for name in dir(torch_init) if name.endswith("_") and name[0] != "_"
}
PARTIAL = functools.partial(trunc_normal_, std=0.5)

SEED = 42


class One(nn.Module):
    """A model of one parameter `w` and one buffer `b`."""

    def __init__(self, *shape, dtype=torch.float32, memory_format=torch.contiguous_format):
        super().__init__()
        self.w = nn.Parameter(torch.full(shape, math.nan, dtype=dtype).to(memory_format=memory_format))
        self.register_buffer("b", torch.full(shape, math.nan, dtype=dtype))


def filled(shape, init, name="w", dtype=torch.float32, seed=SEED):
    return seedbed.fill(torch.empty(shape, dtype=dtype), init, seedbed.Key(seed).named(name))


def same(actual, expected):
    actual = actual.detach()
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    assert torch.equal(actual, expected), (actual, expected)


@pytest.fixture(autouse=True)
def _no_warnings():
    """A test that warns says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnseededWarning)
        yield
    # Whatever happened, PyTorch is as it was.
    assert torch._C._len_torch_function_stack() == 0
    for name, function in REFERENCES.items():
        assert function.__code__.co_filename.endswith("init.py"), name


# The initialisers


OF_INIT = [
    ("uniform_", {}, "uniform()"),
    ("uniform_", {"a": -0.3, "b": 0.1}, "uniform(a=-0.3,b=0.1)"),
    ("normal_", {}, "normal()"),
    ("normal_", {"mean": 1, "std": 0.02}, "normal(mean=1,std=0.02)"),
    ("trunc_normal_", {}, "trunc_normal()"),
    ("trunc_normal_", {"std": 0.02, "a": -0.01, "b": math.inf}, "trunc_normal(std=0.02,a=-0.01,b=inf)"),
    ("constant_", {"val": 0.3}, "constant(0.3)"),
    ("ones_", {}, "ones()"),
    ("zeros_", {}, "zeros()"),
    ("eye_", {}, "eye()"),
    ("xavier_uniform_", {}, "xavier_uniform()"),
    (
        "xavier_uniform_",
        {"gain": torch_init.calculate_gain("tanh")},
        "xavier_uniform(gain=1.6666666666666667)",
    ),
    ("xavier_normal_", {"gain": 2}, "xavier_normal(gain=2)"),
    ("kaiming_uniform_", {}, "kaiming_uniform()"),
    ("kaiming_uniform_", {"a": math.sqrt(5)}, f"kaiming_uniform(a={math.sqrt(5)!r})"),
    (
        "kaiming_normal_",
        {"mode": "FAN_OUT", "nonlinearity": "relu"},
        "kaiming_normal(mode=fan_out,nonlinearity=relu)",
    ),
    ("kaiming_normal_", {"a": 7, "nonlinearity": "conv2d"}, "kaiming_normal(nonlinearity=conv2d)"),
    ("kaiming_normal_", {"a": None}, "kaiming_normal(a=0.01)"),
    ("orthogonal_", {}, "orthogonal()"),
    ("orthogonal_", {"gain": 0.5}, "orthogonal(gain=0.5)"),
    ("sparse_", {"sparsity": 0.3}, "sparse(0.3)"),
    ("sparse_", {"sparsity": 0.1, "std": 2}, "sparse(sparsity=0.1,std=2)"),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("name", "arguments", "text"), OF_INIT)
def test_each_function_of_torch_init_is_the_initialiser_of_its_name(name, arguments, text, dtype):
    model = One(24, 18, dtype=dtype)
    with seeded(model, SEED) as block:
        result = REFERENCES[name](model.w, **arguments)
        getattr(torch_init, name)(tensor=model.b, **arguments)
    assert result is model.w and model.w.requires_grad and model.w.is_leaf
    same(model.w, filled((24, 18), text, "w", dtype))
    same(model.b, filled((24, 18), text, "b", dtype))
    assert list(block.initialised) == ["w", "b"]
    (text_of_w,) = block.initialised["w"]
    same(model.w, filled((24, 18), text_of_w, "w", dtype))


@pytest.mark.parametrize(("name", "arguments", "text"), OF_INIT)
def test_each_function_as_on_a_device(name, arguments, text, monkeypatch):
    """No GPU is here, so the values are made in pieces in host memory and copied."""
    monkeypatch.setattr("seedbed.torch._parts._always_in_pieces", True)
    monkeypatch.setattr("seedbed.torch._parts.PIECE_BYTES", 40)
    test_each_function_of_torch_init_is_the_initialiser_of_its_name(name, arguments, text, torch.float16)


def test_the_table_has_every_function_of_torch_init():
    deprecated = {name[:-1] for name in REFERENCES}
    names = {name for name in torch_init.__all__ if name.endswith("_")}
    assert names == set(REFERENCES) == {name for name, _, _ in OF_INIT} | {"dirac_"}
    assert set(torch_init.__all__) - names - deprecated == {"calculate_gain"}


@pytest.mark.parametrize("shape", [(6, 4, 5), (6, 4, 3, 3), (4, 4, 1, 2, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac(shape, groups):
    model = One(*shape)
    with seeded(model, SEED):
        torch_init.dirac_(model.w, groups)
    same(model.w, filled(shape, f"dirac({groups})"))


@pytest.mark.parametrize("shape", [(7,), (5, 3), (6, 4, 3), (4, 3, 5, 5), (2, 3, 2, 3, 2)])
@pytest.mark.parametrize("name", ["xavier_uniform", "kaiming_normal", "orthogonal", "normal", "trunc_normal"])
def test_shapes(shape, name):
    model = One(*shape)
    function = REFERENCES[name + "_"]
    with seeded(model, SEED):
        if len(shape) == 1 and name not in ("normal", "trunc_normal"):
            with pytest.raises(ValueError, match="^w: "):
                function(model.w)
            return
        function(model.w)
    same(model.w, filled(shape, name))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda w: w.normal_(), "normal()"),
        (lambda w: w.normal_(0.5, 2), "normal(0.5,2)"),
        (lambda w: w.normal_(std=0.1), "normal(std=0.1)"),
        (lambda w: w.normal_(mean=torch.tensor(3.0).item(), std=1, generator=None), "normal(3,1)"),
        (lambda w: w.uniform_(), "uniform()"),
        (lambda w: w.uniform_(-2, 0.5), "uniform(-2,0.5)"),
        (lambda w: w.uniform_(-2, to=0.5), "uniform(-2,0.5)"),
        (lambda w: w.uniform_(**{"from": 0.25}), "uniform(0.25,1)"),
        (lambda w: w.log_normal_(), "log_normal()"),
        (lambda w: w.log_normal_(0, std=0.5), "log_normal(0,0.5)"),
        (lambda w: torch.Tensor.normal_(w, 1), "normal(1)"),
        (lambda w: w.zero_(), "zeros()"),
        (lambda w: torch.zero_(w), "zeros()"),
        (lambda w: w.fill_(0.1), "constant(0.1)"),
        (lambda w: torch.fill_(w, 3), "constant(3)"),
        (lambda w: w.fill_(value=0.1), "constant(0.1)"),
        (lambda w: w.fill_(torch.tensor(2.5)), "constant(2.5)"),
    ],
)
def test_in_place_methods(call, text):
    model = One(9, 11)
    with seeded(model, SEED), torch.no_grad():
        assert call(model.w) is model.w
    same(model.w, filled((9, 11), text))


def test_a_constant_is_rounded_once():
    # By way of f32, as PyTorch rounds, it would be 1.
    value = 1.00390625 + 1e-9
    model = One(3, 5, dtype=torch.bfloat16)
    with seeded(model, SEED), torch.no_grad():
        model.w.fill_(value)
        torch_init.constant_(model.b, value)
    same(model.w, filled((3, 5), f"constant({value!r})", dtype=torch.bfloat16))
    assert model.b[0, 0] == 1.0078125
    with seeded(model, SEED), torch.no_grad():
        model.w.fill_(math.inf)
        assert model.w.isinf().all()
        model.b.fill_(True)
        assert (model.b == 1).all()


def test_float64_is_float32_widened():
    model = One(50, 30, dtype=torch.float64)
    with seeded(model, SEED):
        xavier_uniform_(model.w)
        orthogonal_(model.b)
    same(model.w, filled((50, 30), "xavier_uniform()").double())
    same(model.b, filled((50, 30), "orthogonal()", "b").double())


def test_whole_numbers_are_left_to_torch():
    model = One(4, 4)
    model.register_buffer("steps", torch.ones(3, dtype=torch.int64))
    model.register_buffer("mask", torch.zeros(3, dtype=torch.bool))
    with seeded(model, SEED):
        model.steps.zero_()
        model.mask.fill_(True)
        with pytest.raises(RuntimeError):
            model.steps.normal_()
        assert model.steps.tolist() == [0, 0, 0] and model.mask.all()
        # An f64 does not hold this number.
        torch_init.constant_(model.steps, 2**60 + 1)
    assert model.steps.tolist() == [2**60 + 1] * 3


def test_a_generator_is_not_used():
    model = One(8, 8)
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state(), torch.get_rng_state()
    with seeded(model, SEED):
        torch_init.normal_(model.w, generator=generator)
        orthogonal_(model.b, generator=generator)
        model.b.data.uniform_(generator=generator)
    assert torch.equal(before[0], generator.get_state()) and torch.equal(before[1], torch.get_rng_state())
    same(model.w, filled((8, 8), "normal()"))


# References


def test_references_from_before_the_block_are_caught():
    model = One(12, 12)
    for call, text in [
        (trunc_normal_, "trunc_normal()"),
        (PARTIAL, "trunc_normal(std=0.5)"),
        (lambda w: kaiming_normal_(w, nonlinearity="relu"), "kaiming_normal(nonlinearity=relu)"),
        (orthogonal_, "orthogonal()"),
        (functools.partial(map, REFERENCES["xavier_normal_"]), "xavier_normal()"),
    ]:
        with seeded(model, SEED):
            result = (
                call([model.w]) if isinstance(call, functools.partial) and call.func is map else call(model.w)
            )
            if isinstance(result, map):
                list(result)
        same(model.w, filled((12, 12), text))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_deprecated_names():
    model = One(12, 12)
    with seeded(model, SEED):
        torch_init.xavier_normal(model.w)
    same(model.w, filled((12, 12), "xavier_normal()"))


def test_functions_that_are_replaced_under_their_names_are_caught(monkeypatch):
    """transformers does so: the original is called, and finds the replacement under its name."""
    original = torch_init.kaiming_uniform_
    calls = []

    def replacement(tensor, *args, **kwargs):
        calls.append("replacement")
        return original(tensor, *args, **kwargs)

    model = One(12, 12)
    with seeded(model, SEED):
        monkeypatch.setattr(torch_init, "kaiming_uniform_", replacement)
        torch_init.kaiming_uniform_(model.w)
    assert calls == ["replacement"]
    same(model.w, filled((12, 12), "kaiming_uniform()"))


def test_functions_that_were_replaced_before_the_import_are_named():
    """Some programs skip initialisation so; init_ and fill_ do not care."""
    program = """
import torch
original = torch.nn.init.orthogonal_
torch.nn.init.orthogonal_ = lambda *args, **kwargs: None
import seedbed.torch
model = torch.nn.Linear(2, 2)
seedbed.torch.init_(model, 1)
try:
    seedbed.torch.seeded(model, 1)
except RuntimeError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith(
        "torch.nn.init.orthogonal_ is not PyTorch's own function but <function <lambda>"
    )


def test_a_truncated_normal_written_by_hand_is_seeded_at_its_uniform():
    """timm's: PyTorch's arithmetic on seeded uniforms."""

    def by_hand(tensor, std):
        with torch.no_grad():
            low, high = (1 + math.erf(-2 / math.sqrt(2))) / 2, (1 + math.erf(2 / math.sqrt(2))) / 2
            tensor.uniform_(2 * low - 1, 2 * high - 1)
            tensor.erfinv_()
            tensor.mul_(std * math.sqrt(2.0))
            tensor.clamp_(min=-2 * std, max=2 * std)
            return tensor, 2 * low - 1, 2 * high - 1

    model = One(40, 40)
    with seeded(model, SEED):
        _, low, high = by_hand(model.w, 0.02)
    expected = filled((40, 40), f"uniform({low!r},{high!r})").erfinv_().mul_(0.02 * math.sqrt(2.0))
    same(model.w, expected.clamp_(min=-0.04, max=0.04))


# Views

N, M = 12, 10

VIEWS = [
    ("rows", lambda w: w[3:7]),
    ("one row", lambda w: w[4]),
    ("one element", lambda w: w[4, 5]),
    ("columns", lambda w: w[:, 2:6]),
    ("one column", lambda w: w[:, 7]),
    ("block", lambda w: w[2:5, 3:9]),
    ("transposed", lambda w: w.T),
    ("transposed block", lambda w: w[2:7, 1:4].T),
    ("stepped rows", lambda w: w[1::3]),
    ("stepped columns", lambda w: w[:, ::2]),
    ("stepped both", lambda w: w[1::4, 1::3]),
    ("diagonal", lambda w: w.diagonal()),
    ("off diagonal", lambda w: w.diagonal(2)),
    ("flat", lambda w: w.view(-1)),
    ("interval", lambda w: w.view(-1)[13:58]),
    ("other shape", lambda w: w.view(4, 3, M)),
    ("heads", lambda w: w.view(4, 3, M)[1:3, :, 2:5]),
    ("heads transposed", lambda w: w.view(4, 3, M).transpose(0, 2)),
    ("unsqueezed", lambda w: w[None, :, None]),
    ("nothing", lambda w: w[5:5]),
    ("detached", lambda w: w.detach()),
    ("data", lambda w: w.data),
    ("chunk", lambda w: w.chunk(3)[1]),
    ("split", lambda w: w.split([4, 8])[1]),
    ("as_strided", lambda w: torch.as_strided(w, (3, 4), (M, 3), 11)),
]


@pytest.mark.parametrize("text", ["normal", "uniform", "log_normal"])
@pytest.mark.parametrize("view", [view for _, view in VIEWS], ids=[name for name, _ in VIEWS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_view_gets_what_the_whole_tensor_has_there(view, text, dtype):
    model = One(N, M, dtype=dtype)
    with seeded(model, SEED), torch.no_grad():
        getattr(view(model.w), text + "_")()
    whole = filled((N, M), text, dtype=torch.float32 if dtype == torch.float64 else dtype).to(dtype)
    expected = torch.full((N, M), math.nan, dtype=dtype)
    view(expected).copy_(view(whole))
    assert torch.equal(model.w.detach().nan_to_num(9e9), expected.nan_to_num(9e9))


@pytest.mark.parametrize("limit", [1, 7, 64])
@pytest.mark.parametrize("view", [view for _, view in VIEWS], ids=[name for name, _ in VIEWS])
def test_views_in_small_pieces(view, limit, monkeypatch):
    """A view of a large tensor, or of a GPU's tensor, takes bounded memory; here 1, 7 or 64 elements."""
    monkeypatch.setattr("seedbed.torch._parts._always_in_pieces", limit != 7)
    monkeypatch.setattr("seedbed.torch._views.PIECE_BYTES", 4 * limit)
    monkeypatch.setattr("seedbed.torch._parts.PIECE_BYTES", 4 * limit)
    test_a_view_gets_what_the_whole_tensor_has_there(view, "normal", torch.float32)


CONV = [
    ("whole", lambda w: w),
    ("outputs", lambda w: w[2:5]),
    ("inputs", lambda w: w[:, 1:3]),
    ("tap", lambda w: w[:, :, 1, 2]),
    ("taps", lambda w: w[1, :, 1:, :2]),
    ("permuted", lambda w: w.permute(3, 1, 0, 2)),
    ("stepped", lambda w: w[::2, :, ::2]),
    ("all but one", lambda w: w[:-1]),
]


@pytest.mark.parametrize("view", [view for _, view in CONV], ids=[name for name, _ in CONV])
def test_views_of_a_tensor_in_channels_last(view):
    model = One(6, 4, 3, 3, memory_format=torch.channels_last)
    assert not model.w.is_contiguous()
    with seeded(model, SEED), torch.no_grad():
        view(model.w).normal_()
    expected = torch.full((6, 4, 3, 3), math.nan)
    view(expected).copy_(view(filled((6, 4, 3, 3), "normal")))
    assert torch.equal(model.w.detach().nan_to_num(9e9), expected.nan_to_num(9e9))
    # Height and width are one dimension in this memory, and not in the logical order of elements.
    with seeded(model, SEED), torch.no_grad():
        flat = torch.as_strided(model.w, (36,), (1,))
        with pytest.raises(ValueError, match=r"^w: the view .* joins dimensions"):
            flat.normal_()


def test_a_transposed_parameter():
    model = One(3, 5)
    model.t = nn.Parameter(torch.empty(7, 4).T)
    with seeded(model, SEED), torch.no_grad():
        xavier_uniform_(model.t)
        same(model.t, filled((4, 7), "xavier_uniform", "t"))
        model.t[1:3].normal_()
        model.t.T[5].zero_()
    expected = filled((4, 7), "xavier_uniform", "t")
    expected[1:3] = filled((4, 7), "normal", "t")[1:3]
    expected[:, 5] = 0
    same(model.t, expected)


def test_the_order_of_views_does_not_matter():
    one, two = One(48, 16), One(48, 16)
    with seeded(one, SEED), torch.no_grad():
        one.w.normal_()
    with seeded(two, SEED), torch.no_grad():
        for chunk in reversed(two.w.chunk(3)):
            chunk.normal_()
    same(two.w, one.w.detach())


def test_overlapping_views_are_refused_as_torch_refuses_them():
    model = One(4, 4)
    with seeded(model, SEED), torch.no_grad(), pytest.raises(RuntimeError, match="single memory location"):
        model.w[0].expand(3, 4).normal_()
    assert model.w.isnan().all()


def test_fans_of_a_view_are_those_of_its_shape():
    model = One(12, 8)
    with seeded(model, SEED):
        for chunk in model.w.chunk(3):
            xavier_uniform_(chunk)
    bound = math.sqrt(3.0) * math.sqrt(2.0 / (8 + 4))
    same(model.w, filled((12, 8), f"uniform({-bound!r},{bound!r})"))
    with seeded(model, SEED):
        kaiming_normal_(model.w.T, nonlinearity="relu")
    same(model.w, filled((12, 8), "kaiming_normal(mode=fan_out,nonlinearity=relu)"))
    # A convolution of patches as the linear layer that it is.
    conv = One(16, 3, 4, 4)
    with seeded(conv, SEED):
        xavier_uniform_(conv.w.view(16, -1))
    bound = math.sqrt(3.0) * math.sqrt(2.0 / (16 + 48))
    same(conv.w, filled((16, 3, 4, 4), f"uniform({-bound!r},{bound!r})"))


def test_matrices_of_views():
    model = One(12, 4)
    key = seedbed.Key(SEED).named("w")
    with seeded(model, SEED):
        for gate in reversed(model.w.chunk(3)):
            orthogonal_(gate)
        torch_init.sparse_(model.b[:, 1:], 0.25)
        torch_init.eye_(model.b[:, 0:1])
    for gate in range(3):
        matrix = seedbed.fill(torch.empty(4, 4), "orthogonal()", key.fold_in(16 * gate))
        same(model.w[4 * gate : 4 * gate + 4], matrix)
        assert torch.allclose(matrix.T @ matrix, torch.eye(4), atol=1e-5)
    zeros = (model.b[:, 1:] == 0).sum(0)
    assert zeros.tolist() == [3, 3, 3] and model.b[0, 0] == 1
    # The whole tensor under another shape is the whole tensor.
    conv = One(6, 4, 3)
    with seeded(conv, SEED):
        orthogonal_(conv.w.view(6, 12))
    same(conv.w, filled((6, 4, 3), "orthogonal()"))
    with seeded(conv, SEED):
        orthogonal_(conv.w)
    same(conv.w, filled((6, 4, 3), "orthogonal()"))


def test_a_padding_row():
    model = nn.Embedding(10, 4, padding_idx=3)
    with seeded(model, SEED) as block:
        model.reset_parameters()
    expected = filled((10, 4), "normal()", "weight")
    expected[3] = 0
    same(model.weight, expected)
    assert block.initialised == {"weight": ["normal(mean=0,std=1)", "constant(0)"]}


def test_parameters_in_one_memory():
    """The exact parameter goes before the one that it is a part of."""
    model = nn.Module()
    model.flat = nn.Parameter(torch.empty(20))
    model.a = nn.Parameter(model.flat.data[:8].view(2, 4))
    model.b = nn.Parameter(model.flat.data[8:].view(3, 4))
    with seeded(model, SEED), torch.no_grad():
        xavier_uniform_(model.b)
        model.a[1].normal_()
        model.flat[6:10].zero_()
    expected = filled((3, 4), "xavier_uniform", "b")
    expected[0, :2] = 0
    same(model.b, expected)
    same(model.a[1, :2], filled((2, 4), "normal", "a")[1, :2])


# Tensors of the model and others


def test_the_order_of_modules_does_not_matter_and_nothing_else_moves():
    def make():
        return nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 4, bias=False), nn.Embedding(5, 3)
        )

    one, two = make(), make()
    state = torch.get_rng_state()
    with seeded(one, SEED):
        for module in one:
            module.reset_parameters()
    with seeded(two, SEED):
        for module in reversed(two):
            torch.rand(3, generator=torch.Generator())
            module.reset_parameters()
            module.reset_parameters()
    assert torch.equal(state, torch.get_rng_state())
    for name, tensor in one.state_dict().items():
        same(two.state_dict()[name], tensor)
    bound = 1 / math.sqrt(6)
    same(one[0].bias, filled(8, f"uniform({-bound!r},{bound!r})", "0.bias"))


def test_a_second_initialisation_is_the_first():
    model = One(5, 5)
    with seeded(model, SEED), torch.no_grad():
        first = model.w.normal_().clone()
        second = model.w.normal_()
    assert torch.equal(first, second)


def test_seeds_and_keys():
    model = One(5, 5)
    for seed, expected in [
        (7, seedbed.Key(7)),
        (seedbed.Key(7), seedbed.Key(7)),
        (seedbed.Key(7).fold_in(1), seedbed.Key(7).fold_in(1)),
    ]:
        with seeded(model, seed):
            torch_init.normal_(model.w)
        same(model.w, seedbed.fill(torch.empty(5, 5), "normal()", expected.named("w")))
    with pytest.raises((TypeError, ValueError)):
        seeded(model, "7")
    with pytest.raises((TypeError, ValueError)):
        seeded(model, -1)
    with pytest.raises(TypeError, match="takes a torch.nn.Module, not a Parameter"):
        seeded(model.w, 7)


def test_tied_parameters_have_their_first_name():
    model = nn.Module()
    model.embed = nn.Embedding(10, 4)
    model.head = nn.Linear(4, 10, bias=False)
    for tie in [
        lambda: setattr(model.head, "weight", model.embed.weight),
        lambda: setattr(model.head, "weight", nn.Parameter(model.embed.weight.data)),
    ]:
        tie()
        with seeded(model, SEED) as block:
            torch_init.normal_(model.head.weight)
        same(model.head.weight, filled((10, 4), "normal()", "embed.weight"))
        assert list(block.initialised) == ["embed.weight"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: torch.empty(3, 4).normal_(), r"normal_ of the shape \(3, 4\)"),
        (lambda: torch_init.trunc_normal_(torch.empty(3)), r"trunc_normal_ of the shape \(3,\)"),
        (lambda: torch_init.orthogonal_(torch.empty(3, 3)), r"orthogonal_ of the shape \(3, 3\)"),
        (lambda: torch.empty(3).exponential_(), r"exponential_ of the shape \(3,\)"),
        (lambda: torch.randn(3), r"torch\.randn draws"),
        (lambda: torch.normal(0.0, 1.0, (3,)), r"torch\.normal draws"),
        (lambda: torch.randperm(3), r"torch\.randperm draws"),
        (lambda: nn.Linear(3, 3), r"kaiming_uniform_ of the shape \(3, 3\)"),
    ],
)
def test_other_tensors_are_torchs_with_one_warning(call, words):
    model = One(4, 4)
    torch.manual_seed(3)
    expected = call()
    torch.manual_seed(3)
    with seeded(model, SEED) as block:
        with pytest.warns(UnseededWarning, match=words) as caught:
            actual = call()
            call()
            torch.rand(3)
        assert len(caught) == 1
        if not isinstance(expected, nn.Module):
            assert caught[0].filename == __file__
    if isinstance(expected, nn.Module):
        expected, actual = expected.weight, actual.weight
    assert torch.equal(actual, expected)
    assert block.initialised == {}
    # The next block warns again.
    with block, pytest.warns(UnseededWarning):
        call()


def test_what_does_not_draw_does_not_warn():
    model = One(4, 4)
    with seeded(model, SEED), torch.no_grad():
        torch.zeros(3).fill_(2).zero_()
        torch_init.ones_(torch.empty(3))
        torch.empty(3, 3, device="meta").normal_()
        torch.empty(3).normal_(generator=torch.Generator())
        torch.randn(3, generator=torch.Generator())
        model.w.copy_(torch.arange(16.0).view(4, 4))
    assert model.w[1, 1] == 5


@pytest.mark.parametrize("name", ["exponential_", "cauchy_", "geometric_", "bernoulli_", "random_"])
def test_distributions_that_seedbed_does_not_have_are_refused(name):
    model = One(4, 4)
    with seeded(model, SEED), torch.no_grad():
        for tensor in (model.w, model.w[1:], model.w.data):
            with pytest.raises(NotImplementedError, match=rf"^w: seedbed has no distribution for {name}"):
                getattr(tensor, name)(*([0.5] if name == "geometric_" else []))
    assert model.w.isnan().all()


def test_errors_name_the_parameter_and_write_nothing():
    model = One(4, 4)
    model.register_buffer("z", torch.zeros(3, dtype=torch.complex64))
    with seeded(model, SEED), torch.no_grad():
        for call, words in [
            (lambda: model.w.normal_(0, -1), "^w: .*std"),
            (lambda: model.w[1:].uniform_(2, 1), "^w: "),
            (lambda: trunc_normal_(model.w, std=math.nan), "^w: "),
            (lambda: kaiming_normal_(model.w, nonlinearity="gelu"), "^w: Unsupported nonlinearity gelu"),
            (lambda: kaiming_normal_(model.w, mode="fan"), "^w: Mode fan not supported"),
            (lambda: model.z.normal_(), "^z: normal_ of torch.complex64 can't be seeded"),
        ]:
            with pytest.raises(ValueError, match=words):
                call()
        for call in (
            lambda: model.w.normal_(0, 1, 2),
            lambda: model.w.normal_(sigma=1),
            lambda: xavier_uniform_(),
        ):
            with pytest.raises(TypeError):
                call()
        assert model.w.isnan().all()
        # The block goes on working.
        xavier_uniform_(model.w)
    same(model.w, filled((4, 4), "xavier_uniform"))


def test_autograd_guards_its_leaves_as_always():
    model = One(4, 4)
    saved = (model.w * model.w).sum()
    with seeded(model, SEED):
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
            model.w.normal_()
        with pytest.raises(RuntimeError, match="a view of a leaf Variable"):
            model.w[1:].uniform_()
        assert model.w.isnan().all()
        torch_init.normal_(model.w)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        saved.backward()


def test_inference_mode():
    model = One(4, 4)
    with seeded(model, SEED), torch.inference_mode():
        model.b.normal_()
        torch_init.trunc_normal_(model.b)
    same(model.b, filled((4, 4), "trunc_normal", "b"))
    with torch.inference_mode():
        made = One(4, 4)
    with seeded(made, SEED), torch.inference_mode():
        torch_init.trunc_normal_(made.w)
    same(made.w, filled((4, 4), "trunc_normal"))


def test_parameters_without_dimensions():
    model = One()
    with seeded(model, SEED), torch.no_grad():
        torch_init.normal_(model.w)
        model.b[None].fill_(2)
    same(model.w, filled((), "normal()"))
    assert model.b == 2


def test_parameters_of_unknown_memory_are_refused():
    class Packed(torch.Tensor):
        pass

    model = One(3, 3)
    model.p = nn.Parameter(torch.zeros(3, 3).as_subclass(Packed))
    assert type(model.p) is Packed
    with seeded(model, SEED):
        with pytest.raises(
            ValueError, match="^p: the tensor is a .*Packed, whose memory seedbed does not know"
        ):
            torch_init.normal_(model.p)
        torch_init.ones_(model.p)
        torch_init.normal_(model.w)
    assert (model.p == 1).all()


def test_a_parametrized_weight_is_initialised_as_its_original():
    model = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))
    with seeded(model, SEED) as block:
        for parameter in model.parameters():
            torch_init.normal_(parameter)
        with pytest.warns(UnseededWarning):
            # The weight is computed: PyTorch initialises a temporary, too.
            torch_init.normal_(model.weight)
    assert list(block.initialised) == [
        "bias",
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    ]


def test_empty_parameters():
    model = One(0, 4)
    with seeded(model, SEED), pytest.warns(UserWarning, match="zero-element"):
        kaiming_normal_(model.w)
        model.w.data.normal_()


# The model changes inside the block


def test_parameters_that_are_replaced_inside_the_block():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6))
    with seeded(model, SEED):
        model.to_empty(device="cpu")
        for module in model:
            module.reset_parameters()
        first = model[0].weight.detach().clone()
        model[0].weight = nn.Parameter(torch.empty(3, 4))
        xavier_uniform_(model[0].weight)
        model[0].weight.data = torch.empty(5, 4)
        xavier_uniform_(model[0].weight)
        model.add_module("new", nn.utils.skip_init(nn.Linear, 2, 2))
        model.new.register_buffer("scale", torch.empty(3))
        model.new.scale.normal_()
        torch_init.normal_(model.new.weight)
    same(first, filled((6, 4), f"kaiming_uniform(a={math.sqrt(5)!r})", "0.weight"))
    same(model[0].weight, filled((5, 4), "xavier_uniform", "0.weight"))
    same(model.new.weight, filled((2, 2), "normal", "new.weight"))
    same(model.new.scale, filled(3, "normal", "new.scale"))


def test_a_tensor_at_the_address_of_a_replaced_parameter_is_not_the_parameter():
    model = One(64, 64)
    with seeded(model, SEED) as block:
        address = model.w.data_ptr()
        model.w.data = torch.empty(3)
        for _ in range(100):
            other = torch.empty(64, 64)
            if other.data_ptr() == address:
                break
        with pytest.warns(UnseededWarning):
            other.normal_()
    assert block.initialised == {}


def test_meta_parameters_are_refused():
    with torch.device("meta"):
        model = nn.Linear(4, 6)
    with seeded(model, SEED), torch.no_grad():
        for call in (
            model.reset_parameters,
            lambda: model.weight.zero_(),
            lambda: model.weight[1:].normal_(),
            lambda: orthogonal_(model.weight),
        ):
            with pytest.raises(ValueError, match=r"^weight: .*meta.*to_empty\(device=\.\.\.\) first"):
                call()
        # A module that is made on meta inside the block draws nothing.
        nn.Linear(3, 3, device="meta")


def test_lazy_modules():
    model = nn.Sequential(nn.LazyLinear(3))
    with seeded(model, SEED):
        model(torch.ones(2, 4))
        model[0].reset_parameters()
    same(model[0].weight, filled((3, 4), f"kaiming_uniform(a={math.sqrt(5)!r})", "0.weight"))


def test_deepcopy_inside_and_a_default_device():
    model = One(4, 4)
    with seeded(model, SEED):
        torch_init.normal_(model.w)
        twin = copy.deepcopy(model)
        with pytest.warns(UnseededWarning):
            torch_init.normal_(twin.w)
        with torch.device("meta"):
            torch_init.orthogonal_(model.w)
        same(model.w, filled((4, 4), "orthogonal"))
    try:
        with seeded(model, SEED):
            torch.set_default_device("meta")
            trunc_normal_(model.w)
            kaiming_normal_(model.w.T[::2])
    finally:
        torch.set_default_device(None)
    expected = filled((4, 4), "trunc_normal")
    expected[:, ::2] = filled((4, 4), f"normal(std={math.sqrt(2) / math.sqrt(4)!r})")[:, ::2]
    same(model.w, expected)


# Blocks


def test_an_error_inside_the_block_restores_everything():
    model = One(4, 4)
    with pytest.raises(KeyError), seeded(model, SEED):
        raise KeyError
    before = model.b.clone()
    state = torch.get_rng_state()
    torch_init.orthogonal_(model.w)
    assert not torch.equal(state, torch.get_rng_state())
    assert torch.equal(before.nan_to_num(), model.b.nan_to_num())
    # PyTorch's functions answer again, and one block can be used again.
    block = seeded(model, SEED)
    for _ in range(2):
        with block:
            torch_init.orthogonal_(model.w)
        same(model.w, filled((4, 4), "orthogonal"))


def test_two_models():
    one, two = One(4, 4), One(4, 4)
    with seeded(one, 1) as outer:
        with seeded(two, 2) as inner:
            torch_init.xavier_normal_(one.w)
            torch_init.orthogonal_(two.w)
            one.b.normal_()
            two.b.normal_()
            with pytest.warns(UnseededWarning) as caught:
                torch.empty(3).normal_()
                torch.randn(3)
            assert len(caught) == 1
        torch_init.trunc_normal_(one.b)
    same(one.w, filled((4, 4), "xavier_normal", seed=1))
    same(one.b, filled((4, 4), "trunc_normal", "b", seed=1))
    same(two.w, filled((4, 4), "orthogonal", seed=2))
    same(two.b, filled((4, 4), "normal", "b", seed=2))
    assert set(outer.initialised) == set(inner.initialised) == {"w", "b"}


def test_a_block_is_of_its_thread():
    one, two, plain = One(64, 64), One(64, 64), torch.empty(64, 64)
    ready = threading.Barrier(2, timeout=60)
    problems = []

    def other():
        try:
            ready.wait()
            # No block here: PyTorch's own function, without a warning.
            torch_init.orthogonal_(plain)
            with seeded(two, 2):
                ready.wait()
                for _ in range(20):
                    torch_init.orthogonal_(two.w)
                ready.wait()
        except BaseException as error:
            problems.append(error)
            ready.abort()

    thread = threading.Thread(target=other)
    thread.start()
    with seeded(one, 1):
        ready.wait()
        ready.wait()
        for _ in range(20):
            torch_init.trunc_normal_(one.w)
    ready.wait()
    torch_init.eye_(plain)
    thread.join()
    assert not problems
    same(one.w, filled((64, 64), "trunc_normal", seed=1))
    same(two.w, filled((64, 64), "orthogonal", seed=2))


def test_other_modes_see_what_they_always_see():
    class Seen(torch.overrides.TorchFunctionMode):
        def __init__(self):
            super().__init__()
            self.names = []

        def __torch_function__(self, function, types, args=(), kwargs=None):
            self.names.append(getattr(function, "__name__", ""))
            return function(*args, **(kwargs or {}))

    def names(call):
        with Seen() as seen:
            call()
        return seen.names

    def call():
        torch_init.xavier_normal_(torch.empty(3, 3))

    expected = names(call)
    assert "normal_" in expected and "xavier_normal_" not in expected
    model = One(3, 3)

    def around_a_block():
        with seeded(model, SEED):
            with pytest.warns(UnseededWarning):
                call()

    # Inside of a mode of somebody else's, a block passes on what it does not answer.
    assert [name for name in names(around_a_block) if name == "normal_"] == ["normal_"]
    with ThreadPoolExecutor(1) as pool, seeded(model, SEED):
        # A thread without a block.
        assert pool.submit(names, call).result(60) == expected
        with Seen() as seen:
            torch_init.xavier_normal_(model.w)
        assert "xavier_normal_" in seen.names and "normal_" not in seen.names
    same(model.w, filled((3, 3), "xavier_normal"))


# Names


def test_prefixes_of_wrappers_are_not_in_the_names():
    class Holder(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    class DistributedDataParallel(Holder):
        """As the class of that name names its parameters; the real one wants a process group."""

    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    def make():
        model = nn.Module()
        model.block = nn.Sequential(nn.Linear(3, 3), Holder(nn.Linear(3, 3)))
        return model

    plain = make()
    expected = ["block.0.weight", "block.0.bias", "block.1.module.weight", "block.1.module.bias"]
    wrapped_inside = make()
    wrapped_inside.block[0] = checkpoint_wrapper(torch.compile(wrapped_inside.block[0]))
    fsdp1 = nn.Module()
    fsdp1._fsdp_wrapped_module = make()
    for model in [
        plain,
        torch.compile(make()),
        nn.DataParallel(make()),
        torch.optim.swa_utils.AveragedModel(make()),
        DistributedDataParallel(torch.compile(make())),
        torch.compile(DistributedDataParallel(make())),
        wrapped_inside,
        fsdp1,
    ]:
        with seeded(model, SEED) as block:
            for parameter in model.parameters():
                torch_init.normal_(parameter)
        assert list(block.initialised) == expected
        for name, parameter in zip(expected, model.parameters()):
            same(parameter, filled(parameter.shape, "normal", name))


def test_names_that_the_caller_changes():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with seeded(model, SEED, strip_prefix="stage.0.", rename=lambda name: "stage." + name) as block:
        torch_init.normal_(model[0].weight)
        torch_init.normal_(model[1].weight)
    assert list(block.initialised) == ["weight", "stage.1.weight"]
    same(model[0].weight, filled((2, 2), "normal", "weight"))
    with (
        pytest.raises(ValueError, match="two parameters have the name 'weight'"),
        seeded(model, SEED, strip_prefix=["0.", "1."]),
    ):
        pass


# Models


def gathered(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def answered(model, call):
    """Runs an initialisation and asserts that each parameter was answered, without a warning."""
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.is_floating_point():
            tensor.data.fill_(math.nan)
    state = torch.get_rng_state()
    with seeded(model, SEED) as block:
        call(model)
    assert torch.equal(state, torch.get_rng_state())
    names = {name for name, _ in model.named_parameters()}
    assert names <= set(block.initialised)
    assert not any(parameter.isnan().any() for parameter in model.parameters())
    return block.initialised


def reset(model):
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        elif hasattr(module, "_reset_parameters"):
            module._reset_parameters()


MODELS = {
    "TransformerEncoder": lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2
    ),
    "Transformer": lambda: nn.Transformer(16, 4, 1, 1, 32, batch_first=True),
    "MultiheadAttention": lambda: nn.MultiheadAttention(16, 4),
    "MultiheadAttention, kdim": lambda: nn.MultiheadAttention(16, 4, kdim=8, vdim=8, add_bias_kv=True),
    "LSTM": lambda: nn.LSTM(8, 6, 2, bidirectional=True, proj_size=3),
    "GRU": lambda: nn.GRU(8, 6),
    "convolutions": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, groups=1),
        nn.BatchNorm2d(8),
        nn.ConvTranspose2d(8, 4, 3, groups=2),
        nn.GroupNorm(2, 4),
        nn.PReLU(),
        nn.Conv1d(4, 4, 3),
        nn.Conv3d(2, 2, 2),
        nn.Bilinear(3, 4, 5),
        nn.EmbeddingBag(7, 3),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_modules_of_torch_by_their_own_initialisation(name):
    torch.manual_seed(1)
    one = MODELS[name]()
    torch.manual_seed(2)
    two = MODELS[name]()
    answered(one, reset)
    answered(two, lambda model: [reset(module) for module in reversed(list(model.modules()))])
    one, two = gathered(one), gathered(two)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_orthogonal_recurrent_weights():
    """A common recipe: each gate's recurrent weight is orthogonal, and the forget gate's bias is 1."""
    model = nn.LSTM(8, 6)

    def recipe(model):
        for name, parameter in model.named_parameters():
            if "weight_ih" in name:
                torch_init.xavier_uniform_(parameter)
            elif "weight_hh" in name:
                for gate in parameter.chunk(4):
                    torch_init.orthogonal_(gate)
            else:
                torch_init.zeros_(parameter)
                parameter.data[6:12].fill_(1)

    answered(model, recipe)
    for gate in model.weight_hh_l0.chunk(4):
        assert torch.allclose(gate @ gate.T, torch.eye(6), atol=1e-5)
    assert not torch.equal(*model.weight_hh_l0.chunk(4)[:2])
    assert model.bias_ih_l0.tolist() == [0] * 6 + [1] * 6 + [0] * 12


def test_a_residual_network_by_apply():
    """As torchvision's ResNet initialises itself."""

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)

    model = nn.Sequential(
        nn.Conv2d(3, 8, 7, bias=False), nn.BatchNorm2d(8), Block(8), Block(8), nn.Linear(8, 10)
    )

    def initialise(module):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 1)
            nn.init.constant_(module.bias, 0)
        elif isinstance(module, nn.Linear):
            module.reset_parameters()
        if isinstance(module, Block):
            nn.init.constant_(module.bn2.weight, 0)

    answered(model, lambda model: model.apply(initialise))
    text = "kaiming_normal(mode=fan_out,nonlinearity=relu)"
    same(model[2].conv1.weight, filled((8, 8, 3, 3), text, "2.conv1.weight"))
    assert (model[3].bn2.weight == 0).all() and (model[3].bn1.weight == 1).all()


def hugging_face(name):
    transformers = pytest.importorskip("transformers")
    small = {"vocab_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16}
    configs = {
        "gpt2": lambda: transformers.GPT2Config(
            vocab_size=40, n_positions=16, n_embd=16, n_layer=2, n_head=2
        ),
        "llama": lambda: transformers.LlamaConfig(
            intermediate_size=32, num_key_value_heads=1, pad_token_id=0, tie_word_embeddings=False, **small
        ),
        "bert": lambda: transformers.BertConfig(intermediate_size=32, max_position_embeddings=16, **small),
        "t5": lambda: transformers.T5Config(
            vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2
        ),
        "vit": lambda: transformers.ViTConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=8,
            patch_size=4,
        ),
    }
    classes = {
        "gpt2": "GPT2LMHeadModel",
        "llama": "LlamaForCausalLM",
        "bert": "BertForMaskedLM",
        "t5": "T5ForConditionalGeneration",
        "vit": "ViTForImageClassification",
    }
    return getattr(transformers, classes[name])(configs[name]())


def init_again(model):
    """The recipe of docs/distributed/pytorch_seeded.md."""
    for module in model.modules():
        module._is_hf_initialized = False
    model.init_weights()


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "t5", "vit"])
def test_transformers_by_their_own_init_weights(name):
    torch.manual_seed(1)
    one = hugging_face(name)
    torch.manual_seed(2)
    two = hugging_face(name)
    buffers = {name: buffer.clone() for name, buffer in one.named_buffers()}
    texts = answered(one, init_again)
    with seeded(two, SEED):
        init_again(two)
    for key, tensor in gathered(one).items():
        same(two.state_dict()[key], tensor)
    for key, parameter in one.named_parameters():
        # What the last initialiser of the whole parameter says is what the parameter holds.
        if len(texts[key]) == 1 and not texts[key][0].endswith("_"):
            same(parameter, filled(parameter.shape, texts[key][0], key))
    for key, buffer in one.named_buffers():
        if not buffer.is_floating_point():
            same(buffer, buffers[key])
    if name == "gpt2":
        std = 0.02 / math.sqrt(2 * 2)
        same(
            one.transformer.h[1].attn.c_proj.weight,
            filled((16, 16), f"normal(std={std!r})", "transformer.h.1.attn.c_proj.weight"),
        )
        same(one.transformer.wte.weight, filled((40, 16), "normal(std=0.02)", "transformer.wte.weight"))
        assert one.lm_head.weight is one.transformer.wte.weight
    if name == "llama":
        expected = filled((40, 16), "normal(std=0.02)", "model.embed_tokens.weight")
        expected[0] = 0
        same(one.model.embed_tokens.weight, expected)


def test_a_transformer_of_transformers_after_to_empty():
    """From the device meta to the same weights."""
    expected = hugging_face("gpt2")
    with seeded(expected, SEED):
        init_again(expected)
    with torch.device("meta"):
        model = hugging_face("gpt2")
    with seeded(model, SEED):
        model.to_empty(device="cpu")
        init_again(model)
    for name, parameter in expected.named_parameters():
        same(model.get_parameter(name), parameter.detach())


def random_view(rng, tensor):
    """A view of up to four steps, that is never a copy."""
    view = tensor
    for _ in range(rng.randint(1, 4)):
        dim = rng.randrange(max(1, view.dim()))
        steps = [lambda: view.unsqueeze(rng.randint(0, view.dim())), lambda: view.squeeze()]
        if view.dim():
            size = view.shape[dim]
            start = rng.randint(0, size)
            divisor = rng.choice([n for n in range(1, size + 1) if size % n == 0] or [1])
            steps += [
                lambda: view.narrow(dim, start, rng.randint(start, size) - start),
                lambda: view.select(dim, rng.randrange(size)) if size else view,
                lambda: view.permute(rng.sample(range(view.dim()), view.dim())),
                lambda: view[(slice(None),) * dim + (slice(start, None, rng.randint(1, 3)),)],
                lambda: view.unflatten(dim, (divisor, -1)) if size else view,
                lambda: view.diagonal(rng.randint(-1, 1)) if view.dim() > 1 else view,
                lambda: view.view(-1) if view.is_contiguous() else view,
            ]
        view = rng.choice(steps)()
    return view


@pytest.mark.parametrize("limit", [4, 100, 16 << 20])
def test_random_views_of_parameters_in_any_memory(limit, monkeypatch):
    monkeypatch.setattr("seedbed.torch._views.PIECE_BYTES", limit)
    monkeypatch.setattr("seedbed.torch._parts.PIECE_BYTES", limit)
    rng = random.Random(limit)
    answered = 0
    for _ in range(300):
        shape = [rng.randint(1, 6) for _ in range(rng.randint(1, 4))]
        order = rng.sample(range(len(shape)), len(shape)) if rng.random() < 0.4 else list(range(len(shape)))
        memory = torch.full((math.prod(shape) + 10,), 77.0)
        # The parameter's dimensions lie in the memory in any order, behind three other elements.
        parameter = (
            memory[3:-7]
            .view([shape[axis] for axis in order])
            .permute([order.index(axis) for axis in range(len(shape))])
        )
        model = nn.Module()
        model.w = nn.Parameter(parameter)
        view = random_view(rng, model.w.data)
        # The element of the whole tensor at each place of the memory.
        places = torch.full(memory.shape, -1)
        parameter_places = places.as_strided(parameter.shape, parameter.stride(), 3)
        parameter_places.copy_(torch.arange(math.prod(shape)).view(shape))
        places = places.as_strided(view.shape, view.stride(), view.storage_offset())
        expected = memory.clone()
        try:
            with seeded(model, SEED), torch.no_grad():
                view.normal_()
        except ValueError as error:
            assert "joins dimensions" in str(error)
        else:
            answered += 1
            values = filled(shape, "normal()").view(-1)[places.reshape(-1)].view(view.shape)
            expected.as_strided(view.shape, view.stride(), view.storage_offset()).copy_(values)
        assert torch.equal(memory, expected), (shape, order, view.shape, view.stride())
    assert answered > 280


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timers that send signals")
def test_an_interrupt_at_any_moment_ends_the_block():
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    codes = {name: function.__code__ for name, function in REFERENCES.items()}
    plain = torch.empty(5)

    def interrupt(*_):
        raise KeyboardInterrupt

    moments = random.Random(1)
    old = signal.signal(signal.SIGALRM, interrupt)
    left = hits = 0
    try:
        for _ in range(600):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 + moments.random() * 1e-3)
                try:
                    with seeded(model, SEED):
                        for layer in model:
                            layer.reset_parameters()
                            orthogonal_(layer.weight)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                hits += 1
            modes = torch.overrides._get_current_function_mode_stack()
            left += any(mode.hears_torch_init for mode in modes)
            while modes:
                modes.pop()
                torch._C._pop_torch_function_stack()
    finally:
        signal.signal(signal.SIGALRM, old)
    # Python itself may raise the exception before the first line of __exit__, for any context manager.
    assert hits > 100 and left <= 3
    with seeded(model, SEED):
        pass
    generator = torch.Generator()
    values = [trunc_normal_(plain, generator=generator.manual_seed(1)).clone() for _ in range(2)]
    assert torch.equal(*values)
    if not left:
        assert codes == {name: function.__code__ for name, function in REFERENCES.items()}


def test_a_mode_that_pytorch_puts_back_late_does_nothing():
    # An interrupt can end PyTorch's own handling of a mode in any order.
    model = nn.Linear(2, 2)
    block = seeded(model, SEED)
    with pytest.raises(KeyboardInterrupt), block:
        torch._C._pop_torch_function_stack()
        raise KeyboardInterrupt
    torch._C._push_on_torch_function_stack(block)
    try:
        before = torch.get_rng_state()
        torch_init.normal_(model.weight)
        assert not torch.equal(before, torch.get_rng_state())
    finally:
        torch._C._pop_torch_function_stack()


def test_rename_gives_texts():
    with pytest.raises(TypeError, match="gives a int, not a str"), seeded(nn.Linear(2, 2), SEED, rename=len):
        pass
