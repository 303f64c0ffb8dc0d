"""Views: which elements of a named tensor a view holds, and how they are filled.

`View` is a view of the memory that a plain tensor, or this process's part of a tensor, lies in. `Block` is a
view of a DTensor. Where a view cuts a dimension that is spread over processes, PyTorch makes a copy, so a
write into the view would be lost. A block knows which elements of the whole tensor were meant, and writes
those that this process holds.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import torch

from seedbed import Region
from seedbed.torch._parts import PIECE_BYTES, Grid, Part, Run, fill_part, made_as

__all__ = ["Block", "View", "block_of", "view_of"]

Fill = Callable[[torch.Tensor, Region], object]


@dataclasses.dataclass(frozen=True)
class View:
    """A strided view into the part of a named tensor that this process holds.

    Element (i, j, ...) of the view is element `offset + i·strides[0] + j·strides[1] + ...` of the part,
    counted row-major in the part's own shape, whatever strides the memory has.
    """

    tensor: torch.Tensor
    part: Part
    offset: int
    strides: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the view has all elements of the part, in their order; the shape may be another."""
        return self.offset == 0 and self.tensor.numel() == self.part.where.size and self._is_contiguous()

    def matrix(self) -> Part:
        """The view as a matrix of its own. ValueError: this process may hold a part of the matrix."""
        if self.part.where.size != math.prod(self.part.where.shape):
            raise ValueError(
                "an element depends on all of the matrix, and this process holds a part of the parameter: "
                "initialise the whole parameter, or initialise before it is distributed"
            )
        return Part(Grid.whole(self.tensor.shape), self.tensor)

    def fill(self, fill: Fill) -> None:
        """Fills the view by `fill(x, region)`. ValueError: no region has the view's elements in their order."""
        if self.tensor.numel() == 0:
            return
        if self.is_whole:
            fill_part(self.part, fill)
            return
        box = self._box()
        if box is not None:
            fill_part(box, fill)
            return
        start = self._start()
        if start is None:
            raise ValueError(
                f"the view of shape {tuple(self.tensor.shape)} and strides {self.tensor.stride()} is no "
                f"rectangular block of the part of shape {self.part.where.local_shape} that this process holds: "
                "initialise the whole tensor, or a rectangular block of it"
            )
        shape = self.part.where.shape
        if self._is_contiguous() and self.tensor.is_contiguous():
            first = start + self.offset
            run = Run(shape, first, first + self.tensor.numel())
            fill_part(Part(run, self.tensor.view(-1)), fill)
            return
        limit = max(1, PIECE_BYTES // made_as(self.tensor.dtype).itemsize)
        memory = torch.empty(min(limit, self._reach()), dtype=made_as(self.tensor.dtype), device="cpu")
        for piece in self._pieces(limit):
            run = Run(shape, start + piece.offset, start + piece.offset + piece._reach())
            fill(memory[: run.size], run.region())
            piece.tensor.copy_(memory.as_strided(piece.tensor.shape, piece.strides, 0))

    def _is_contiguous(self) -> bool:
        return all(
            size == 1 or stride == expected
            for size, stride, expected in zip(self.tensor.shape, self.strides, _row_major(self.tensor.shape))
        )

    def _box(self) -> Part | None:
        """The view as a box of the part: dimensions may be narrowed, dropped at one index, or in another order."""
        view = self.tensor
        box = _box(self.part.where.local_shape, self.offset, view.shape, self.strides)
        if box is None:
            return None
        kept = view.as_strided(
            [view.shape[dim] for dim in box.dims if dim is not None],
            [view.stride(dim) for dim in box.dims if dim is not None],
        )
        for axis, dim in enumerate(box.dims):
            if dim is None:
                kept = kept.unsqueeze(axis)
        where = self.part.where
        if isinstance(where, Run):
            start = where.start + box.starts[0]
            return Part(Run(where.shape, start, start + box.sizes[0]), kept)
        for axis, (start, size) in enumerate(zip(box.starts, box.sizes)):
            where = where.narrow(axis, start, start + size)
        return Part(where, kept)

    def _start(self) -> int | None:
        """The index of the part's first element, where the part is an interval of the whole tensor."""
        where = self.part.where
        if isinstance(where, Run):
            return where.start
        # An interval: single indices, then one span, then whole dimensions.
        cut = next((axis for axis, size in enumerate(where.local_shape) if size != 1), len(where.shape))
        if any(len(spans) != 1 for spans in where.axes):
            return None
        if where.local_shape[cut + 1 :] != where.shape[cut + 1 :]:
            return None
        return sum(spans[0][0] * step for spans, step in zip(where.axes, _row_major(where.shape)))

    def _reach(self) -> int:
        """The number of elements of the part from the view's first to its last."""
        return 1 + sum((size - 1) * stride for size, stride in zip(self.tensor.shape, self.strides))

    def _pieces(self, limit: int) -> Iterator[View]:
        """Views that make up this one, each of a reach of at most `limit` elements."""
        if self._reach() <= limit:
            yield self
            return
        # A single element never gets here, so the longest dimension has two indices or more.
        dim = max(range(self.tensor.dim()), key=lambda dim: (self.tensor.shape[dim] - 1) * self.strides[dim])
        size = self.tensor.shape[dim]
        rows = max(1, min(size // 2, limit // self.strides[dim]))
        for start in range(0, size, rows):
            part = self.tensor.narrow(dim, start, min(rows, size - start))
            yield from View(part, self.part, self.offset + start * self.strides[dim], self.strides)._pieces(
                limit
            )


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of a DTensor, and what this process holds of it."""

    # The shape of the DTensor, the shape of the view, and the index of the view's first element in the DTensor.
    whole: tuple[int, ...]
    shape: tuple[int, ...]
    offset: int
    box: _Box
    # What this process holds of the DTensor, and of the block; None where it holds nothing.
    part: Part | None
    here: Part | None

    @property
    def is_whole(self) -> bool:
        """Whether the block is all of the DTensor, its dimensions in their order."""
        return self.shape == self.whole == self.box.sizes and self.box.is_in_order

    def fill(self, fill: Fill) -> None:
        """Fills what this process holds of the block by `fill(x, region)`."""
        if self.here is not None:
            fill_part(self.here, fill)

    def set(self, value: float) -> None:
        """Writes a constant into what this process holds of the block."""
        if self.here is not None:
            self.here.local.fill_(value)

    def matrix(self) -> Part | None:
        """What this process holds of the block, as a part of a matrix of the view's shape.

        ValueError: the view does not have the dimensions of such a matrix.
        """
        axes = range(len(self.whole))
        if self.box.sizes != self.shape:
            # Single indices are no dimensions of the view.
            axes = [axis for axis in axes if self.box.dims[axis] is not None]
        if tuple(self.box.sizes[axis] for axis in axes) != self.shape or not self.box.is_in_order:
            raise ValueError(
                f"the view of shape {self.shape} does not have the dimensions of the DTensor of shape "
                f"{self.whole} in their order: initialise the whole parameter, or initialise before it is distributed"
            )
        if self.here is None:
            return None
        spans = self.here.where.axes
        starts = self.box.starts
        inside = tuple(
            tuple((low - starts[axis], high - starts[axis]) for low, high in spans[axis]) for axis in axes
        )
        local = self.here.local
        for axis in reversed(range(len(self.whole))):
            if axis not in axes:
                local = local.select(axis, 0)
        return Part(Grid(self.shape, inside), local)


def block_of(view: torch.Tensor, whole: tuple[int, ...], part: Part | None) -> Block:
    """The view of a DTensor as a block. ValueError: the view's elements are no box of the DTensor.

    `view` is the same view of a tensor of the shape `whole` on the device meta. It has the strides that the
    DTensor's own view does not keep. `part` is what this process holds of the DTensor.
    """
    shape, offset, strides = tuple(view.shape), view.storage_offset(), view.stride()
    box = _box(whole, offset, shape, strides)
    if box is None or (part is not None and not _is_ascending(part.where)):
        raise ValueError(
            f"the view of shape {shape} and strides {tuple(strides)} is no rectangular block of the DTensor of "
            f"shape {whole}: initialise the whole parameter, or a rectangular block of it"
        )
    if part is None:
        return Block(whole, shape, offset, box, None, None)
    where, local = part.where, part.local
    for axis, (start, size) in enumerate(zip(box.starts, box.sizes)):
        # The spans ascend, so the indices here that are in the block are neighbours.
        low, high = (_count_below(where.axes[axis], index) for index in (start, start + size))
        where = where.narrow(axis, low, high)
        local = local.narrow(axis, low, high - low)
    return Block(whole, shape, offset, box, part, Part(where, local) if where.size else None)


def view_of(tensor: torch.Tensor, part: Part) -> View | None:
    """A plain tensor that shares the part's storage, as a view of the part; None if it has other elements too.

    ValueError: the view has elements of the part only, but no strides of the part's own dimensions describe
    their order.
    """
    local = part.local
    offset = tensor.storage_offset() - local.storage_offset()
    if tensor.dtype != local.dtype:
        return None
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))
    end = sum((size - 1) * stride for size, stride in zip(local.shape, local.stride()))
    if offset < 0 or (tensor.numel() and offset + reach > end):
        return None
    if local.is_contiguous():
        return View(tensor, part, offset, tuple(tensor.stride()))
    # The memory has other strides than the row-major ones, as in channels_last: each step in memory is taken
    # apart into steps along the part's dimensions.
    unit = _row_major(local.shape)
    axes = sorted(
        (axis for axis in range(local.dim()) if local.shape[axis] > 1), key=local.stride, reverse=True
    )

    def steps(distance: int) -> dict[int, int] | None:
        taken = {}
        for axis in axes:
            taken[axis], distance = divmod(distance, local.stride(axis))
        return taken if distance == 0 else None

    first = steps(offset)
    if first is None:
        return None
    last = dict(first)
    strides = []
    for size, stride in zip(tensor.shape, tensor.stride()):
        step = steps(stride if size > 1 else 0)
        if step is None:
            return None
        strides.append(sum(step[axis] * unit[axis] for axis in axes))
        for axis in axes:
            last[axis] += (size - 1) * step[axis]
    if any(last[axis] >= local.shape[axis] for axis in axes):
        raise ValueError(
            f"the view of shape {tuple(tensor.shape)} and strides {tensor.stride()} joins dimensions of a "
            f"tensor of shape {tuple(local.shape)} and strides {local.stride()}, which is not contiguous"
        )
    return View(tensor, part, sum(first[axis] * unit[axis] for axis in axes), tuple(strides))


@dataclasses.dataclass(frozen=True)
class _Box:
    """A box of a tensor: for each axis the first index, the size, and the view's dimension or None."""

    starts: tuple[int, ...]
    sizes: tuple[int, ...]
    dims: tuple[int | None, ...]

    @property
    def is_in_order(self) -> bool:
        dims = [dim for dim in self.dims if dim is not None]
        return dims == sorted(dims)


def _box(whole: Sequence[int], offset: int, shape: Sequence[int], strides: Sequence[int]) -> _Box | None:
    """The view, by offset and row-major strides, as a box of a tensor of the shape `whole`; None if it is no box."""
    unit = _row_major(whole)
    starts = _unravel(offset, unit)
    sizes = [1] * len(whole)
    dims: list[int | None] = [None] * len(whole)
    for dim, (size, stride) in enumerate(zip(shape, strides)):
        if size == 1:
            continue
        # An axis of size 1 has the stride of another.
        axes = [axis for axis, step in enumerate(unit) if step == stride and whole[axis] > 1]
        if len(axes) != 1 or dims[axes[0]] is not None or starts[axes[0]] + size > whole[axes[0]]:
            return None
        sizes[axes[0]], dims[axes[0]] = size, dim
    return _Box(tuple(starts), tuple(sizes), tuple(dims))


def _is_ascending(where: Grid | Run) -> bool:
    """Whether the indices of a process ascend along each axis. torch's placements give no others."""
    return isinstance(where, Grid) and all(
        before[1] <= after[0] for spans in where.axes for before, after in itertools.pairwise(spans)
    )


def _count_below(spans: Sequence[tuple[int, int]], index: int) -> int:
    return sum(max(0, min(stop, index) - start) for start, stop in spans)


def _row_major(shape: Sequence[int]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _unravel(offset: int, unit: Sequence[int]) -> list[int]:
    index = []
    for step in unit:
        first, offset = divmod(offset, step) if step else (0, offset)
        index.append(first)
    return index
