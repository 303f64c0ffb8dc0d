"""Runs a function in several processes that talk by gloo, as torchrun would, and returns what each returned."""

from __future__ import annotations

import os
import pickle
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def spawn(world: int, function: Callable[[int, int], Any]) -> list[Any]:
    """What `function(rank, world)` returns in each of the ranks. An error of a rank is raised here."""
    with tempfile.TemporaryDirectory() as folder:
        # One thread each: four processes share the cores of a small machine.
        os.environ.setdefault("RAYON_NUM_THREADS", "1")
        mp.spawn(_rank, (world, folder, function), world)
        return [pickle.loads(Path(folder, str(rank)).read_bytes()) for rank in range(world)]


def _rank(rank: int, world: int, folder: str, function: Callable[[int, int], Any]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    try:
        Path(folder, str(rank)).write_bytes(pickle.dumps(function(rank, world)))
        dist.barrier()
    except BaseException:
        # The other ranks wait for this one, and mp.spawn ends them.
        traceback.print_exc()
        raise
    dist.destroy_process_group()
