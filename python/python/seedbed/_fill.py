"""Fills of any array, by pieces that the native half can write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from seedbed import _memory
from seedbed._native import Filler, Init, Key, Region

if TYPE_CHECKING:
    from seedbed._memory import Memory

X = TypeVar("X")


def fill(
    x: X, init: str | Init, key: Key, *, region: Region | None = None, dtype: str | None = None
) -> X:
    """Write the values of an initialiser into ``x``, in place, and return ``x``.

    ``x`` is a numpy array or a tensor of PyTorch on the CPU, of float32, float16 or bfloat16; or an object with DLPack
    or the buffer protocol. ``dtype`` is the element type of raw bytes (``bytearray``, ``memoryview``, arrays of uint8
    or uint16). ``region`` says which part of a larger tensor ``x`` holds; by default ``x`` is a whole tensor.

    A wrong value raises ValueError, and an object that is no array raises TypeError. Nothing is written then.

    >>> import numpy as np
    >>> from seedbed import Key, Region, fill
    >>> fill(np.empty(4, np.float32), "arange()", Key(0))
    array([0., 1., 2., 3.], dtype=float32)
    >>> fill(np.empty((2, 2), np.float32), "arange()", Key(0), region=Region([4, 4]).shard([2, 1], [2, 2]))
    array([[ 9., 10.],
           [13., 14.]], dtype=float32)
    """
    if not isinstance(key, Key):
        raise TypeError(f"the key must be a seedbed.Key, not {type(key).__name__}; seedbed.Key(seed) makes one")
    write(x, Filler(Init(init), key), region, dtype)
    return x


def write(x: Any, filler: Filler, region: Region | None = None, dtype: str | None = None) -> None:
    """Write a region of what the filler makes into ``x``."""
    if region is not None and not isinstance(region, Region):
        raise TypeError(f"the region must be a seedbed.Region, not {type(region).__name__}")
    with _memory.of(x, dtype, region) as memory:
        if region is None:
            region = Region(memory.shape)
        _write(memory, filler, region)


def _write(memory: Memory, filler: Filler, region: Region) -> None:
    filler.check(memory.dtype, region)
    if region.size == 0:
        return
    filler.fill(memory.bytes, memory.dtype, region)
