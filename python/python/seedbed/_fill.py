"""Fills of any array, in pieces that the native half can write."""

from __future__ import annotations

import itertools
from typing import Any, Iterator, TypeVar

import numpy as np

from seedbed import _memory
from seedbed._memory import Memory
from seedbed._native import Filler, Init, Key, Region

X = TypeVar("X")

#: The fewest elements of a piece that is worth a call of its own.
MIN_PIECE = 1 << 14
#: The most elements of a piece that is made in other memory, and then copied.
MAX_COPIED = 1 << 20


def fill(x: X, init: str | Init, key: Key, *, region: Region | None = None, dtype: str | None = None) -> X:
    """Write the values of an initialiser into ``x``, in place, and return ``x``.

    ``x`` is a numpy array or a tensor of PyTorch on the CPU, of float32, float16 or bfloat16; or an object with DLPack
    or the buffer protocol. ``dtype`` is the element type of raw bytes (``bytearray``, ``memoryview``, arrays of uint8
    or uint16). ``region`` says which part of a larger tensor ``x`` holds; by default ``x`` is a whole tensor.

    A value depends on the initialiser, the key, the shape of the whole tensor, the element type and the element's index
    in the whole tensor, and on nothing else, such as the strides of ``x``. Negative strides and broadcast arrays are
    refused.

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
        raise TypeError(
            f"the key must be a seedbed.Key, not {type(key).__name__}; seedbed.Key(seed) makes one"
        )
    write(x, Filler(Init(init), key), region, dtype)
    return x


def write(x: Any, filler: Filler, region: Region | None = None, dtype: str | None = None) -> None:
    """Write a region of what the filler makes into ``x``."""
    if region is not None and not isinstance(region, Region):
        raise TypeError(f"the region must be a seedbed.Region, not {type(region).__name__}")
    memory = _memory.of(x, dtype)
    shape = (memory.count,) if memory.shape is None else memory.shape
    if region is None:
        region = Region(shape)
    if memory.shape is None or region.is_elements:
        if memory.count != region.size:
            raise ValueError(f"the array has {memory.count} elements, and the region {region.size}")
        if not memory.is_contiguous:
            raise ValueError("a range of elements needs a contiguous array; fill one and copy the values")
    elif shape != region.local_shape:
        raise ValueError(f"the array has the shape {list(shape)}, and the region {list(region.local_shape)}")
    # All that can be refused is refused here, before the first piece is written.
    is_whole = filler.check(memory.dtype, region)
    if memory.count == 0:
        return
    try:
        _write(memory, filler, region, is_whole)
    finally:
        memory.written()


def _write(memory: Memory, filler: Filler, region: Region, is_whole: bool) -> None:
    if memory.shape is None or memory.is_contiguous:
        filler.fill(memory.bytes, memory.dtype, region)
        return
    shape, strides, itemsize = memory.shape, memory.strides, memory.itemsize
    outer, pitch = _rows(shape, strides, itemsize)
    pieces = _memory.product(shape[:outer])
    if pieces == 1:
        filler.fill(memory.bytes, memory.dtype, region, pitch)
    elif outer < len(shape) and memory.count // pieces >= MIN_PIECE and not is_whole:
        inner = shape[outer:]
        for index in itertools.product(*map(range, shape[:outer])):
            first = sum(i * stride for i, stride in zip(index, strides))
            piece = region.cut((*index, *(0 for _ in inner)), (*(1 for _ in index), *inner))
            filler.fill(memory.bytes[first:], memory.dtype, piece, pitch)
    else:
        # The bits are copied, whatever their type.
        bits = np.dtype(f"u{itemsize}")
        destination: np.ndarray = np.ndarray(shape, bits, memory.bytes, strides=strides)
        copied = memory.count if is_whole else MAX_COPIED
        scratch = np.empty(min(copied, memory.count) * itemsize, np.uint8)
        for start, extent in _boxes(shape, copied):
            made = scratch[: _memory.product(extent) * itemsize]
            filler.fill(made, memory.dtype, region.cut(start, extent))
            at = tuple(slice(i, i + n) for i, n in zip(start, extent, strict=True))
            destination[at] = made.view(bits).reshape(extent)


def _rows(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[int, int | None]:
    """How many dimensions are outer: at one index of them, the inner dimensions are rows with one pitch, in bytes.

    A row is the last dimension. The pitch is None where the rows have no gaps between them. All dimensions are outer if
    the elements of a row have gaps between them.
    """
    rank = len(shape)
    if rank == 0 or (shape[-1] > 1 and strides[-1] != itemsize):
        return rank, None
    expected, rows, pitch = shape[-1] * itemsize, 1, None
    for dimension in range(rank - 2, -1, -1):
        if shape[dimension] == 1:
            continue
        if strides[dimension] != expected:
            # The first gap may be the gap between rows.
            if rows > 1 or strides[dimension] % itemsize != 0:
                return dimension + 1, pitch
            pitch = expected = strides[dimension]
        rows *= shape[dimension]
        expected *= shape[dimension]
    return 0, pitch


def _boxes(shape: tuple[int, ...], most: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Boxes that make up an array and have ``most`` elements or fewer, as start and shape."""
    axis = 0
    while _memory.product(shape[axis + 1 :]) > most:
        axis += 1
    step = max(1, most // _memory.product(shape[axis + 1 :]))
    rest = shape[axis + 1 :]
    for index in itertools.product(*map(range, shape[:axis])):
        for at in range(0, shape[axis], step):
            start = (*index, at, *(0 for _ in rest))
            yield start, (*(1 for _ in index), min(step, shape[axis] - at), *rest)
