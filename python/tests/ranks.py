"""Runs a function in several processes that talk by gloo, as those of torchrun do."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

# A server imports these modules once for the whole run, and forks the ranks. Each rank would need seconds for them.
PRELOAD = [
    "torch",
    "torch.distributed.checkpoint",
    "torch.distributed.fsdp",
    "torch.distributed.tensor.parallel",
    "seedbed.torch",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.llama.modeling_llama",
]


def spawn(world: int, function: Callable[[int, int], Any]) -> list[Any]:
    """What `function(rank, world)` returns in each of the ranks. An error of a rank is raised here."""
    # One thread each: four processes share the cores of a small machine.
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    installed = [name for name in PRELOAD if importlib.util.find_spec(name.split(".")[0])]
    multiprocessing.get_context("forkserver").set_forkserver_preload(installed)
    with tempfile.TemporaryDirectory() as folder:
        mp.start_processes(_rank, (world, folder, function), world, start_method="forkserver")
        return [pickle.loads(Path(folder, str(rank)).read_bytes()) for rank in range(world)]


def _rank(rank: int, world: int, folder: str, function: Callable[[int, int], Any]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    Path(folder, str(rank)).write_bytes(pickle.dumps(function(rank, world)))
    dist.barrier()
    dist.destroy_process_group()
