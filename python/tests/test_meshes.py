"""Fills of DTensors: each rank's part holds what the whole tensor holds there, on every mesh."""

from __future__ import annotations

import itertools

import pytest
import torch
from ranks import spawn
from torch import nn

import seedbed
from seedbed.torch import _parts, fill_

KEY = seedbed.Key(42).named("a tensor")
INITS = ["xavier_normal()", "normal(std=0.02)", "uniform()", "constant(3)", "trunc_normal()"]
MATRICES = ["orthogonal()", "eye()", "sparse(0.3)", "kaiming_uniform(a=1)"]
# 7 rows over 4 ranks; empty shards; a convolution; no dimension that 4 divides.
SHAPES = [(7,), (1,), (7, 5), (2, 9), (3, 4, 3, 3), (0, 4), (9, 6)]


def whole(shape, init, dtype=torch.float32):
    return fill_(torch.full(shape, 77.0).to(dtype), init, KEY)


def layouts(rank, world):
    """Compares every combination of placements on several meshes. The number of layouts that were compared."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
    from torch.distributed.tensor.placement_types import _StridedShard

    compared = 0
    meshes = {1: [(1,)], 2: [(2,), (1, 2)], 4: [(4,), (2, 2), (2, 1, 2)]}[world]
    for mesh_shape in meshes:
        mesh = init_device_mesh("cpu", mesh_shape)
        for shape in SHAPES if len(mesh_shape) < 3 else [(7, 5)]:
            strided = [_StridedShard(0, split_factor=2), _StridedShard(len(shape) - 1, split_factor=3)]
            choices = [Replicate(), *map(Shard, range(len(shape))), *strided]
            for number, placements in enumerate(itertools.product(choices, repeat=len(mesh_shape))):
                inits = INITS + (MATRICES if len(shape) == 2 else [])
                init = inits[number % len(inits)] if len(shape) > 1 else "normal()"
                dtype = [torch.float32, torch.bfloat16, torch.float16, torch.float64][number % 4]
                expected = distribute_tensor(whole(shape, init, dtype), mesh, placements, src_data_rank=None)
                memory = torch.full_like(expected._local_tensor, 77)
                tensor = DTensor.from_local(
                    memory, mesh, placements, run_check=False, shape=expected.shape, stride=expected.stride()
                )
                for in_pieces, limit in [(False, 16 << 20), (True, 16 << 20), (True, 24)]:
                    _parts._always_in_pieces, _parts.PIECE_BYTES = in_pieces, limit
                    memory.fill_(77)
                    fill_(tensor, init, KEY)
                    assert torch.equal(memory, expected._local_tensor), (mesh_shape, shape, placements, init)
                compared += 1
    return compared


@pytest.mark.parametrize("world", [1, 2, 4])
def test_every_placement_holds_its_part_of_the_whole(world):
    counts = spawn(world, layouts)
    assert counts == [counts[0]] * world
    assert counts[0] > {1: 25, 2: 100, 4: 150}[world]


def subsets(rank, world):
    """A mesh of two of the four ranks, a partial sum, and an error that every rank reports."""
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import DTensor, Partial, Shard, empty

    mesh = DeviceMesh("cpu", [1, 3])
    expected = whole((7, 5), "xavier_normal()")
    tensor = fill_(empty((7, 5), device_mesh=mesh, placements=[Shard(0)]), "xavier_normal()", KEY)
    rows = {1: slice(0, 4), 3: slice(4, 7)}
    inside = rank in rows
    same = not inside or torch.equal(tensor.to_local(), expected[rows[rank]])

    everyone = DeviceMesh("cpu", list(range(world)))
    errors = []
    partial = DTensor.from_local(torch.full((7, 5), 77.0), everyone, [Partial()], run_check=False)
    # The last rank holds none of the five rows.
    vector = empty((5,), device_mesh=everyone, placements=[Shard(0)])
    for tensor, init in [(partial, "zeros()"), (vector, "xavier_normal()")]:
        with pytest.raises(ValueError) as error:
            fill_(tensor, init, KEY)
        errors.append(str(error.value))
    assert (partial._local_tensor == 77).all()
    return same, errors


def test_ranks_outside_the_mesh_and_errors_of_all_ranks():
    results = spawn(4, subsets)
    assert all(same for same, _ in results)
    assert all(errors == results[0][1] for _, errors in results)
    partial, fans = results[0][1]
    assert "redistribute it first" in partial
    assert "fewer than 2 dimensions" in fans


def test_plain_tensors_in_any_memory():
    expected = whole((6, 5), "normal()")
    for tensor in [
        torch.empty(6, 5),
        torch.empty(5, 6).t(),
        torch.empty(6, 10)[:, ::2],
        torch.empty(9, 5)[3:],
        nn.Parameter(torch.empty(6, 5)),
        torch.empty(6, 5, dtype=torch.float64),
    ]:
        assert fill_(tensor, "normal()", KEY) is tensor
        assert torch.equal(tensor.float(), expected)
    image = torch.empty(2, 3, 4, 4).to(memory_format=torch.channels_last)
    assert torch.equal(fill_(image, "normal()", KEY), whole((2, 3, 4, 4), "normal()"))
    assert torch.equal(fill_(torch.empty(()), "normal()", KEY), whole((1,), "normal()")[0])


@pytest.mark.parametrize("init", INITS + MATRICES)
@pytest.mark.parametrize("limit", [1, 40, 1000, 16 << 20])
def test_pieces_hold_what_one_fill_holds(monkeypatch, init, limit):
    """A GPU's tensor is made in pieces; no GPU is here, so the test makes a tensor of the host in pieces."""
    expected = whole((13, 11), init)
    largest = 0
    write = seedbed.torch._init.write

    def spy(x, *args, **kwargs):
        nonlocal largest
        largest = max(largest, x.nbytes)
        return write(x, *args, **kwargs)

    monkeypatch.setattr(_parts, "_always_in_pieces", True)
    monkeypatch.setattr(_parts, "PIECE_BYTES", limit)
    monkeypatch.setattr(seedbed.torch._init, "write", spy)
    assert torch.equal(fill_(torch.empty(13, 11), init, KEY), expected)
    # Every row of an orthogonal matrix costs as much as the matrix, so it is made once.
    assert largest == expected.nbytes if init == "orthogonal()" else 0 < largest <= max(4, limit)


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: torch.empty(2, device="meta"), "to_empty"),
        (lambda: torch.empty(2, dtype=torch.int8), "the types are float32, float16, bfloat16, float64"),
        (
            lambda: torch.empty(2, dtype=torch.float8_e4m3fn),
            "the types are float32, float16, bfloat16, float64",
        ),
        (lambda: torch.empty(2, dtype=torch.complex64), "the types are float32, float16, bfloat16, float64"),
        (lambda: torch.zeros(2, 2).to_sparse(), "only dense"),
        (lambda: nn.UninitializedParameter(), "lazy"),
        (lambda: torch.empty(2).as_subclass(Packed), "Packed"),
    ],
)
def test_tensors_that_can_not_be_filled(make, text):
    with pytest.raises(ValueError, match=text):
        fill_(make(), "zeros()", KEY)


class Packed(torch.Tensor):
    """A subclass that nobody here knows, as those of quantisation libraries are."""


def test_things_that_are_no_tensors():
    with pytest.raises(TypeError, match="list"):
        fill_([1.0], "zeros()", KEY)
    with pytest.raises(TypeError):
        fill_(torch.empty(2), "zeros()", 42)


COMPOSED = """
[[rule]]
match = "experts"
unstack = 0
init = "xavier_normal"

[[rule]]
match = "fused"
split = { axis = 0, into = 3 }
init = "orthogonal"

[[rule]]
match = "table"
init = "normal"
rows = { 4 = "zeros" }

[[rule]]
match = "a_log"
init = 'formula("log(1 + i1)")'
"""


def composed(rank, world):
    """Contents of several parts, under every pair of placements."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor
    from torch.distributed.tensor.placement_types import _StridedShard

    from seedbed.torch import init_

    def model(change):
        shapes = {"experts": (5, 6, 7), "fused": (21, 5), "table": (9, 4), "a_log": (3, 10)}
        made = {name: nn.Parameter(change(torch.full(shape, 77.0))) for name, shape in shapes.items()}
        return nn.ParameterDict(made)

    expected = init_(model(lambda tensor: tensor), 42, rules=COMPOSED)
    mesh = init_device_mesh("cpu", (2, 2))
    choices = [
        Replicate(),
        Shard(0),
        Shard(1),
        _StridedShard(0, split_factor=2),
        _StridedShard(1, split_factor=3),
    ]
    for placements in itertools.product(choices, repeat=2):

        def place(tensor, placements=placements):
            return distribute_tensor(tensor, mesh, placements, src_data_rank=None)

        spread = init_(model(place), 42, rules=COMPOSED)
        for name, tensor in expected.items():
            part = place(tensor.detach())._local_tensor
            assert torch.equal(spread[name]._local_tensor, part), (name, placements)
    return True


def test_contents_of_several_parts():
    assert spawn(4, composed) == [True] * 4
