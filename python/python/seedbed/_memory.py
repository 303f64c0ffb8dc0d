"""The memory of any array: its bytes, shape, strides and element type, without a copy."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterator

import numpy as np

if TYPE_CHECKING:
    from seedbed._native import Region

#: The element types that fills write, and their sizes in bytes.
FLOATS = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass
class Memory:
    """The memory of an array."""

    #: All bytes from the first to the last of the array, as a one-dimensional array of uint8.
    bytes: np.ndarray
    dtype: str
    shape: tuple[int, ...]
    #: In bytes.
    strides: tuple[int, ...]


@contextmanager
def of(x: Any, dtype: str | None, region: Region | None) -> Iterator[Memory]:
    """The memory of ``x``. Raises TypeError or ValueError for what no fill can write."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        yield _torch(torch, x)
        torch.autograd.graph.increment_version(x)
    elif isinstance(x, np.ndarray):
        yield _numpy(x)
    else:
        raise TypeError(f"{type(x).__name__} is no array whose memory a fill can write")


def _numpy(x: np.ndarray) -> Memory:
    if not x.flags.writeable:
        raise ValueError("the array is read-only")
    if not x.flags.c_contiguous:
        raise ValueError("the array is not contiguous")
    return Memory(x.reshape(-1).view(np.uint8), x.dtype.name, x.shape, x.strides)


def _torch(torch: Any, x: Any) -> Memory:
    if x.device.type != "cpu":
        raise ValueError(f"the tensor is on the device {x.device}; seedbed.torch.fill_ fills it")
    if not x.is_contiguous():
        raise ValueError("the tensor is not contiguous")
    dtype = str(x.dtype).removeprefix("torch.")
    size = x.element_size()
    start = x.storage_offset() * size
    raw = torch.empty(0, dtype=torch.uint8, device="cpu")
    raw.set_(x.untyped_storage(), start, (x.numel() * size,), (1,))
    return Memory(raw.numpy(), dtype, tuple(x.shape), tuple(size * stride for stride in x.stride()))
