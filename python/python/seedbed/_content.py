"""Contents: what an initialiser makes of a tensor, whole or box by box, for `seedbed.jax` and `seedbed.keras`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seedbed import Init, Key, Region, fill
from seedbed._native import Filler

#: A box of a tensor: the start and the end of one range of indices in each dimension.
Box = Sequence[tuple[int, int]]

# The two families of PyTorch whose scale depends on the fans.
_FAMILIES = ("xavier_", "kaiming_")
# The names of the fans in an expression, such as `normal(std=1/sqrt(fan_in))`.
_FAN = re.compile(r"\bfan_(in|out)\b")


class Content:
    """What an initialiser makes of a tensor, with the fans that the initialiser itself counts."""

    def __init__(self, init: Init):
        self.init = init

    def __str__(self) -> str:
        return str(self.init)

    def needs_key(self) -> bool:
        """Whether the elements depend on the key."""
        return not str(self).startswith(("constant(", "zeros(", "ones("))

    def resolve(self, shape: tuple[int, ...]) -> Init:
        """The library's initialiser for a tensor of this shape."""
        return self.init

    def maker(self, shape: tuple[int, ...], dtype: np.dtype, key: Key) -> Callable[[Box], np.ndarray]:
        """A function that makes a box of the tensor, and no other elements.

        Orthogonal matrices are the exception, because each element depends on all others: the first call
        makes the whole tensor, and every call cuts a box out of it.
        """
        init, region = self.resolve(shape), Region(shape)
        # A mistake is an error here, and not where the first box is made.
        costs_as_the_whole = Filler(init, key).check(dtype.name, region)
        if costs_as_the_whole:
            return _cutter(lambda: fill(empty(shape, dtype), init, key))

        def make(box: Box) -> np.ndarray:
            part = empty([end - start for start, end in box], dtype)
            return fill(part, init, key, region=region.shard([start for start, _ in box], part.shape))

        return make


class WithAxes(Content):
    """An initialiser of PyTorch whose fans are counted along the axes that JAX's functions take."""

    def __init__(self, init: Init, in_axis: Any, out_axis: Any, batch_axis: Any):
        super().__init__(init)
        axes = (in_axis, out_axis, batch_axis)
        self.axes = tuple(axis if isinstance(axis, int) else tuple(axis) for axis in axes)

    def __str__(self) -> str:
        return f"{self.init}, in_axis={self.axes[0]}, out_axis={self.axes[1]}, batch_axis={self.axes[2]}"

    def resolve(self, shape: tuple[int, ...]) -> Init:
        inputs, outputs, batch = (_product(shape, axis) for axis in self.axes)
        size = math.prod(shape)
        # A tensor without elements needs no scale.
        field = size / inputs / outputs / batch if size else 1.0
        return Init(str(self.init), fans=(inputs * field, outputs * field))


class ForLayers(Content):
    """An initialiser given without axes, for the layers of JAX and Keras.

    PyTorch's families count the fans of `[out, in, k...]`, and kernels of JAX and Keras are `[k..., in,
    out]`. A shape for which the two layouts count differently is refused.
    """

    def __init__(self, init: Init, remedy: str):
        super().__init__(init)
        self.remedy = remedy

    def resolve(self, shape: tuple[int, ...]) -> Init:
        name = str(self.init)
        of_pytorch = not name.startswith(("jax::", "keras::"))
        has_fans = name.startswith(_FAMILIES) or of_pytorch and _FAN.search(name)
        is_symmetric = name.startswith("xavier_") and len(shape) == 2
        if has_fans and len(shape) >= 2 and not is_symmetric:
            raise ValueError(
                f"{name} counts the fans of PyTorch's layout [out, in, k...], and kernels of JAX and Keras "
                f"are [k..., in, out]; the shape is {list(shape)}. {self.remedy}"
            )
        return self.init


def content(init: str | Init, remedy: str | None = None) -> Content:
    """The content that a text or an `Init` describes.

    `remedy` is given for layers of JAX and Keras. The remedy ends the message where a text leaves the fans
    open.
    """
    if not isinstance(init, (str, Init)):
        what = type(init).__name__
        raise TypeError(f"an initialiser is a text such as 'normal(std=0.02)' or an Init, not {what}")
    if remedy is not None and isinstance(init, str):
        return ForLayers(Init(init), remedy)
    return Content(Init(init))


def with_axes(init: str | Init, in_axis: Any, out_axis: Any, batch_axis: Any) -> Content:
    """The content of an initialiser of PyTorch whose fans are counted along these axes."""
    fixed = content(init).init
    if not str(fixed).startswith(_FAMILIES):
        raise ValueError(
            f"{fixed} takes no axes here; xavier_... and kaiming_... do, and jax:: does in its text"
        )
    return WithAxes(fixed, in_axis, out_axis, batch_axis)


def empty(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Memory for a box, at a multiple of 64 bytes: JAX on the CPU copies memory at other addresses."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + 63, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def element_type(dtype: Any) -> np.dtype:
    """The numpy type."""
    if isinstance(dtype, str) and dtype == "bfloat16":
        # numpy knows the name only after this import.
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    try:
        return np.dtype(dtype)
    except TypeError:
        # Types of JAX that are none of numpy's, such as those of keys.
        raise ValueError(f"the type {dtype} is not supported; float32, float16 and bfloat16 are") from None


def _cutter(make_whole: Callable[[], np.ndarray]) -> Callable[[Box], np.ndarray]:
    whole: np.ndarray | None = None

    def make(box: Box) -> np.ndarray:
        nonlocal whole
        if whole is None:
            whole = make_whole()
        # A device may keep the memory that it gets, so a box is a copy.
        part = whole[tuple(slice(start, end) for start, end in box)]
        return part if part.shape == whole.shape else part.copy()

    return make


def _product(shape: tuple[int, ...], axes: int | tuple[int, ...]) -> int:
    axes = (axes,) if isinstance(axes, int) else axes
    for axis in axes:
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"axis {axis} is out of range for a tensor of {len(shape)} dimensions")
    return math.prod(shape[axis] for axis in axes)
