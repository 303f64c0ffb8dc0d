"""Contents of whole tensors and of boxes of them, for `seedbed.jax` and `seedbed.keras`.

A content is an initialiser of the library, or one of the three that are composed of several fills and that the
rules of `seedbed init` know too: `jax::orthogonal`, `jax::delta_orthogonal` and `keras::orthogonal`.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from . import Init, Key, Region, fill

Box = Sequence[tuple[int, int]]
"""The start and the end of a part in each dimension."""

_ELEMENT_TYPES = ("float32", "float16", "bfloat16")
# The two families of PyTorch whose scale depends on the fans. All others that do are JAX's and Keras's.
_PYTORCH_FANS = ("xavier_", "kaiming_")


def element_type(dtype) -> np.dtype:
    """The numpy type, if the library can make its elements."""
    if isinstance(dtype, str) and dtype == "bfloat16":
        import ml_dtypes

        dtype = ml_dtypes.bfloat16
    dtype = np.dtype(dtype)
    if dtype.name not in _ELEMENT_TYPES:
        raise ValueError(
            f"elements of type {dtype.name} are not made; float32, float16 and bfloat16 are. "
            "Make float32 and convert it, or give such a parameter another initialiser"
        )
    return dtype


class Content:
    """An initialiser of the library, taken as it is."""

    def __init__(self, init: Init):
        self.init = init

    def __str__(self) -> str:
        return str(self.init)

    def needs_key(self) -> bool:
        """Whether the elements depend on the key."""
        return not str(self).startswith(("constant(", "zeros(", "ones("))

    def resolve(self, shape: Sequence[int]) -> Init:
        """The library's initialiser for a tensor of this shape."""
        return self.init

    def maker(self, shape: Sequence[int], dtype, key: Key) -> Callable[[Box], np.ndarray]:
        """A function that makes a box of the tensor. It makes nothing else, except for orthogonal matrices: each
        element of such a matrix depends on all others, so the first call makes the matrix and the next ones cut it.
        """
        init, dtype = self.resolve(shape), element_type(dtype)
        if str(init).startswith("orthogonal("):
            return _cutter(lambda: fill(np.empty(shape, dtype), init, key))
        region = Region(shape)

        def make(box: Box) -> np.ndarray:
            part = np.empty([end - start for start, end in box], dtype)
            whole = part.shape == tuple(shape)
            part_region = region if whole else region.shard([start for start, _ in box], part.shape)
            return fill(part, init, key, region=part_region)

        return make

    def whole(self, shape: Sequence[int], dtype, key: Key) -> np.ndarray:
        """The whole tensor."""
        return self.maker(shape, dtype, key)([(0, size) for size in shape])


class WithAxes(Content):
    """An initialiser of PyTorch, whose fans are counted along the axes that JAX's functions take."""

    def __init__(self, init: Init, in_axis, out_axis, batch_axis):
        super().__init__(init)
        self.axes = tuple(axis if isinstance(axis, int) else tuple(axis) for axis in (in_axis, out_axis, batch_axis))

    def __str__(self) -> str:
        return f"{self.init}, in_axis={self.axes[0]}, out_axis={self.axes[1]}, batch_axis={self.axes[2]}"

    def resolve(self, shape: Sequence[int]) -> Init:
        inputs, outputs, batch = (_product(shape, axis) for axis in self.axes)
        # A tensor without elements has no scale to compute.
        field = math.prod(shape) / inputs / outputs / batch if math.prod(shape) else 1.0
        return Init(str(self.init), fans=(float(inputs * field), float(outputs * field)))


class ForLayers(Content):
    """An initialiser given without axes. PyTorch's families count the fans of `[out, in, k...]`, and kernels of JAX
    and Keras are `[k..., in, out]`: a shape for which both layouts count differently is refused."""

    def resolve(self, shape: Sequence[int]) -> Init:
        name = str(self.init)
        symmetric = name.startswith("xavier_") and len(shape) == 2
        if name.startswith(_PYTORCH_FANS) and not symmetric and len(shape) >= 2:
            raise ValueError(
                f"{name} counts the fans of PyTorch's layout [out, in, k...], and kernels of JAX and Keras are "
                f"[k..., in, out]; the shape is {list(shape)}. Say which axes are meant (in_axis=-2, out_axis=-1 for "
                "such a kernel; in_axis=1, out_axis=0 for PyTorch's layout), or use one of jax:: or keras::"
            )
        return self.init


class Orthogonal(Content):
    """`jax::orthogonal` and `keras::orthogonal`: an orthogonal matrix whose columns lie along one axis."""

    def __init__(self, name: str, gain: float, column_axis: int):
        super().__init__(Init(f"orthogonal(gain={float(gain)!r})"))
        self.name, self.gain, self.column_axis = name, float(gain), int(column_axis)

    def __str__(self) -> str:
        if self.name.startswith("keras"):
            return f"{self.name}(gain={self.gain!r})"
        return f"{self.name}(scale={self.gain!r},column_axis={self.column_axis})"

    def maker(self, shape: Sequence[int], dtype, key: Key) -> Callable[[Box], np.ndarray]:
        dtype = element_type(dtype)
        rank = len(shape)
        if rank < 2:
            raise ValueError(f"{self.name} needs two dimensions or more; the shape is {list(shape)}")
        axis = self.column_axis + rank if self.column_axis < 0 else self.column_axis
        if not 0 <= axis < rank:
            raise ValueError(f"the axis {self.column_axis} is out of range for a tensor of {rank} dimensions")

        def matrix() -> np.ndarray:
            outer, units, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
            if inner == 1:
                return fill(np.empty((outer, units), dtype), self.init, key).reshape(shape)
            # The same matrix as the rule `jax::orthogonal(column_axis=...)` of `seedbed init`, one unit to a row.
            rows = fill(np.empty((units, outer * inner), dtype), self.init, key)
            return rows.reshape(units, outer, inner).transpose(1, 0, 2).reshape(shape)

        return _cutter(lambda: matrix() if math.prod(shape) else np.empty(shape, dtype))


class DeltaOrthogonal(Content):
    """`jax::delta_orthogonal`: an orthogonal matrix in the middle of a kernel `[k..., in, out]`, zeros around it."""

    def __init__(self, scale: float, column_axis: int):
        super().__init__(Init(f"orthogonal(gain={float(scale)!r})"))
        self.scale = float(scale)
        self.matrix = Orthogonal("jax::orthogonal", scale, column_axis)

    def __str__(self) -> str:
        axis = self.matrix.column_axis
        return f"jax::delta_orthogonal(scale={self.scale!r}{'' if axis == -1 else f',column_axis={axis}'})"

    def maker(self, shape: Sequence[int], dtype, key: Key) -> Callable[[Box], np.ndarray]:
        if len(shape) not in (3, 4, 5):
            raise ValueError(f"jax::delta_orthogonal needs three to five dimensions; the shape is {list(shape)}")
        if shape[-1] < shape[-2]:
            raise ValueError(f"jax::delta_orthogonal needs no more inputs than outputs; the shape is {list(shape)}")
        centre = [max(size - 1, 0) // 2 for size in shape[:-2]]
        matrix = self.matrix.maker(shape[-2:], dtype, key)

        def make(box: Box) -> np.ndarray:
            part = np.zeros([end - start for start, end in box], element_type(dtype))
            if part.size and all(start <= at < end for at, (start, end) in zip(centre, box)):
                part[tuple(at - start for at, (start, _) in zip(centre, box))] = matrix(box[-2:])
            return part

        return make


def _cutter(make_whole: Callable[[], np.ndarray]) -> Callable[[Box], np.ndarray]:
    whole = None

    def make(box: Box) -> np.ndarray:
        nonlocal whole
        if whole is None:
            whole = make_whole()
        # Devices may keep the memory that they get, so no part is a view of another one.
        part = whole[tuple(slice(start, end) for start, end in box)]
        return part if part.shape == whole.shape else part.copy()

    return make


def _product(shape: Sequence[int], axes) -> int:
    axes = (axes,) if isinstance(axes, int) else axes
    for axis in axes:
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"axis {axis} is out of range for a tensor of {len(shape)} dimensions")
    return math.prod(shape[axis] for axis in axes)


def _jax_orthogonal(scale=1.0, column_axis=-1):
    return Orthogonal("jax::orthogonal", scale, column_axis)


def _jax_delta_orthogonal(scale=1.0, column_axis=-1):
    return DeltaOrthogonal(scale, column_axis)


def _keras_orthogonal(gain=1.0):
    return Orthogonal("keras::orthogonal", gain, -1)


_COMPOSED = {
    "jax::orthogonal": _jax_orthogonal,
    "jax::delta_orthogonal": _jax_delta_orthogonal,
    "keras::orthogonal": _keras_orthogonal,
}
_CALL = re.compile(r"\s*(\w+::\w+)\s*(\(.*\))?\s*", re.DOTALL)


def composed(text: str) -> Content | None:
    """The content of a text that names a composed initialiser, `None` for all other texts."""
    match = _CALL.fullmatch(text)
    function = match and _COMPOSED.get(match[1])
    if not function:
        return None
    try:
        call = ast.parse(f"f{match[2] or '()'}", mode="eval").body
        arguments = [ast.literal_eval(argument) for argument in call.args]
        return function(*arguments, **{k.arg: ast.literal_eval(k.value) for k in call.keywords})
    except (SyntaxError, TypeError, ValueError, AttributeError) as error:
        what = str(error).replace(function.__name__ + "()", match[1])
        raise ValueError(f"{text!r} is not an initialiser: {what}") from None


def content(init: str | Init, in_axis=None, out_axis=None, batch_axis=(), *, layers: bool = True) -> Content:
    """The content that a text or an `Init` describes. `layers`: the shapes are those of JAX's or Keras's layers."""
    if isinstance(init, str):
        known = composed(init)
        text = str(known) if known else str(Init(init))
    elif isinstance(init, Init):
        known, text = None, str(init)
    else:
        raise TypeError(f"an initialiser is a text such as 'normal(std=0.02)' or an Init, not {type(init).__name__}")
    if in_axis is None and out_axis is None and batch_axis == ():
        if known or isinstance(init, Init):
            return known or Content(init)
        return ForLayers(Init(init)) if layers else Content(Init(init))
    if known or not text.startswith(_PYTORCH_FANS):
        raise ValueError(f"{text} takes no axes here; xavier_... and kaiming_... do, and jax:: takes axes in its text")
    return WithAxes(Init(text), -2 if in_axis is None else in_axis, -1 if out_axis is None else out_axis, batch_axis)
