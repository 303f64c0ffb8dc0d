"""An initialiser class for Keras 3, and the initialisation of a whole model by the paths of its variables.

    from seedbed.keras import Initializer, initialize

    keras.layers.Dense(64, kernel_initializer=Initializer("keras::he_normal()", seed=42, name="head"))
    initialize(model, 42)       # each variable by its path, as Keras's own layers would initialise it

The host makes the elements, so the same seed gives the same bits on the backends jax and torch, and on every
device.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import keras
import numpy as np

from seedbed import Init, Key, Region
from seedbed._content import Box, content, element_type, empty
from seedbed._fill import write
from seedbed._native import Filler, Plan
from seedbed._rules import text_of

__all__ = ["Initializer", "initialize"]


@keras.saving.register_keras_serializable(package="seedbed")
class Initializer(keras.initializers.Initializer):
    """The initialiser of a text such as `"keras::glorot_uniform()"` or `"normal(std=0.02)"`.

    Keras tells an initialiser the shape of a variable, and not the variable's name. So the key is
    `Key(seed)`, or `Key(seed).named(name)` with `name`: two layers of one shape, one seed and one name get
    the same values. Keras's own initialisers with an integer seed do the same. `initialize` gives each
    variable of a model a key of its own.

    The texts `xavier_...` and `kaiming_...` are PyTorch's initialisers, which count the fans of PyTorch's
    layout `[out, in, k...]`. A shape that Keras's layout `[k..., in, out]` counts differently is a
    ValueError. The initialisers after `keras::` count Keras's layout.
    """

    def __init__(self, text: str | Init, seed: int, name: str | None = None):
        self._content = content(
            text, "Take one of keras::, such as keras::glorot_normal() or keras::he_normal()"
        )
        # Keras's configurations hold plain integers; Key refuses what is no integer.
        key = Key(seed)
        self.text, self.seed, self.name = str(self._content), key.seed, name
        self._key = key if name is None else key.named(name)

    def __call__(self, shape, dtype=None, layout=None):
        """The tensor. With a layout of `keras.distribution` (backend jax) each device's part is made alone."""
        shape = tuple(int(size) for size in shape)
        dtype = element_type(keras.backend.standardize_dtype(dtype))
        return _tensor(self._content.maker(shape, dtype, self._key), shape, dtype, layout)

    def get_config(self):
        return {"text": self.text, "seed": self.seed, "name": self.name}


def initialize(
    model: keras.Model,
    seed: int | Key,
    *,
    preset: str | None = None,
    rules: str | os.PathLike[str] | None = None,
) -> keras.Model:
    """Initialises each weight of a built model by its path, such as `dense/kernel`, and returns the model.

    The key of a weight is `Key(seed).named(path)`. `preset` names a preset, and `rules` is the path of a TOML
    file (a str must end in .toml) or its text. With both, the preset decides about the weights that no rule
    matches. With neither, the preset is `keras`: the default initialisers of Keras's layers.

    ValueError: a mistake in the rules, or weights that no rule can make. No weight has changed then.
    """
    if not model.built:
        raise ValueError("the model has no variables yet: call model.build(input_shape), or the model itself")
    weights: dict[str, keras.Variable] = {}
    for weight in model.weights:
        if weights.setdefault(weight.path, weight) is not weight:
            raise ValueError(f"two weights have the path {weight.path!r}; give their layers different names")
    parameters = {}
    for path, weight in weights.items():
        parameters[path] = {"shape": list(weight.shape), "dtype": _manifest_type(weight.dtype)}
    if preset is None and rules is None:
        preset = "keras"
    plan = Plan(json.dumps({"parameters": parameters}), rules=text_of(rules), preset=preset)
    plan.check()
    key = seed if isinstance(seed, Key) else Key(seed)
    fillers = {}
    for entry in plan.entries():
        # A rule may skip a weight, which keeps its values, or tie it to another one.
        if entry["outcome"] != "skip":
            path = entry["name"]
            fillers[path] = filler = plan.filler(entry["tied_to"] or path, key)
            filler.check(weights[path].dtype, Region(weights[path].shape))
    for path, filler in fillers.items():
        weights[path].assign(_filled(filler, weights[path]))
    return model


def _manifest_type(dtype: str) -> str:
    """The name in manifests, such as BF16, of a type of Keras, such as bfloat16."""
    name = dtype.upper()
    for keras_name, name_in_manifests in [("FLOAT", "F"), ("UINT", "U"), ("INT", "I")]:
        name = name.replace(keras_name, name_in_manifests)
    return name


def _filled(filler: Filler, weight):
    shape, dtype = tuple(weight.shape), element_type(weight.dtype)

    def make(box: Box) -> np.ndarray:
        part = empty([end - start for start, end in box], dtype)
        write(part, filler, Region(shape).shard([start for start, _ in box], part.shape))
        return part

    return _tensor(make, shape, dtype, getattr(weight, "_layout", None))


def _tensor(make: Callable[[Box], np.ndarray], shape: tuple[int, ...], dtype: np.dtype, layout):
    if layout is None:
        return _convert(make([(0, size) for size in shape]))
    import seedbed.jax as sj

    return sj._make_parts(make, shape, getattr(layout, "backend_layout", layout), dtype)


def _convert(array: np.ndarray):
    if keras.backend.backend() == "torch" and array.dtype.name == "bfloat16":
        # torch.from_numpy knows no bfloat16, so the same 16 bits are passed as integers.
        import torch

        return keras.ops.convert_to_tensor(torch.from_numpy(array.view(np.int16)).view(torch.bfloat16))
    return keras.ops.convert_to_tensor(array)
