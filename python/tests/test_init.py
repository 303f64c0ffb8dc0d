"""`init_` gives every mesh the model that `seedbed init` writes into one file."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
import warnings
from collections import OrderedDict
from pathlib import Path

import mesh_models
import pytest
import seedbed
import torch
from mesh_models import MODELS, digest, fsdp2, gathered, materialise, on_meta, tensor_parallel
from ranks import spawn
from seedbed.torch import UnfilledBufferWarning, UntiedWarning, init_, manifest
from torch import nn

SEED = 42
PRESETS = {"torch": "pytorch", "llama": None, "gpt2": None}


def filled(model: nn.Module, name: str) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnfilledBufferWarning)
        return init_(model, SEED, preset=PRESETS[name])


def program() -> str:
    found = os.environ.get("SEEDBED_BIN")
    assert found, "set SEEDBED_BIN to the program: cargo build --release -p seedbed-cli"
    return found


def written(listing, *options: str, config=None) -> dict[str, torch.Tensor]:
    """The tensors that the program writes for a manifest."""
    from safetensors.torch import load_file

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.json").write_text(json.dumps(listing))
        if config is not None:
            Path(folder, "config.json").write_text(json.dumps(config, default=str))
        out = Path(folder, "out.safetensors")
        command = [program(), "init", Path(folder, "model.json"), "-o", out, "--seed", str(SEED), "--quiet", *options]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return load_file(out)


@functools.cache
def expected(name: str) -> str:
    """The digest of the program's file for a model."""
    model = on_meta(MODELS[name])
    preset = PRESETS[name]
    config = model.config.to_dict() if preset is None else None
    return digest(written(manifest(model), *(["--preset", preset] if preset else []), config=config))


def own(state, model) -> str:
    """The digest of the parameters that a manifest lists: a tied one once."""
    return digest({name: state[name] for name in manifest(model)["parameters"]})


def whole_fsdp1(model) -> dict[str, torch.Tensor]:
    from seedbed.torch._names import clean
    from torch.distributed.fsdp import FullyShardedDataParallel

    with FullyShardedDataParallel.summon_full_params(model, writeback=False, rank0_only=False):
        tensors = [*model.named_parameters(remove_duplicate=False), *model.named_buffers()]
        return {clean(name): tensor.detach().clone() for name, tensor in tensors}


def spread(rank: int, world: int) -> dict[str, str]:
    """The digest of each model under each kind of parallelism."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel, ShardingStrategy
    from torch.distributed.fsdp.wrap import ModuleWrapPolicy
    from torch.nn.parallel import DistributedDataParallel

    digests = {}
    for name, make in MODELS.items():
        listing = manifest(on_meta(make))

        def check(case: str, model: nn.Module, state=None, name=name, listing=listing):
            assert manifest(model) == listing, case
            filled(model, name)
            state = state(model) if state else gathered(model.state_dict())
            digests[f"{name}: {case}"] = digest({name: state[name] for name in listing["parameters"]})

        check("one device", materialise(on_meta(make)))

        model = DistributedDataParallel(materialise(on_meta(make)))
        check("DDP", model, lambda model: model.module.state_dict())

        mesh = init_device_mesh("cpu", (world,))
        model = on_meta(make)
        fsdp2(model, mesh)
        check("FSDP2", materialise(model))

        if model.tensor_parallel is not None:
            model = on_meta(make)
            tensor_parallel(model, mesh)
            check("tensor parallel", materialise(model))
        for shape in {1: [], 2: [(1, 2), (2, 1)], 4: [(2, 2), (1, 4)]}[world]:
            mesh = init_device_mesh("cpu", shape, mesh_dim_names=("dp", "tp"))
            model = on_meta(make)
            if model.tensor_parallel is not None:
                tensor_parallel(model, mesh["tp"])
            fsdp2(model, mesh["dp"])
            check(f"FSDP2 and tensor parallel {shape}", materialise(model))

        for use_orig_params in (True, False):
            for strategy in (ShardingStrategy.FULL_SHARD, ShardingStrategy.NO_SHARD):
                model = materialise(on_meta(make))
                policy = ModuleWrapPolicy({type(model.blocks()[0])})
                model = FullyShardedDataParallel(
                    model,
                    use_orig_params=use_orig_params,
                    sharding_strategy=strategy,
                    auto_wrap_policy=policy,
                    device_id=torch.device("cpu"),
                )
                case = f"FSDP1 {strategy.name} {use_orig_params=}"
                check(case, model, whole_fsdp1)
                with FullyShardedDataParallel.summon_full_params(model):
                    for parameter in model.parameters():
                        parameter.data.fill_(77)
                    filled(model, name)
                state = whole_fsdp1(model)
                digests[f"{name}: {case}, summoned"] = digest({n: state[n] for n in listing["parameters"]})
    return digests


@pytest.mark.parametrize("world", [1, 2, 4])
def test_one_hash_on_every_mesh(world):
    results = spawn(world, spread)
    assert all(result == results[0] for result in results)
    assert len(results[0]) == {1: 35, 2: 41, 4: 41}[world]
    different = {case: sha for case, sha in results[0].items() if sha != expected(case.split(":")[0])}
    assert not different, {name: expected(name) for name in MODELS}
