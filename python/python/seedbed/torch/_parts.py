"""Parts of logical tensors, and how a part is filled.

A part is a plain tensor of this process's memory, and which elements of the logical tensor it holds: a `Grid`, the
outer product of index ranges, or a `Run`, an interval of the row-major elements.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import torch

from seedbed import Region

__all__ = ["FLOATS", "PIECE_BYTES", "Grid", "Part", "Run", "Span", "fill_part", "made_as", "narrowed"]

# The most bytes of a piece that is made on the host for a tensor that the library can't write itself.
PIECE_BYTES = 16 << 20

# Tests set this, so that every tensor is made in pieces, as on a GPU.
_always_in_pieces = False

# The element types that the library writes. float64 is made as float32 and widened.
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)

Span = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Grid:
    """The outer product of index ranges: `axes` has a list of (start, stop) for each dimension of `shape`."""

    shape: tuple[int, ...]
    axes: tuple[tuple[Span, ...], ...]

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Grid:
        shape = tuple(shape)
        return cls(shape, tuple(((0, size),) for size in shape))

    @property
    def local_shape(self) -> tuple[int, ...]:
        return tuple(sum(stop - start for start, stop in spans) for spans in self.axes)

    @property
    def size(self) -> int:
        return math.prod(self.local_shape)

    def region(self) -> Region:
        whole = Region(list(self.shape))
        if self.axes == Grid.whole(self.shape).axes:
            return whole
        if all(len(spans) == 1 for spans in self.axes):
            return whole.shard([spans[0][0] for spans in self.axes], list(self.local_shape))
        return whole.ranges([list(spans) for spans in self.axes])

    def narrow(self, dim: int, start: int, stop: int) -> Grid:
        """The indices `start..stop` of this grid's own dimension `dim`, as `torch.Tensor.narrow` counts them."""
        axes = list(self.axes)
        axes[dim] = narrowed(axes[dim], start, stop)
        return Grid(self.shape, tuple(axes))

    def cut(self, limit: int) -> Iterator[tuple[tuple[slice, ...], Grid]]:
        """Grids of at most `limit` elements that make up this grid, each with its place in the local tensor."""
        local = self.local_shape
        dim, row = len(local), 1
        while dim > 0 and row * local[dim - 1] <= limit:
            dim -= 1
            row *= local[dim]
        if dim == 0:
            yield (), self
            return
        dim -= 1
        rows = max(1, limit // row)
        for lead in itertools.product(*map(range, local[:dim])):
            grid = self
            for outer, index in enumerate(lead):
                grid = grid.narrow(outer, index, index + 1)
            place = tuple(slice(index, index + 1) for index in lead)
            for start in range(0, local[dim], rows):
                stop = min(start + rows, local[dim])
                yield (*place, slice(start, stop)), grid.narrow(dim, start, stop)


@dataclasses.dataclass(frozen=True)
class Run:
    """An interval of a tensor's row-major elements, which the local tensor holds as one dimension."""

    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def local_shape(self) -> tuple[int, ...]:
        return (self.stop - self.start,)

    @property
    def size(self) -> int:
        return self.stop - self.start

    def region(self) -> Region:
        return Region(list(self.shape)).elements(self.start, self.stop)

    def cut(self, limit: int) -> Iterator[tuple[tuple[slice, ...], Run]]:
        """Intervals of at most `limit` elements that make up this one, each with its place in the local tensor."""
        for start in range(self.start, self.stop, limit):
            stop = min(start + limit, self.stop)
            yield (slice(start - self.start, stop - self.start),), Run(self.shape, start, stop)


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a logical tensor, and the plain tensor of this process that holds the part."""

    where: Grid | Run
    local: torch.Tensor

    @property
    def region(self) -> Region:
        return self.where.region()


def made_as(dtype: torch.dtype) -> torch.dtype:
    """The element type that is made for a tensor of this type."""
    return torch.float32 if dtype == torch.float64 else dtype


def fill_part(part: Part, fill: Callable[[torch.Tensor, Region], object], *, whole: bool = False) -> None:
    """Fills the part's local tensor by `fill(x, region)`, which writes a contiguous tensor `x` in host memory.

    The library writes a contiguous tensor of the host in place. Any other tensor (of a GPU, strided, of float64) is
    made in host memory, in pieces of at most PIECE_BYTES, which are copied. `whole` makes the part in one piece,
    because an orthogonal matrix costs the same for one row as for all rows.
    """
    local = part.local
    dtype = made_as(local.dtype)
    in_place = local.device.type == "cpu" and local.is_contiguous() and dtype == local.dtype
    if in_place and not _always_in_pieces:
        fill(local, part.region)
        return
    limit = part.where.size if whole else max(1, PIECE_BYTES // dtype.itemsize)
    memory = torch.empty(min(limit, part.where.size), dtype=dtype, device="cpu")
    for place, where in part.where.cut(limit):
        piece = memory[: where.size].view(where.local_shape)
        fill(piece, where.region())
        local[place].copy_(piece)


def narrowed(spans: Sequence[Span], start: int, stop: int) -> tuple[Span, ...]:
    """The indices `start..stop` of those that the spans list."""
    kept = []
    before = 0
    for low, high in spans:
        first = max(low, low + start - before)
        last = min(high, low + stop - before)
        if first < last:
            kept.append((first, last))
        before += high - low
    return tuple(kept) or ((0, 0),)
