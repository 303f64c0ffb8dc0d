"""Tests of `seedbed.keras` on the backends jax and torch, each in a process of its own."""

import os
import subprocess
import sys

import pytest

PREAMBLE = r"""
import sys
import numpy as np
import keras
import seedbed
from seedbed import Key, _content, fill
from seedbed.keras import Initializer, initialize


def whole(shape, init, key, dtype="float32"):
    return fill(np.empty(shape, _content.element_type(dtype)), init, key)


def bits(tensor):
    array = (
        keras.ops.convert_to_numpy(tensor)
        if "bfloat16" not in str(tensor.dtype)
        else keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))
    )
    return np.ascontiguousarray(array).tobytes()


def raises(error, text, function):
    try:
        function()
    except error as e:
        assert text in str(e), e
    else:
        raise AssertionError(f"no error with {text!r}")
"""

INITIALISERS = r"""
for text in [
    "normal(std=0.02)",
    "keras::glorot_uniform()",
    "keras::he_normal()",
    "keras::orthogonal()",
    "uniform(-1,1)",
]:
    for dtype in ["float32", "float16", "bfloat16"]:
        for name in [None, "head"]:
            init = Initializer(text, 42, name)
            key = Key(42) if name is None else Key(42).named(name)
            made = init((6, 8), dtype)
            assert keras.backend.standardize_dtype(made.dtype) == dtype
            expected = whole((6, 8), text, key, dtype)
            assert (
                bits(made) == (expected.astype(np.float32) if dtype == "bfloat16" else expected).tobytes()
            ), (text, dtype)
assert keras.backend.standardize_dtype(Initializer("ones()", 0)((2,)).dtype) == "float32"
raises(ValueError, "[k..., in, out]", lambda: Initializer("kaiming_normal()", 0)((3, 4)))
raises(ValueError, "not supported", lambda: Initializer("normal()", 0)((3, 4), "float64"))
raises(ValueError, "unknown", lambda: Initializer("nrmal()", 0))
for seed in ("1", 1.5, None):
    raises(TypeError, "the seed must be an integer", lambda: Initializer("normal()", seed))

# Keras's fans and distributions: Kolmogorov and Smirnov's distance of two samples of one distribution.
for ours, theirs in [
    ("keras::glorot_uniform()", keras.initializers.GlorotUniform(1)),
    ("keras::he_normal()", keras.initializers.HeNormal(1)),
    ("keras::lecun_normal()", keras.initializers.LecunNormal(1)),
]:
    n = 9 * 64 * 300
    a = np.sort(keras.ops.convert_to_numpy(Initializer(ours, 3)((3, 3, 64, 300))).ravel())
    b = np.sort(keras.ops.convert_to_numpy(theirs((3, 3, 64, 300))).ravel())
    both = np.concatenate([a, b])
    assert (
        np.abs(np.searchsorted(a, both, "right") - np.searchsorted(b, both, "right")).max() / n
        < 2.7 * (2 / n) ** 0.5
    )

# Configurations.
init = Initializer("keras::he_normal()", 7, "x")
for again in [
    Initializer.from_config(init.get_config()),
    init.clone(),
    keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(init)),
    keras.initializers.get(keras.initializers.serialize(init)),
]:
    assert type(again) is Initializer and again.get_config() == {
        "text": "keras::he_normal()",
        "seed": 7,
        "name": "x",
    }
    assert bits(again((3, 4))) == bits(init((3, 4)))
"""

MODELS = r"""
import os, tempfile


def build(policy=None):
    keras.utils.clear_session()
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(
        4, 3, kernel_initializer=Initializer("keras::he_normal()", 42, "conv"), name="conv", dtype=policy
    )(x)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Flatten()(x)
    outputs = layers.Dense(2, kernel_initializer=Initializer("normal(std=0.02)", 42, "head"), name="head")(x)
    return keras.Model(inputs, outputs)


model = build()
assert (
    bits(model.get_layer("conv").kernel.value)
    == whole((3, 3, 3, 4), "keras::he_normal()", Key(42).named("conv")).tobytes()
)
model.compile("sgd", "mse")
model.fit(np.ones((4, 8, 8, 3)), np.ones((4, 2)), verbose=0)
path = os.path.join(tempfile.mkdtemp(), "model.keras")
model.save(path)
loaded = keras.models.load_model(path)
for a, b in zip(model.weights, loaded.weights):
    assert bits(a.value) == bits(b.value)
assert loaded.get_layer("conv").kernel_initializer.get_config() == {
    "text": "keras::he_normal()",
    "seed": 42,
    "name": "conv",
}
fresh = keras.models.clone_model(model)
assert bits(fresh.get_layer("head").kernel.value) == bits(build().get_layer("head").kernel.value)

# A whole model by paths.
assert initialize(model, 42) is model
for weight in model.weights:
    text = {
        "kernel": "keras::glorot_uniform()",
        "bias": "zeros()",
        "beta": "zeros()",
        "gamma": "ones()",
        "moving_mean": "zeros()",
        "moving_variance": "ones()",
    }[weight.path.split("/")[1]]
    assert bits(weight.value) == whole(tuple(weight.shape), text, Key(42).named(weight.path)).tobytes(), (
        weight.path
    )
first = [bits(w.value) for w in model.weights]
assert [bits(w.value) for w in initialize(build(), Key(42)).weights] == first
assert [bits(w.value) for w in initialize(build(), 43).weights] != first
rules = '[[rule]]\nmatch = "head/kernel"\ninit = "normal(std=0.5)"'
initialize(model, 42, rules=rules, preset="keras")
assert (
    bits(model.get_layer("head").kernel.value)
    == whole((144, 2), "normal(std=0.5)", Key(42).named("head/kernel")).tobytes()
)
assert [bits(w.value) for w in model.weights][:-2] == first[:-2]

initialize(model, 42, rules=rules + '\n[[rule]]\nmatch = "*"\nskip = true')
assert [bits(w.value) for w in model.weights][:-2] == first[:-2]

rules_file = os.path.join(os.path.dirname(path), "rules.toml")
with open(rules_file, "w") as file:
    file.write(rules)
initialize(model, 42, rules=rules_file, preset="keras")
assert [bits(w.value) for w in model.weights][:-2] == first[:-2]

# Errors change nothing.
before = [bits(w.value) for w in model.weights]
raises(ValueError, "bn/gamma", lambda: initialize(model, 1, rules=rules))
raises(
    ValueError,
    "orthogonal",
    lambda: initialize(model, 1, rules='[[rule]]\nmatch = "*"\ninit = "keras::orthogonal()"'),
)
assert [bits(w.value) for w in model.weights] == before
raises(ValueError, "build", lambda: initialize(keras.Sequential([keras.layers.Dense(2)]), 1))
raises(TypeError, "the seed must be an integer", lambda: initialize(model, 1.5))
raises(ValueError, "give rules= with one", lambda: initialize(model, 1, preset="gpt2"))
two = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, dtype="float64")])
raises(ValueError, "F64 is not supported", lambda: initialize(two, 1))

# Recurrent layers: a bias of several contents, and all gates in one orthogonal matrix.
keras.utils.clear_session()
lstm = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(4, name="lstm")], name="m")
initialize(lstm, 42)
bias = keras.ops.convert_to_numpy(lstm.weights[2].value)
assert bias.tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8
recurrent = keras.ops.convert_to_numpy(lstm.weights[1].value)
assert np.allclose(recurrent @ recurrent.T, np.eye(4), atol=1e-5)
half = build("bfloat16")
initialize(half, 42)
import ml_dtypes

expected = whole((3, 3, 3, 4), "keras::glorot_uniform()", Key(42).named("conv/kernel"), "bfloat16")
assert bits(half.get_layer("conv").kernel.value) == expected.astype(np.float32).tobytes()

import hashlib

print("HASH", hashlib.sha256(b"".join(first)).hexdigest())
"""

MESH = r"""
import jax

assert len(jax.devices()) == 8
sizes, real = [], _content.fill


def counted(x, *arguments, **more):
    sizes.append(x.size)
    return real(x, *arguments, **more)


_content.fill = counted
devices = keras.distribution.DeviceMesh((4, 2), ("batch", "model"), keras.distribution.list_devices())
layouts = keras.distribution.LayoutMap(devices)
layouts[".*kernel"] = ("model", "batch")
layouts[".*bias"] = ("model",)
keras.distribution.set_distribution(
    keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")
)
layer = keras.layers.Dense(16, kernel_initializer=Initializer("keras::he_normal()", 42), name="d")
layer.build((None, 8))
value = layer.kernel.value
assert value.sharding.shard_shape(value.shape) == (4, 4) and sizes == [16] * 8, sizes
assert (
    np.asarray(value).tobytes()
    == real(np.empty((8, 16), np.float32), "keras::he_normal()", Key(42)).tobytes()
)
model = keras.Sequential([keras.Input((8,)), layer])
initialize(model, 42)
value = layer.kernel.value
assert value.sharding.shard_shape(value.shape) == (4, 4)
assert (
    np.asarray(value).tobytes()
    == real(np.empty((8, 16), np.float32), "keras::glorot_uniform()", Key(42).named("d/kernel")).tobytes()
)
"""


def run(script, backend, devices=1):
    environment = dict(
        os.environ,
        KERAS_BACKEND=backend,
        JAX_PLATFORMS="cpu",
        OMP_NUM_THREADS="1",
        CUDA_VISIBLE_DEVICES="",
        XLA_FLAGS=f"--xla_force_host_platform_device_count={devices}",
    )
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + script], env=environment, capture_output=True, text=True, timeout=80
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def importable(*names):
    import importlib.util

    return all(importlib.util.find_spec(name) for name in names)


backends = pytest.mark.parametrize("backend", [b for b in ("jax", "torch") if importable("keras", b)])


hashes = {}


@backends
def test_backends(backend):
    # One process for both scripts: the imports take longer than the checks.
    hashes[backend] = run(INITIALISERS + MODELS, backend).split("HASH ")[1]
    # Every backend has the same weights.
    assert len(set(hashes.values())) == 1


@pytest.mark.skipif(not importable("keras", "jax"), reason="needs keras and jax")
def test_layouts_of_keras_distribution_are_made_part_by_part():
    run(MESH, "jax", 8)
