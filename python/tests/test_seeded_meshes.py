"""`seeded` on meshes: a model's own initialisation gives each rank its part of what one process makes."""

from __future__ import annotations

import itertools
import math
import re
import warnings
from pathlib import Path

import mesh_models
import pytest
import torch
from ranks import spawn
from torch import nn
from torch.nn import init as torch_init

from seedbed.torch import UnseededWarning, init_, seeded

SEED = 42


class One(nn.Module):
    def __init__(self, tensor):
        super().__init__()
        self.w = nn.Parameter(tensor)


VIEWS = {
    "whole": lambda w: w,
    "data": lambda w: w.data,
    "detached": lambda w: w.detach(),
    "row": lambda w: w[3],
    "rows": lambda w: w[2:6],
    "rows of data": lambda w: w.data[2:6],
    "rows of rows": lambda w: w[1:][1:4],
    "columns": lambda w: w[:, 1:4],
    "column": lambda w: w[:, 4],
    "block": lambda w: w[1:6, 2:4],
    "transposed": lambda w: w.T,
    "transposed block": lambda w: w[1:6, 2:4].T,
    "chunk": lambda w: w.chunk(3)[1],
    "split": lambda w: w.split([5, 2])[1],
    "narrow": lambda w: w.narrow(1, 0, 2),
    "element": lambda w: w[6, 0],
    "one more dimension": lambda w: w[None, 2:4, :, None],
}

CALLS = {
    "normal": lambda x: x.normal_(1, 2),
    "constant": lambda x: x.fill_(0.3),
    "zeros": lambda x: torch_init.zeros_(x),
    "ones": lambda x: torch_init.ones_(x),
    "truncated": lambda x: torch_init.trunc_normal_(x, std=0.5),
    "xavier": lambda x: torch_init.xavier_uniform_(x) if x.dim() > 1 else x.uniform_(),
    "kaiming": lambda x: torch_init.kaiming_normal_(x) if x.dim() > 1 else x.uniform_(),
}

MATRICES = {
    "orthogonal": lambda x: torch_init.orthogonal_(x),
    "sparse": lambda x: torch_init.sparse_(x, 0.4),
    "eye": lambda x: torch_init.eye_(x),
}

OF_MATRICES = ["whole", "data", "rows", "rows of data", "columns", "block", "chunk"]


def views(rank, world):
    """Compares initialisations of views under every combination of placements. The number of comparisons."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
    from torch.distributed.tensor.placement_types import _StridedShard

    shape = (7, 5)
    compared = 0
    for mesh_shape in {1: [(1,)], 2: [(2,)], 4: [(4,), (2, 2)]}[world]:
        mesh = init_device_mesh("cpu", mesh_shape)
        choices = [Replicate(), Shard(0), Shard(1), _StridedShard(0, split_factor=2)]
        for placements in itertools.product(choices, repeat=len(mesh_shape)):
            cases = list(itertools.product(VIEWS, CALLS)) + list(itertools.product(OF_MATRICES, MATRICES))
            if len(mesh_shape) > 1:
                # A third of the cases for each combination of two placements.
                cases = cases[compared % 3 :: 3]
            for number, (view, call) in enumerate(cases):
                dtype = [torch.float32, torch.bfloat16, torch.float64][number % 3]
                plain = One(torch.full(shape, 77.0, dtype=dtype))
                function = {**CALLS, **MATRICES}[call]
                if call in ("orthogonal", "eye") and dtype == torch.bfloat16:
                    dtype = torch.float32
                    plain = One(torch.full(shape, 77.0))
                with seeded(plain, SEED), torch.no_grad():
                    function(VIEWS[view](plain.w))
                expected = distribute_tensor(plain.w.detach(), mesh, placements, src_data_rank=None)
                memory = torch.full_like(expected._local_tensor, 77)
                model = One(
                    DTensor.from_local(
                        memory,
                        mesh,
                        placements,
                        run_check=False,
                        shape=expected.shape,
                        stride=expected.stride(),
                    )
                )
                with seeded(model, SEED) as block, torch.no_grad():
                    try:
                        tensor = VIEWS[view](model.w)
                    except RuntimeError:
                        # Some views of _StridedShard are too much for PyTorch.
                        continue
                    result = function(tensor)
                assert result is tensor
                assert torch.equal(memory, expected._local_tensor), (mesh_shape, placements, view, call)
                assert list(block.initialised) == ["w"]
                compared += 1
    return compared


@pytest.mark.parametrize("world", [1, 2, 4])
def test_views_of_dtensors_write_what_lies_here(world):
    counts = spawn(world, views)
    assert counts == [counts[0]] * world
    assert counts[0] > {1: 450, 2: 450, 4: 1100}[world], counts


def edges(rank, world):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    replica = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(2, 2)))
    with seeded(torch.compile(replica), SEED) as block:
        replica.module[0].reset_parameters()
    assert list(block.initialised) == ["0.weight", "0.bias"]

    mesh = init_device_mesh("cpu", (world,))
    whole = One(torch.empty(7, 5))
    with seeded(whole, SEED):
        torch_init.xavier_normal_(whole.w)
    expected = distribute_tensor(whole.w.detach(), mesh, [Shard(0)], src_data_rank=None)._local_tensor
    model = One(distribute_tensor(torch.full((7, 5), 77.0), mesh, [Shard(0)], src_data_rank=None))
    local = model.w._local_tensor
    errors = []
    with seeded(model, SEED), torch.no_grad():
        # The local tensor itself: the fans are those of the whole tensor, and so are the positions.
        torch_init.xavier_normal_(model.w.to_local())
        assert torch.equal(local, expected)
        local.fill_(77)
        std = math.sqrt(2 / 12)
        model.w.to_local()[1:].normal_(0, std)
        model.w.to_local()[:1, ::2].normal_(0, std)
        mask = torch.zeros_like(local, dtype=torch.bool)
        mask[1:] = True
        mask[:1, ::2] = True
        assert torch.equal(local[mask], expected[mask]) and (local[~mask] == 77).all()

        # Constants of rows, which PyTorch writes into a copy.
        model.w[1] = 3
        model.w[4:6, 1:] = 0.5
        model.w[..., 4] = True
        model.w.data[6].fill_(torch.tensor(9.0))
        rows = model.w.full_tensor()
        assert (rows[1, :4] == 3).all() and (rows[4:6, 1:4] == 0.5).all() and (rows[:6, 4] == 1).all()
        assert (rows[6] == 9).all() and (rows[4:6, 0] != 0.5).all()
        model.w[model.w > 8] = 2.0
        assert (model.w.full_tensor()[6] == 2).all()

        for call in [
            lambda: model.w.diagonal().normal_(),
            lambda: model.w[::2].zero_(),
            lambda: torch_init.orthogonal_(model.w.T),
            lambda: torch_init.orthogonal_(model.w.to_local()[:, :2]),
            lambda: model.w.exponential_(),
            lambda: model.w.normal_(0, -1),
        ]:
            before = local.clone()
            with pytest.raises((ValueError, NotImplementedError)) as error:
                call()
            assert torch.equal(before, local)
            errors.append(str(error.value))
    with seeded(model, SEED), pytest.raises(RuntimeError, match="leaf Variable"):
        model.w[3].zero_()
    with seeded(model, SEED), pytest.raises(RuntimeError, match="leaf Variable"):
        model.w[3] = 0
    return errors


def test_local_tensors_and_errors_of_all_ranks():
    results = spawn(4, edges)
    assert all(errors == results[0] for errors in results)
    for error, words in zip(
        results[0],
        [
            "w: the view of shape (5,) and strides (6,) is no rectangular block of the DTensor of shape (7, 5)",
            "w: the view of shape (4, 5) and strides (10, 1) is no rectangular block",
            "w: the view of shape (5, 7) does not have the dimensions of the DTensor",
            "w: an element depends on all of the matrix, and this process holds a part",
            "w: seedbed has no distribution for exponential_",
            "w: ",
        ],
    ):
        assert error.startswith(words), error


def few_rows(rank, world):
    """More ranks than rows: the last ranks hold nothing."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    mesh = init_device_mesh("cpu", (world,))
    model = One(distribute_tensor(torch.full((2, 3), 77.0), mesh, [Shard(0)], src_data_rank=None))
    whole = One(torch.full((2, 3), 77.0))
    for each in (model, whole):
        with seeded(each, SEED) as block, torch.no_grad():
            torch_init.orthogonal_(each.w)
            each.w.data.normal_()
            each.w[1].zero_()
            torch_init.kaiming_uniform_(each.w[:, :2])
        assert len(block.initialised["w"]) == 4
    return torch.equal(model.w.full_tensor(), whole.w)


def test_ranks_that_hold_nothing():
    assert spawn(4, few_rows) == [True] * 4


def own_initialisation(model):
    """By the model's own functions. transformers takes fully_shard's classes for foreign code."""
    if hasattr(model, "_init_weights"):
        model.apply(model._init_weights)
    else:
        model.init_weights()


def single(name):
    """What one process makes."""
    model = mesh_models.materialise(mesh_models.on_meta(mesh_models.MODELS[name]))
    with seeded(model, SEED):
        own_initialisation(model)
    return model


def layouts(world):
    return {1: ["fsdp"], 2: ["fsdp", "tp"], 4: ["fsdp", "tp", "fsdp+tp"]}[world]


def spread(rank, world):
    """The hashes of each model, spread in each way, by its own initialisation."""
    from torch.distributed.device_mesh import init_device_mesh

    hashes = {}
    for name, make in mesh_models.MODELS.items():
        for layout in layouts(world):
            model = mesh_models.on_meta(make)
            if "tp" in layout and model.tensor_parallel is None:
                continue
            if layout == "fsdp+tp":
                mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("dp", "tp"))
                mesh_models.tensor_parallel(model, mesh["tp"])
                mesh_models.fsdp2(model, mesh["dp"])
            elif layout == "tp":
                mesh_models.tensor_parallel(model, init_device_mesh("cpu", (world,)))
            else:
                mesh_models.fsdp2(model, init_device_mesh("cpu", (world,)))
            mesh_models.materialise(model)
            with warnings.catch_warnings():
                warnings.simplefilter("error", UnseededWarning)
                with seeded(model, SEED) as block:
                    own_initialisation(model)
            assert {key for key, _ in model.named_parameters()} <= set(block.initialised)
            hashes[name, layout] = mesh_models.digest(mesh_models.gathered(model.state_dict()))
    return hashes


@pytest.mark.parametrize("world", [1, 2, 4])
def test_a_models_own_initialisation_does_not_depend_on_the_mesh(world):
    expected = {name: mesh_models.digest(single(name).state_dict()) for name in mesh_models.MODELS}
    results = spawn(world, spread)
    assert len(results[0]) == {1: 3, 2: 5, 4: 7}[world]
    for hashes in results:
        assert hashes == {(name, layout): expected[name] for name, layout in hashes}


def test_the_padding_row_of_an_embedding_is_zero():
    """A write into one row of a DTensor is lost in PyTorch itself."""
    model = single("llama")
    assert (model.model.embed_tokens.weight[3] == 0).all()
    assert (model.model.embed_tokens.weight[4] != 0).all()


def flat(rank, world):
    """FSDP1 keeps intervals of parameters, which the model's own functions still initialise by name."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel

    def make():
        return nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.Linear(7, 3, bias=False))

    expected, model = make(), make()
    model = FullyShardedDataParallel(
        model,
        device_id=torch.device("cpu"),
        device_mesh=init_device_mesh("cpu", (world,)),
        use_orig_params=True,
    )
    for each in (expected, model):
        with seeded(each, SEED), torch.no_grad():
            for name, parameter in each.named_parameters():
                if parameter.numel():
                    if "weight" in name and "1." not in name:
                        torch_init.xavier_uniform_(parameter)
                    else:
                        parameter.normal_()
    with FullyShardedDataParallel.summon_full_params(model):
        return all(
            torch.equal(parameter, expected.get_parameter(name.replace("_fsdp_wrapped_module.", "")))
            for name, parameter in model.named_parameters()
        )


@pytest.mark.parametrize("world", [2, 3])
def test_fsdp1(world):
    assert spawn(world, flat) == [True] * world


PAGE = Path(__file__).parents[2] / "docs" / "distributed" / "pytorch_seeded.md"


def page(rank, world):
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    names = {"__name__": "page"}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnseededWarning)
        for block in blocks:
            exec(compile(block, str(PAGE), "exec"), names)
    bias = nn.functional.softplus(names["model"].dt_bias)
    return len(blocks), bool(((bias > 9.9e-4) & (bias < 0.101)).all())


def test_the_page_of_the_documentation_runs():
    assert spawn(2, page) == [(8, True)] * 2


def test_the_same_names_as_init_():
    """The rules and the model's own functions agree where they say the same."""
    one, two = nn.Sequential(nn.Linear(5, 7)), nn.Sequential(nn.Linear(5, 7))
    init_(one, SEED, rules='[[rule]]\nmatch = "*"\ninit = "normal(std=0.5)"\n')
    with seeded(two, SEED):
        for parameter in two.parameters():
            torch_init.normal_(parameter, std=0.5)
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter, two.get_parameter(name))


def refusals(rank, world):
    """What each rank raises for a parameter of which rank 0 alone holds an element."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    model = One(distribute_tensor(torch.zeros(1), init_device_mesh("cpu", (world,)), [Shard(0)]))
    texts = []
    for call in (torch_init.orthogonal_, lambda w: torch_init.sparse_(w, 0.5), torch_init.xavier_normal_):
        with seeded(model, SEED):
            try:
                call(model.w)
                texts.append("")
            except ValueError as error:
                texts.append(str(error))
    return texts


def test_ranks_that_hold_nothing_refuse_what_the_others_refuse():
    first, second = spawn(2, refusals)
    assert first == second and all(first)
