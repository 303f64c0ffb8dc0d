"""Initialisers with the signature of `jax.nn.initializers`, and arrays that are made shard by shard.

    import seedbed.jax as sj

    nn.Dense(64, kernel_init=sj.lecun_normal())              # Flax; any place that takes a JAX initialiser
    w = sj.make((4096, 4096), sharding, "normal(std=0.02)", 42)  # each device's part alone
    params = sj.init_tree(shapes, 42, {"*kernel": sj.he_normal(), "*": "zeros()"})  # a key for each name

The distributions are those of JAX, and the random numbers are seedbed's: the same bits on every device, on any
number of devices, and on any mesh. The host makes the values.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seedbed import Init, Key
from seedbed._content import Box, Content, content, element_type, with_axes

__all__ = [
    "Initializer",
    "as_key",
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "init",
    "init_tree",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "make",
    "normal",
    "ones",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]


# ---- Keys


def as_key(key) -> Key:
    """The `seedbed.Key` of a key: of a `seedbed.Key` itself, of an int (the seed), or of a key of JAX.

    The first two words of a JAX key, high word first, are the seed, so `jax.random.key(42)` is `Key(42)`. The
    two words that the keys of the generator `rbg` have in addition are folded in. A raw `uint32` key counts
    as the typed key.
    """
    if isinstance(key, Key):
        return key
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        return Key(int(key))
    if isinstance(key, jax.core.Tracer):
        raise TypeError("a key inside jit or vmap has no value yet; as_key needs a key outside of them")
    # The key has a value, also where the surroundings are traced.
    with jax.ensure_compile_time_eval():
        return _key_of_words(np.asarray(_key_words(key)))


def _key_words(key) -> jax.Array:
    dtype = getattr(key, "dtype", None)
    if dtype is None:
        raise TypeError(f"a key is a seedbed.Key, an int, or a key of JAX, not {type(key).__name__}")
    words = jax.random.key_data(key) if jnp.issubdtype(dtype, jax.dtypes.prng_key) else key
    if words.dtype != np.uint32 or words.ndim != 1 or words.shape[0] not in (2, 4):
        raise TypeError(
            f"a key of JAX is a single key of two or four uint32 words, not an array of {dtype} with the "
            f"shape {tuple(key.shape)}; several keys go through jax.vmap, one at a time"
        )
    return words


def _key_of_words(words: np.ndarray) -> Key:
    pairs = [int(words[at]) << 32 | int(words[at + 1]) for at in range(0, len(words), 2)]
    key = Key(pairs[0])
    for pair in pairs[1:]:
        # An offset would be a position in the same stream, where two keys could overlap.
        key = key.fold_in(pair)
    return key


# ---- Initialisers


class Initializer:
    """An initialiser with JAX's signature, from `init` and the functions that have JAX's names.

    Two initialisers are equal if they make the same elements, so modules can have them as static fields.
    """

    def __init__(self, content: Content, dtype=None):
        self._content, self._dtype = content, dtype

    def __call__(self, key, shape, dtype=None, out_sharding=None) -> jax.Array:
        """The array. With `out_sharding`, as `make` takes it, each device's part is made alone.

        Under `jit` and `vmap` the host makes the whole array when the program runs (`jax.pure_callback`).
        """
        dtype = self._dtype if dtype is None else dtype
        dtype = element_type(jnp.float32 if dtype is None else dtype)
        shape = _shape(shape)
        # Outside of jit this is an array, inside of jit it is a tracer, also where the key is a plain number.
        traced = isinstance(key, jax.core.Tracer) or isinstance(jnp.zeros(()), jax.core.Tracer)
        if key is None and not self._content.needs_key():
            key = 0
        if not traced:
            return make(shape, out_sharding, self, key, dtype)
        return _traced(self._content, key, shape, dtype, out_sharding)

    def __repr__(self) -> str:
        dtype = "" if self._dtype is None else f", dtype={np.dtype(self._dtype).name}"
        return f"seedbed.jax.init({str(self._content)!r}{dtype})"

    def _identity(self):
        dtype = None if self._dtype is None else np.dtype(self._dtype)
        return type(self._content), str(self._content), dtype

    def __eq__(self, other) -> bool:
        return isinstance(other, Initializer) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())


_AXES = (
    "Give the axes to seedbed.jax.init (in_axis=-2, out_axis=-1 for such a kernel, in_axis=1, out_axis=0 for "
    "PyTorch's layout), or take one of jax::"
)


def init(init: str | Init, in_axis=None, out_axis=None, batch_axis=(), dtype=None) -> Initializer:
    """The initialiser of a text such as `"normal(std=0.02)"`, or of an `Init`, with JAX's signature.

    The texts `xavier_...` and `kaiming_...` are PyTorch's initialisers, which count the fans of PyTorch's
    layout `[out, in, k...]`. For JAX's kernels give the axes: `init("kaiming_normal()", in_axis=-2,
    out_axis=-1)`. Without axes a shape that the two layouts count differently is a ValueError.
    """
    if in_axis is None and out_axis is None and batch_axis == ():
        return Initializer(content(init, _AXES), dtype)
    in_axis, out_axis = -2 if in_axis is None else in_axis, -1 if out_axis is None else out_axis
    return Initializer(with_axes(init, in_axis, out_axis, batch_axis), dtype)


def variance_scaling(
    scale, mode, distribution, in_axis=-2, out_axis=-1, batch_axis=(), dtype=None
) -> Initializer:
    """`jax.nn.initializers.variance_scaling`."""
    arguments = f"scale={_number(scale)},mode={mode},distribution={distribution}"
    return init(f"jax::variance_scaling({arguments},{_axes(in_axis, out_axis, batch_axis)})", dtype=dtype)


def _family(name: str) -> Callable[..., Initializer]:
    def function(in_axis=-2, out_axis=-1, batch_axis=(), dtype=None) -> Initializer:
        return init(f"jax::{name}({_axes(in_axis, out_axis, batch_axis)})", dtype=dtype)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`jax.nn.initializers.{name}`."
    return function


glorot_normal = xavier_normal = _family("glorot_normal")
glorot_uniform = xavier_uniform = _family("glorot_uniform")
lecun_normal = _family("lecun_normal")
lecun_uniform = _family("lecun_uniform")
he_normal = kaiming_normal = _family("he_normal")
he_uniform = kaiming_uniform = _family("he_uniform")


def normal(stddev=1e-2, dtype=None) -> Initializer:
    """`jax.nn.initializers.normal`."""
    return init(f"normal(0,{_number(stddev)})", dtype=dtype)


def truncated_normal(stddev=1e-2, dtype=None, lower=-2.0, upper=2.0) -> Initializer:
    """`jax.nn.initializers.truncated_normal`: `lower` and `upper` count standard deviations."""
    bounds = f"{_number(lower * stddev)},{_number(upper * stddev)}"
    return init(f"trunc_normal(0,{_number(stddev)},{bounds})", dtype=dtype)


def uniform(scale=1e-2, dtype=None) -> Initializer:
    """`jax.nn.initializers.uniform`: uniform on [0, scale)."""
    return init(f"uniform(0,{_number(scale)})", dtype=dtype)


def constant(value, dtype=None) -> Initializer:
    """`jax.nn.initializers.constant` of one number."""
    return init(f"constant({_number(value)})", dtype=dtype)


def orthogonal(scale=1.0, column_axis=-1, dtype=None) -> Initializer:
    """`jax.nn.initializers.orthogonal`."""
    return init(f"jax::orthogonal({_number(scale)},{int(column_axis)})", dtype=dtype)


def delta_orthogonal(scale=1.0, column_axis=-1, dtype=None) -> Initializer:
    """`jax.nn.initializers.delta_orthogonal`. Each valid `column_axis` gives the same distribution."""
    if column_axis not in (-2, -1, 0, 1):
        raise ValueError(f"column_axis is {column_axis}; the matrix in the middle has the axes 0 and 1")
    return init(f"jax::delta_orthogonal({_number(scale)})", dtype=dtype)


zeros = init("zeros()")
ones = init("ones()")


# ---- Arrays


def make(shape, sharding, init: str | Init | Initializer, key, dtype=jnp.float32) -> jax.Array:
    """The array that `seedbed.fill` would make of this shape, with each device's part made alone.

    `sharding` is a `jax.sharding.Sharding`, a PartitionSpec under `jax.set_mesh`, a device, or `None` for the
    default device. Parts that several devices of the process hold are made once. A process of a multi-process
    program makes the parts of its own devices, without communication. `key` is what `as_key` takes.
    """
    shape, dtype = _shape(shape), element_type(dtype)
    return _make_parts(_content_of(init).maker(shape, dtype, as_key(key)), shape, sharding, dtype)


def init_tree(tree, key, init: Mapping[str, Any] | Callable[[str, Any], Any], *, sharding=None):
    """A tree of arrays, each made from the key of its own name, shard by shard.

    `tree` holds arrays or `jax.ShapeDtypeStruct`s, as `jax.eval_shape`, `nnx.eval_shape` and
    `eqx.filter_eval_shape` give them. The name of a leaf is its path, such as `params/Dense_0/kernel`, and
    `as_key(key).named(name)` is its key: other leaves, their order, devices and meshes do not matter.

    `init` maps patterns of names to initialisers, and the first pattern that fits decides (`*` fits any text,
    slashes too); or `init` is a function of the name and the leaf. An initialiser is one of this module, a
    text, an `Init`, or `None` to keep the leaf as it is.

    `sharding` is one sharding for all leaves, or a tree of them (a prefix of `tree`). Without it each leaf
    has the sharding that it brings. Leaves without a shape and a dtype, such as activation functions, stay as
    they are.
    """
    model = as_key(key)
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    if not callable(init) and not isinstance(init, Mapping):
        raise TypeError(
            f"init maps patterns of names to initialisers, or is a function of the name and the leaf: {{'*': ...}} "
            f"gives all leaves one initialiser; this is a {type(init).__name__}"
        )
    choose = init if callable(init) else _chooser(init)
    if sharding is None:
        shardings = [getattr(leaf, "sharding", None) for _, leaf in leaves]
    else:
        spread = jax.tree.broadcast(sharding, tree, is_leaf=_is_sharding)
        shardings = jax.tree.leaves(spread, is_leaf=_is_sharding)
    names: set[str] = set()
    makers: list[Callable[[], jax.Array] | None] = []
    # All mistakes are found before the first array is made.
    for (path, leaf), where in zip(leaves, shardings, strict=True):
        name = _name(path)
        chosen = choose(name, leaf) if hasattr(leaf, "shape") and hasattr(leaf, "dtype") else None
        if chosen is None:
            makers.append(None)
            continue
        if name in names:
            raise ValueError(f"two leaves have the name {name}, and would have the same key")
        names.add(name)
        try:
            makers.append(_leaf_maker(chosen, leaf, where, model.named(name)))
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from error
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    made = [maker() if maker else leaf for maker, (_, leaf) in zip(makers, leaves, strict=True)]
    return jax.tree_util.tree_unflatten(structure, made)


def _leaf_maker(chosen, leaf, sharding, key: Key) -> Callable[[], jax.Array]:
    shape, dtype = _shape(leaf.shape), element_type(leaf.dtype)
    sharding = _sharding(sharding)
    of_leaf = content(chosen, _AXES) if isinstance(chosen, str) else _content_of(chosen)
    maker = of_leaf.maker(shape, dtype, key)
    return lambda: _make_parts(maker, shape, sharding, dtype)


def _make_parts(
    maker: Callable[[Box], np.ndarray], shape: tuple[int, ...], sharding, dtype: np.dtype
) -> jax.Array:
    """The array whose parts `maker` makes."""
    sharding = _sharding(sharding)
    if sharding is None:
        return jnp.asarray(maker([(0, size) for size in shape]))
    parts: dict[tuple, np.ndarray] = {}

    def part(index) -> np.ndarray:
        box = tuple(axis.indices(size)[:2] for axis, size in zip(index, shape, strict=True))
        if box not in parts:
            parts[box] = maker(box)
        return parts[box]

    return jax.make_array_from_callback(shape, sharding, part, dtype=dtype)


def _chooser(patterns: Mapping[str, Any]) -> Callable[[str, Any], Any]:
    def choose(name: str, _leaf):
        for pattern, chosen in patterns.items():
            if fnmatch.fnmatchcase(name, pattern):
                return chosen
        raise ValueError(f"no pattern fits {name}; the patterns are {', '.join(patterns)}. None keeps a leaf")

    return choose


def _name(path) -> str:
    # Flax keeps a value with its metadata in an attribute `value`. Metadata does not change the name.
    while path and isinstance(path[-1], jax.tree_util.GetAttrKey) and path[-1].name == "value":
        path = path[:-1]
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _is_sharding(value) -> bool:
    return value is None or isinstance(value, (jax.sharding.Sharding, jax.sharding.PartitionSpec))


def _sharding(sharding):
    """The sharding with its devices: specs and abstract meshes take those of `jax.set_mesh`."""
    if isinstance(sharding, jax.Device):
        return jax.sharding.SingleDeviceSharding(sharding)
    if isinstance(sharding, jax.sharding.NamedSharding):
        if sharding.mesh.empty:
            return None
        if not isinstance(sharding.mesh, jax.sharding.AbstractMesh):
            return sharding
        spec = sharding.spec
    elif isinstance(sharding, jax.sharding.PartitionSpec):
        spec = sharding
    else:
        return sharding
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        raise ValueError(f"{sharding} names no devices: call jax.set_mesh, or give a NamedSharding of a Mesh")
    return jax.sharding.NamedSharding(mesh, spec)


def _traced(content: Content, key, shape, dtype: np.dtype, out_sharding) -> jax.Array:
    # A mistake in the shape is an error of the trace, and not one of the running program.
    fixed = None if isinstance(key, jax.core.Tracer) else as_key(key)
    content.maker(shape, dtype, fixed or Key(0))
    result = jax.ShapeDtypeStruct(shape, dtype)
    box = [(0, size) for size in shape]

    def host(*words) -> np.ndarray:
        made_of = fixed if fixed is not None else _key_of_words(np.asarray(words[0]))
        return content.maker(shape, dtype, made_of)(box)

    words = [] if fixed is not None else [_key_words(key)]
    array = jax.pure_callback(host, result, *words, vmap_method="sequential")
    if out_sharding is None:
        return array
    mesh = getattr(out_sharding, "mesh", None) or jax.sharding.get_abstract_mesh()
    explicit = jax.sharding.AxisType.Explicit in mesh.axis_types
    place = jax.sharding.reshard if explicit else jax.lax.with_sharding_constraint
    return place(array, out_sharding)


def _content_of(init: str | Init | Initializer) -> Content:
    if isinstance(init, Initializer):
        return init._content
    if callable(init):
        name = getattr(init, "__name__", type(init).__name__)
        raise TypeError(
            "an initialiser is one of seedbed.jax, called (he_normal()), a text such as 'normal(std=0.02)' or an "
            f"Init; this is the function {name}"
        )
    return content(init)


def _shape(shape) -> tuple[int, ...]:
    return tuple(int(size) for size in shape)


def _number(value) -> str:
    return repr(float(value))


def _axes(in_axis, out_axis, batch_axis) -> str:
    def text(axes) -> str:
        if isinstance(axes, (int, np.integer)):
            return str(int(axes))
        return f"({','.join(str(int(axis)) for axis in axes)})"

    return f"in_axis={text(in_axis)},out_axis={text(out_axis)},batch_axis={text(batch_axis)}"
