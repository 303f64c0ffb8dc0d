"""Views: which elements of a named tensor a view holds, and how they are filled."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

import torch

from seedbed import Region

from seedbed.torch._local import PIECE_BYTES, Grid, Part, Run, fill_part, made_as

__all__ = ["View", "view_of"]

Fill = Callable[[torch.Tensor, Region], object]


@dataclasses.dataclass(frozen=True)
class View:
    """A strided view into the part of a named tensor that this process holds.

    Element (i, j, ...) of the view is element `offset + i·strides[0] + j·strides[1] + ...` of the part, counted
    row-major in the part's own shape, whatever strides the memory has.
    """

    tensor: torch.Tensor
    part: Part
    offset: int
    strides: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the view has all elements of the part, in their order; the shape may be another."""
        return self.offset == 0 and self.tensor.numel() == self.part.where.size and self._is_contiguous()

    def fill(self, fill: Fill) -> None:
        """Fills the view by `fill(x, region)`. ValueError: the elements are no region of a part."""
        if self.tensor.numel() == 0:
            return
        box = self._box()
        if box is not None:
            fill_part(box, fill)
            return
        start = self._start()
        if start is None:
            raise ValueError(
                f"the view of shape {tuple(self.tensor.shape)} and strides {self.tensor.stride()} is no block of the "
                f"part of shape {self.part.where.local_shape} that this process holds of the tensor: initialise the "
                "whole tensor, or a block of it"
            )
        shape = self.part.where.shape
        if self._is_contiguous() and self.tensor.is_contiguous():
            first = start + self.offset
            run = Run(shape, first, first + self.tensor.numel())
            fill_part(Part(run, self.tensor.view(-1)), fill)
            return
        for piece, low, high in self._pieces():
            run = Run(shape, start + low, start + high)
            memory = torch.empty(run.size, dtype=made_as(piece.tensor.dtype), device="cpu")
            fill(memory, run.region())
            made = memory.as_strided(piece.tensor.shape, piece.strides, piece.offset - low)
            piece.tensor.copy_(made)

    def _is_contiguous(self) -> bool:
        return all(
            size == 1 or stride == expected
            for size, stride, expected in zip(self.tensor.shape, self.strides, _row_major(self.tensor.shape))
        )

    def _box(self) -> Part | None:
        """The view as a block of the part: some dimensions narrowed, single indices dropped, any order."""
        where, view = self.part.where, self.tensor
        local_shape = where.local_shape
        unit = _row_major(local_shape)
        index = _unravel(self.offset, unit)
        sizes = [1] * len(local_shape)
        order = []
        for dim, (size, stride) in enumerate(zip(view.shape, self.strides)):
            if size == 1:
                continue
            # A dimension of size 1 has the stride of another.
            matches = [axis for axis, step in enumerate(unit) if step == stride and local_shape[axis] > 1]
            if len(matches) != 1 or sizes[matches[0]] != 1 or index[matches[0]] + size > local_shape[matches[0]]:
                return None
            sizes[matches[0]] = size
            order.append((matches[0], dim))
        kept = view.as_strided(
            [view.shape[dim] for _, dim in sorted(order)], [view.stride(dim) for _, dim in sorted(order)]
        )
        for axis, size in enumerate(sizes):
            if size == 1:
                kept = kept.unsqueeze(axis)
        if isinstance(where, Run):
            start = where.start + index[0]
            return Part(Run(where.shape, start, start + sizes[0]), kept)
        for axis, size in enumerate(sizes):
            where = where.narrow(axis, index[axis], index[axis] + size)
        return Part(where, kept)

    def _start(self) -> int | None:
        """The index in the whole tensor of the part's first element, where the part is an interval of elements."""
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

    def _pieces(self) -> Iterator[tuple[View, int, int]]:
        """Views that make up this one, each with an interval of at most 16 MiB of the part that has its elements."""
        limit = PIECE_BYTES // made_as(self.tensor.dtype).itemsize
        reach = [(size - 1) * stride for size, stride in zip(self.tensor.shape, self.strides)]
        high = self.offset + sum(reach) + 1
        if high - self.offset <= limit:
            yield self, self.offset, high
            return
        # A single element never gets here, so the longest dimension has two indices or more.
        dim = max(range(len(reach)), key=reach.__getitem__)
        size = self.tensor.shape[dim]
        rows = max(1, min(size // 2, limit // self.strides[dim]))
        for start in range(0, size, rows):
            part = self.tensor.narrow(dim, start, min(rows, size - start))
            offset = self.offset + start * self.strides[dim]
            yield from View(part, self.part, offset, self.strides)._pieces()


def view_of(tensor: torch.Tensor, part: Part) -> View | None:
    """The view that a plain tensor is of a part whose storage it shares; None if it has other elements too.

    ValueError: a view with elements of the part, whose order no strides of the part's own dimensions describe.
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
    # The memory has other strides than the row-major ones, as in channels_last: each step in memory is taken apart
    # into steps along the part's dimensions.
    unit = _row_major(local.shape)
    axes = sorted((axis for axis in range(local.dim()) if local.shape[axis] > 1), key=local.stride, reverse=True)

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
            f"the view of shape {tuple(tensor.shape)} and strides {tensor.stride()} joins dimensions of a tensor of "
            f"shape {tuple(local.shape)} and strides {local.stride()}, which is not contiguous"
        )
    return View(tensor, part, sum(first[axis] * unit[axis] for axis in axes), tuple(strides))


def _row_major(shape: Sequence[int]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _unravel(offset: int, unit: Sequence[int]) -> list[int]:
    index = []
    for step in unit:
        first, offset = divmod(offset, step) if step else (0, offset)
        index.append(first)
    return index
