"""Tests of `seedbed.jax`: the same bits as `seedbed.fill`, JAX's distributions, and any mesh."""

import json
import os
import socket
import subprocess
import sys
import textwrap

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402
from jax.nn import initializers as theirs  # noqa: E402

import seedbed  # noqa: E402
import seedbed.jax as sj  # noqa: E402
from seedbed import Init, Key, _content, fill  # noqa: E402


def whole(shape, init, key, dtype="float32"):
    return fill(np.empty(shape, _content.element_type(dtype)), init, key)


def assert_same(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    assert actual.tobytes() == expected.tobytes()


# ---- Keys


def test_keys_of_jax_map_to_keys():
    assert sj.as_key(42) == sj.as_key(np.int64(42)) == sj.as_key(Key(42)) == Key(42)
    assert sj.as_key(Key(1, 2)) == Key(1, 2)
    assert sj.as_key(jax.random.key(42)) == sj.as_key(jax.random.PRNGKey(42)) == Key(42)
    child = jax.random.split(jax.random.key(7))[1]
    high, low = (int(word) for word in jax.random.key_data(child))
    assert sj.as_key(child) == Key(high << 32 | low)
    assert sj.as_key(jax.random.key(42, impl="rbg")) == Key(42).fold_in(42)


def test_other_keys_are_errors():
    for bad in ["42", 1.5, True, None, np.zeros(2, np.float32), jax.random.split(jax.random.key(0), 3)]:
        with pytest.raises(TypeError, match="a key"):
            sj.as_key(bad)
    with pytest.raises(TypeError, match="jit"):
        jax.jit(lambda key: sj.as_key(key) and 0)(jax.random.key(0))


def test_init_tree_refuses_what_is_no_initialiser():
    tree = {"kernel": jax.ShapeDtypeStruct((2, 3), jnp.float32)}
    with pytest.raises(TypeError, match="maps patterns of names .* this is a str"):
        sj.init_tree(tree, 1, "normal()")
    with pytest.raises(TypeError, match="kernel: .* called .* this is the function he_normal"):
        sj.init_tree(tree, 1, {"*": sj.he_normal})


# ---- Initialisers

FUNCTIONS = [
    ("glorot_normal", (), "jax::glorot_normal()"),
    ("glorot_uniform", (), "jax::glorot_uniform()"),
    ("xavier_normal", (), "jax::glorot_normal()"),
    ("xavier_uniform", (), "jax::glorot_uniform()"),
    ("lecun_normal", (), "jax::lecun_normal()"),
    ("lecun_uniform", (), "jax::lecun_uniform()"),
    ("he_normal", (), "jax::he_normal()"),
    ("he_uniform", (), "jax::he_uniform()"),
    ("kaiming_normal", (), "jax::he_normal()"),
    ("kaiming_uniform", (), "jax::he_uniform()"),
    ("glorot_normal", (0, (1, 2)), "jax::glorot_normal(in_axis=0,out_axis=(1,2))"),
    ("he_uniform", (-2, -1, 0), "jax::he_uniform(batch_axis=0)"),
    ("variance_scaling", (0.5, "fan_geo_avg", "normal"), "jax::variance_scaling(0.5,fan_geo_avg,normal)"),
    ("variance_scaling", (2, "fan_out", "uniform"), "jax::variance_scaling(2,fan_out,uniform)"),
    (
        "variance_scaling",
        (1, "fan_in", "truncated_normal"),
        "jax::variance_scaling(1,fan_in,truncated_normal)",
    ),
    ("normal", (), "normal(0,0.01)"),
    ("normal", (3.0,), "normal(0,3)"),
    ("uniform", (), "uniform(0,0.01)"),
    ("uniform", (2.0,), "uniform(0,2)"),
    ("truncated_normal", (), "trunc_normal(0,0.01,-0.02,0.02)"),
    ("truncated_normal", (2.0, None, -1.0, 3.0), "trunc_normal(0,2,-2,6)"),
    ("constant", (-7,), "constant(-7)"),
]


@pytest.mark.parametrize(("name", "arguments", "text"), FUNCTIONS)
def test_functions_make_what_the_library_makes(name, arguments, text):
    init, shape = getattr(sj, name)(*arguments), (6, 5, 8)
    for dtype in ["float32", "float16", "bfloat16"]:
        expected = whole(shape, text, Key(42), dtype)
        assert_same(init(jax.random.key(42), shape, jnp.dtype(dtype)), expected)
        assert_same(init(Key(42), shape, dtype), expected)
    assert init(42, shape).dtype == jnp.float32


@pytest.mark.parametrize(("name", "arguments", "text"), FUNCTIONS)
def test_distributions_are_those_of_jax(name, arguments, text):
    n, shape = 240_000, (40, 60, 100)
    a = np.sort(np.asarray(getattr(sj, name)(*arguments)(1, shape)).ravel())
    b = np.sort(np.asarray(getattr(theirs, name)(*arguments)(jax.random.key(2), shape)).ravel())
    if name == "constant":
        return assert_same(a, b)
    # Kolmogorov and Smirnov's distance of two samples of one distribution is above this bound once in 10^6.
    both = np.concatenate([a, b])
    distance = np.abs(np.searchsorted(a, both, "right") - np.searchsorted(b, both, "right")).max() / n
    assert distance < 2.7 * np.sqrt(2 / n)
    assert np.isclose(a.std(), b.std(), rtol=0.01)
    if "uniform" in text or "trunc" in text:
        assert np.isclose([a[0], a[-1]], [b[0], b[-1]], rtol=0.02, atol=0.001 * b[-1]).all()


def test_zeros_and_ones_are_initialisers_themselves():
    for key in [None, 3, jax.random.key(0)]:
        assert_same(sj.zeros(key, (2, 3)), np.zeros((2, 3), np.float32))
        assert_same(sj.ones(key, (2, 3), jnp.bfloat16), np.ones((2, 3), jnp.bfloat16))
    with pytest.raises(TypeError, match="a key"):
        sj.normal()(None, (2,))


def test_shapes_without_dimensions_or_elements():
    for shape in [(), (0,), (3, 0), (1, 1)]:
        assert sj.normal()(1, shape).shape == shape
        assert sj.make(shape, None, "ones()", 1).shape == shape


def test_the_type_of_the_builder_counts_where_the_call_names_none():
    assert sj.normal(dtype=jnp.bfloat16)(1, (4,)).dtype == jnp.bfloat16
    assert sj.normal(dtype=jnp.bfloat16)(1, (4,), jnp.float16).dtype == jnp.float16
    for dtype in [jnp.complex64, np.float64, jnp.float8_e4m3fn, jax.random.key(0).dtype]:
        with pytest.raises(ValueError, match="not supported"):
            sj.normal()(1, (4,), dtype)
    with pytest.raises(ValueError, match="makes no I32"):
        sj.normal()(1, (4,), jnp.int32)
    assert_same(sj.ones(1, (4,), jnp.int32), np.ones(4, np.int32))


def test_orthogonal_as_jax_lays_it_out():
    for axis in [-1, 0, 1]:
        w = np.asarray(sj.orthogonal(2.0, axis)(1, (4, 3, 5)))
        columns = np.moveaxis(w, axis, -1).reshape(-1, w.shape[axis])
        gram = columns.T @ columns if columns.shape[0] >= columns.shape[1] else columns @ columns.T
        assert np.allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)
    delta = np.array(sj.delta_orthogonal()(1, (3, 4, 2, 5)))
    matrix = delta[1, 1].copy()
    assert np.allclose(matrix @ matrix.T, np.eye(2), atol=1e-5)
    delta[1, 1] = 0
    assert not delta.any()
    assert_same(matrix, whole((2, 5), "orthogonal()", Key(1)))
    their_delta = np.asarray(theirs.delta_orthogonal()(jax.random.key(0), (3, 4, 2, 5)))
    assert their_delta[1, 1].all() and np.count_nonzero(their_delta) == 10
    for shape, message in [
        ((4,), "two dimensions"),
        ((3, 5, 2), "no more inputs"),
        ((2, 2), "three to five"),
    ]:
        with pytest.raises(ValueError, match=message):
            (sj.orthogonal() if len(shape) == 1 else sj.delta_orthogonal())(1, shape)
    with pytest.raises(ValueError, match="out of range"):
        sj.orthogonal(column_axis=3)(1, (2, 2))


@pytest.mark.parametrize(
    "text", ["jax::orthogonal(2,1)", "jax::orthogonal()", "jax::delta_orthogonal(scale=0.5)"]
)
def test_composed_texts_make_what_the_program_makes(text):
    shape = (3, 4, 5)
    manifest = json.dumps({"parameters": {"w": {"shape": shape, "dtype": "F32"}}})
    plan = seedbed._native.Plan(manifest, rules=f'[[rule]]\nmatch = "*"\ninit = "{text}"')
    expected = np.empty(shape, np.float32)
    plan.fill("w", expected, Key(42))
    assert_same(sj.init(text)(Key(42).named("w"), shape), expected)


def test_texts_that_are_no_initialisers():
    for text in ["nrmal()", "normal(std=)", "jax::orthogonal(axis=1)", "jax::orthogonal("]:
        with pytest.raises(ValueError):
            sj.init(text)
    with pytest.raises(TypeError, match="a text"):
        sj.init(3)


def test_fans_of_pytorch_are_not_guessed():
    for text in [
        "kaiming_normal()",
        "kaiming_normal(mode=fan_out)",
        "xavier_uniform()",
        "normal(std=1/sqrt(fan_in))",
    ]:
        shape = (3, 4, 5) if text.startswith("xavier") else (3, 4)
        with pytest.raises(ValueError, match="in_axis=-2, out_axis=-1"):
            sj.init(text)(1, shape)
    # Both layouts have the same sum of fans.
    assert_same(sj.init("xavier_normal()")(1, (3, 4)), whole((3, 4), "xavier_normal()", Key(1)))
    kernel = sj.init("kaiming_uniform(a=2.236)", in_axis=-2, out_axis=-1)
    assert_same(
        kernel(1, (3, 4, 5)), whole((3, 4, 5), Init("kaiming_uniform(a=2.236)", fans=(12.0, 15.0)), Key(1))
    )
    torch_layout = sj.init("kaiming_normal()", in_axis=1, out_axis=0)
    assert_same(
        torch_layout(1, (3, 4, 5)), whole((3, 4, 5), Init("kaiming_normal()", fans=(20.0, 15.0)), Key(1))
    )
    assert_same(torch_layout(1, (3, 4)), whole((3, 4), "kaiming_normal()", Key(1)))
    # An Init, and `make`, say what `fill` says.
    assert_same(sj.init(Init("kaiming_normal()"))(1, (3, 4)), whole((3, 4), "kaiming_normal()", Key(1)))
    assert_same(sj.make((3, 4), None, "kaiming_normal()", 1), whole((3, 4), "kaiming_normal()", Key(1)))
    with pytest.raises(ValueError, match="takes no axes"):
        sj.init("normal()", in_axis=0)
    with pytest.raises(ValueError, match="out of range"):
        sj.init("kaiming_normal()", in_axis=2)(1, (3, 4))


def test_equal_initialisers_are_equal():
    assert sj.he_normal() == sj.init("jax::he_normal()") != sj.he_uniform()
    assert len({sj.he_normal(), sj.he_normal(), sj.he_normal(dtype=jnp.float16)}) == 2
    assert repr(sj.normal(0.5)).startswith("seedbed.jax.init('normal(")


# ---- Transformations


def test_jit_and_vmap_make_the_same_bits():
    init, key, shape = sj.lecun_normal(), jax.random.key(5), (6, 4)
    expected = whole(shape, "jax::lecun_normal()", Key(5))
    assert_same(jax.jit(lambda key: init(key, shape))(key), expected)
    assert_same(jax.jit(lambda: init(5, shape))(), expected)
    assert_same(jax.jit(lambda key: init(key, shape))(jax.random.PRNGKey(5)), expected)
    keys = jax.random.split(key, 3)
    stacked = np.stack([init(key, shape) for key in keys])
    assert_same(jax.vmap(lambda key: init(key, shape))(keys), stacked)
    assert_same(jax.jit(jax.vmap(lambda key: init(key, shape)))(keys), stacked)


def test_eval_shape_makes_nothing():
    huge = (1 << 20, 1 << 20)
    for key in [5, jax.random.key(5)]:
        assert jax.eval_shape(lambda: sj.normal()(key, huge, jnp.bfloat16)).dtype == jnp.bfloat16


def test_a_mistake_under_jit_is_an_error_of_the_trace():
    with pytest.raises(ValueError, match="Must be at least 2D"):
        jax.jit(lambda key: sj.he_normal()(key, (3,)))(jax.random.key(0))


# ---- Frameworks


def assert_trees_same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(assert_same, a, b)


def test_flax_linen():
    nn = pytest.importorskip("flax.linen")

    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Dense(8, kernel_init=sj.lecun_normal(), bias_init=sj.zeros)(x)
            x = nn.Conv(8, (3,), kernel_init=sj.he_normal())(x)
            x = nn.MultiHeadDotProductAttention(2, kernel_init=sj.glorot_uniform())(x, x)
            return nn.Dense(2, kernel_init=sj.init("normal(std=0.02)"), param_dtype=jnp.bfloat16)(x)

    model, x, key = Model(), jnp.ones((1, 5, 3)), jax.random.key(0)
    variables = model.init(key, x)
    assert_trees_same(variables, jax.jit(model.init)(key, x))
    paths = jax.tree_util.tree_leaves_with_path(variables)
    assert all(leaf.any() == ("kernel" in jax.tree_util.keystr(path)) for path, leaf in paths)
    assert variables["params"]["Dense_1"]["kernel"].dtype == jnp.bfloat16
    assert jax.grad(lambda v: model.apply(v, x).astype(jnp.float32).sum())(variables)

    shapes = jax.eval_shape(model.init, key, x)
    tree = sj.init_tree(shapes, 42, {"*kernel": "normal(std=0.02)", "*": "zeros()"})
    assert jax.tree.structure(tree) == jax.tree.structure(variables)
    name = "params/MultiHeadDotProductAttention_0/query/kernel"
    expected = whole((8, 2, 4), "normal(std=0.02)", Key(42).named(name))
    assert_same(tree["params"]["MultiHeadDotProductAttention_0"]["query"]["kernel"], expected)
    assert model.apply(tree, x).shape == (1, 5, 2)
    # A tree of arrays counts as a tree of shapes.
    assert_trees_same(tree, sj.init_tree(variables, 42, {"*kernel": "normal(std=0.02)", "*": "zeros()"}))


def test_flax_linen_names_do_not_change_with_metadata():
    nn = pytest.importorskip("flax.linen")
    plain = nn.Dense(4)
    annotated = nn.Dense(4, kernel_init=nn.with_partitioning(sj.he_normal(), (None, "model")))
    trees = []
    for model in [plain, annotated]:
        shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 3)))
        trees.append(sj.init_tree(shapes, 1, lambda name, leaf: "normal()"))
    assert_trees_same(trees[0], nn.meta.unbox(trees[1]))


def test_flax_nnx():
    nnx = pytest.importorskip("flax.nnx")

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(3, 8, kernel_init=sj.lecun_normal(), rngs=rngs)
            self.conv = nnx.Conv(8, 8, (3,), kernel_init=sj.delta_orthogonal(), rngs=rngs)
            self.dropout = nnx.Dropout(0.1, rngs=rngs)

        def __call__(self, x):
            return self.conv(self.linear(x))

    model = Model(nnx.Rngs(1))
    jitted = nnx.jit(Model)(nnx.Rngs(1))
    assert_trees_same(
        nnx.to_pure_dict(nnx.state(model, nnx.Param)), nnx.to_pure_dict(nnx.state(jitted, nnx.Param))
    )

    abstract = nnx.eval_shape(lambda: Model(nnx.Rngs(1)))
    graph, params, rest = nnx.split(abstract, nnx.Param, ...)
    params = sj.init_tree(params, 42, {"*kernel": sj.he_normal(), "*": "zeros()"})
    nnx.update(model, params)
    assert_same(model.linear.kernel[...], whole((3, 8), "jax::he_normal()", Key(42).named("linear/kernel")))
    assert model(jnp.ones((1, 5, 3))).shape == (1, 5, 8)
    # A module is a tree itself.
    whole_model = sj.init_tree(abstract, 42, {"*kernel": sj.he_normal(), "*bias": "zeros()", "*": None})
    assert_same(whole_model.linear.kernel[...], model.linear.kernel[...])
    with pytest.raises(ValueError, match="dropout/rngs/.*not supported"):
        sj.init_tree(rest, 42, {"*": "zeros()"})


def test_equinox():
    eqx = pytest.importorskip("equinox")
    shapes = eqx.filter_eval_shape(eqx.nn.MLP, 3, 2, 4, 2, key=jax.random.key(0))
    weight = sj.init("kaiming_uniform(a=2.23606797749979)", in_axis=1, out_axis=0)
    model = sj.init_tree(shapes, 42, {"*weight": weight, "*bias": "zeros()"})
    assert_same(model.layers[1].weight, weight(Key(42).named("layers/1/weight"), (4, 4)))
    assert model(jnp.ones(3)).shape == (2,)
    linear = eqx.nn.Linear(3, 4, key=jax.random.key(0))
    linear = eqx.tree_at(lambda m: m.weight, linear, weight(jax.random.key(1), linear.weight.shape))
    assert_same(linear.weight, weight(Key(1), (4, 3)))


# ---- Trees


def test_a_tree_holds_what_the_program_writes(tmp_path):
    program = os.environ.get("SEEDBED_BIN")
    if not program:
        pytest.skip("SEEDBED_BIN names no program")
    safetensors = pytest.importorskip("safetensors.numpy")
    rules = {
        "*conv/kernel": "jax::orthogonal(scale=0.5)",
        "*kernel": "jax::he_normal()",
        "*": "uniform(-1,1)",
    }
    shapes = {"conv": {"kernel": (3, 4, 8), "bias": (8,)}, "head": {"kernel": (8, 2)}}
    shapes = {
        name: {part: np.empty(shape, np.float32) for part, shape in parts.items()}
        for name, parts in shapes.items()
    }
    tree = sj.init_tree({"params": shapes}, 42, rules)["params"]
    made = {f"params/{name}/{part}": leaf for name, parts in tree.items() for part, leaf in parts.items()}
    manifest = {name: {"shape": leaf.shape, "dtype": "F32"} for name, leaf in made.items()}
    (tmp_path / "model.json").write_text(json.dumps({"parameters": manifest}))
    toml = [f'[[rule]]\nmatch = "{pattern}"\ninit = "{text}"\n' for pattern, text in rules.items()]
    (tmp_path / "rules.toml").write_text("\n".join(toml))
    arguments = [
        "model.json",
        "--rules",
        "rules.toml",
        "--seed",
        "42",
        "--adapter",
        "host",
        "-o",
        "out.safetensors",
    ]
    subprocess.run([program, "init", *arguments], cwd=tmp_path, check=True, capture_output=True)
    written = safetensors.load_file(tmp_path / "out.safetensors")
    assert written.keys() == made.keys()
    for name, leaf in made.items():
        assert_same(leaf, written[name])


def test_the_first_pattern_decides_and_none_keeps():
    kept = jnp.arange(3)
    tree = {
        "a": jax.ShapeDtypeStruct((2, 3), jnp.float32),
        "b": [kept, jnp.tanh, jax.ShapeDtypeStruct((4,), jnp.float16)],
    }
    made = sj.init_tree(tree, Key(9), {"a": "ones()", "b/0": None, "*": Init("uniform()")})
    assert_same(made["a"], np.ones((2, 3), np.float32))
    assert made["b"][0] is kept and made["b"][1] is jnp.tanh
    assert_same(made["b"][2], whole((4,), "uniform()", Key(9).named("b/2"), "float16"))
    with pytest.raises(ValueError, match="two leaves have the name a/b"):
        sj.init_tree({"a": {"b": kept}, "a/b": kept}, 9, {"*": "zeros()"})
    with pytest.raises(ValueError, match="no pattern fits b/0"):
        sj.init_tree(tree, 9, {"a": "ones()"})
    with pytest.raises(ValueError, match="a: .*kaiming_normal"):
        sj.init_tree(tree, 9, {"*": "kaiming_normal()"})
    with pytest.raises(TypeError, match="a text"):
        sj.init_tree(tree, 9, {"*": jnp.ones})


# ---- Meshes

MESHES = r"""
import itertools, json, os, sys

count = int(sys.argv[1])
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
import seedbed, seedbed.jax as sj
from seedbed import Key, _content

assert len(jax.devices()) == count
sizes, fill = [], _content.fill


def counted(x, *arguments, **more):
    sizes.append(x.size)
    return fill(x, *arguments, **more)


_content.fill = counted

meshes = [(count,)] + [(a, count // a) for a in (1, 2, 4) if count % a == 0]
shape, checked = (16, 8, 8), 0
for text in [
    "normal()",
    "jax::he_normal()",
    "sparse(0.3)",
    "orthogonal()",
    "jax::orthogonal(1.0,1)",
    "jax::delta_orthogonal()",
]:
    local = (16, 64) if text.startswith("sparse") else shape
    for dtype in [jnp.float32, jnp.bfloat16, jnp.float16]:
        whole = np.asarray(sj.make(local, None, sj.init(text), 42, dtype))
        if "::" not in text:
            assert whole.tobytes() == fill(np.empty(local, dtype), text, Key(42)).tobytes()
        for mesh_shape in meshes:
            mesh = jax.make_mesh(mesh_shape, ("x", "y")[: len(mesh_shape)])
            axes = [None, "x"] if len(mesh_shape) == 1 else [None, "x", "y", ("x", "y"), ("y", "x")]
            for spec in itertools.product(axes, repeat=2):
                named = [n for axis in spec if axis for n in (axis if isinstance(axis, tuple) else (axis,))]
                if len(named) != len(set(named)):
                    continue
                sharding = NamedSharding(mesh, P(*spec))
                sizes.clear()
                array = sj.make(local, sharding, sj.init(text), 42, dtype)
                assert array.sharding == sharding and array.dtype == dtype
                assert np.asarray(array).tobytes() == whole.tobytes(), (text, mesh_shape, spec)
                for shard in array.addressable_shards:
                    assert np.asarray(shard.data).tobytes() == whole[shard.index].tobytes()
                parts = {tuple(map(str, s.index)) for s in array.addressable_shards}
                if "orthogonal" not in text:
                    # Each part once, and no more than a part at a time.
                    part = int(np.prod(sharding.shard_shape(local)))
                    assert sizes == [part] * len(parts), (sizes, part, parts)
                checked += 1

# Initialisers, trees and jit on the mesh.
mesh = jax.make_mesh((count,), ("x",), axis_types=(AxisType.Auto,))
expected = np.asarray(sj.he_normal()(7, (16, 8)))
same = lambda array: np.asarray(array).tobytes() == expected.tobytes()
split = NamedSharding(mesh, P("x"))
assert same(sj.he_normal()(7, (16, 8), out_sharding=split))
assert same(jax.jit(lambda key: sj.he_normal()(key, (16, 8)), out_shardings=split)(jax.random.key(7)))
assert same(jax.jit(lambda key: sj.he_normal()(key, (16, 8), out_sharding=split))(jax.random.key(7)))
for types in [AxisType.Auto, AxisType.Explicit]:
    with jax.set_mesh(jax.make_mesh((count,), ("x",), axis_types=(types,))):
        assert same(sj.he_normal()(7, (16, 8), out_sharding=P("x")))
        assert same(jax.jit(lambda key: sj.he_normal()(key, (16, 8), out_sharding=P("x")))(jax.random.key(7)))
# Replicas share the memory that the host made. A donated array must not change the others.
assert all(_content.empty([n], np.dtype(np.float16)).ctypes.data % 64 == 0 for n in range(1, 100))
for spec in [P(), P("x")]:
    array = sj.make((16, 8), NamedSharding(mesh, spec), "normal()", 7)
    before = np.array(array)
    after = jax.jit(lambda x: x + 1, donate_argnums=0)(array)
    assert all((np.asarray(s.data) == (before + 1)[s.index]).all() for s in after.addressable_shards)
shapes = {
    "a": {"kernel": jax.ShapeDtypeStruct((16, 8), jnp.float32)},
    "b": jax.ShapeDtypeStruct((8,), jnp.float32),
}
rules = {"*kernel": "normal()", "*": "ones()"}
tree = sj.init_tree(shapes, 3, rules, sharding={"a": split, "b": NamedSharding(mesh, P())})
assert tree["a"]["kernel"].sharding == split and tree["b"].sharding.is_fully_replicated
again = sj.init_tree(tree, 3, rules)
assert again["a"]["kernel"].sharding == split
assert (
    np.asarray(again["a"]["kernel"]).tobytes()
    == np.asarray(sj.init_tree(shapes, 3, rules)["a"]["kernel"]).tobytes()
)
assert sj.init_tree(shapes, 3, rules, sharding=split)["b"].sharding == split
print(
    "\n" + json.dumps({"checked": checked, "hash": __import__("hashlib").sha256(whole.tobytes()).hexdigest()})
)
"""


def run_python(script, *arguments):
    environment = dict(
        os.environ, JAX_PLATFORMS="cpu", OMP_NUM_THREADS="1", XLA_FLAGS="", TF_CPP_MIN_LOG_LEVEL="2"
    )
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process):
    try:
        out, errors = process.communicate(timeout=80)
    finally:
        process.kill()
    assert process.returncode == 0, errors[-4000:]
    # gloo writes lines of its own to the same stream.
    return json.loads(next(line for line in out.splitlines() if line.startswith("{")))


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_every_mesh_has_the_same_bits(count):
    assert output(run_python(MESHES, count))["checked"] > 30


def test_shardings_that_jax_refuses():
    with pytest.raises(ValueError, match="set_mesh"):
        sj.make((4,), jax.sharding.PartitionSpec("x"), "normal()", 1)


PROCESSES = r"""
import json, os, sys

rank, size, port = map(int, sys.argv[1:])
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
import jax

jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(f"127.0.0.1:{port}", size, rank)
import jax.numpy as jnp, numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec as P
import seedbed.jax as sj
from seedbed import _content

assert jax.process_count() == size and len(jax.devices()) == 2 * size
mesh = jax.make_mesh((size, 2), ("hosts", "local"))
made, fill = 0, _content.fill


def counted(x, *arguments, **more):
    global made
    made += x.size
    return fill(x, *arguments, **more)


_content.fill = counted
array = sj.make((16, 8), NamedSharding(mesh, P("hosts", "local")), "normal()", 42)
own = made
whole = multihost_utils.process_allgather(array, tiled=True)
expected = fill(np.empty((16, 8), np.float32), "normal()", sj.as_key(42))
print("\n" + json.dumps({"own": own, "same": whole.tobytes() == expected.tobytes()}))
"""


def test_processes_make_their_own_parts():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [run_python(PROCESSES, rank, 2, port) for rank in range(2)]
    assert [output(process) for process in processes] == [{"own": 64, "same": True}] * 2
