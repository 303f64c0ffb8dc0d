"""`init_` initialises a model by rules, `fill_` fills one tensor, and `manifest` lists what a model has.

All of them take tensors that are spread over processes. Each process makes its own part from the seed, the name and
the global shape, and no process talks to another.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from seedbed import Init, Key, Region
from seedbed._fill import write
from seedbed._native import Filler, Plan
from seedbed._rules import text_of
from seedbed.torch._local import Held, held, parts
from seedbed.torch._names import named_modules
from seedbed.torch._parts import FLOATS, Part, fill_part, made_as

__all__ = ["UnfilledBufferWarning", "UntiedWarning", "fill_", "init_", "manifest"]

_log = logging.getLogger("seedbed.torch")

Module = TypeVar("Module", bound=nn.Module)
Tensor = TypeVar("Tensor", bound=torch.Tensor)

# The element types of the safetensors format, by PyTorch's names without "torch.". PyTorch gains some every year.
_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2": "F8_E5M2",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
    "complex64": "C64",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}


class UnfilledBufferWarning(UserWarning):
    """Non-persistent buffers of the model, which no checkpoint holds and `init_` does not make."""


class UntiedWarning(UserWarning):
    """Parameters that the model ties and that are not one parameter now."""


def fill_(tensor: Tensor, init: str | Init, key: Key) -> Tensor:
    """Fills a tensor in place, as `seedbed.fill` does, and returns the tensor.

    The tensor may be a DTensor: each process makes its own part of the tensor, and fans are those of the global shape.
    The tensor may lie on a GPU: pieces of at most 16 MiB are made on the host and copied. Each process makes the whole
    of an orthogonal tensor. float64 is made as float32 and widened.

    ValueError: a tensor that can't be filled, or an initialiser that does not fit. Nothing is written then.
    """
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"a torch.Tensor is filled, not a {type(tensor).__name__}")
    if not isinstance(key, Key):
        raise TypeError(
            f"the key must be a seedbed.Key, not {type(key).__name__}; seedbed.Key(seed) makes one"
        )
    if tensor.dtype not in FLOATS:
        raise ValueError(_not_made(tensor.dtype))
    pieces = parts(tensor)
    filler = Filler(Init(init), key)
    # A process that holds no element refuses what the others refuse, or it would wait for them.
    is_whole = _check(filler, tensor.dtype, tensor.shape)
    _fill(pieces, filler, is_whole)
    return tensor


def manifest(model: nn.Module) -> dict[str, dict[str, dict[str, Any]]]:
    """The parameters and persistent buffers of a model: `{"parameters": {NAME: {"shape": [...], "dtype": "F32"}}}`.

    The shapes are global, whatever the mesh. A tied parameter has its first name only. The model may be on the device
    meta. `json.dump` writes a file that the program `seedbed` takes as a model.
    """
    _check_module("manifest", model)
    return {"parameters": {item.name: _entry(item) for item in _of_checkpoint(held(model))}}


def init_(
    model: Module,
    seed: int | Key,
    *,
    preset: str | None = None,
    rules: str | os.PathLike[str] | None = None,
    config: Mapping[str, Any] | str | None = None,
    strip_prefix: str | Iterable[str] = (),
    rename: Callable[[str], str] | None = None,
    manifest: Mapping[str, Any] | str | None = None,
) -> Module:
    """Initialises all parameters and persistent buffers of a model in place, and returns the model.

    Use this after `model.to_empty(device=...)`, in every process with the same arguments. Each parameter gets what the
    program `seedbed init` writes for the model's manifest with the same rules and seed, whatever the mesh.

    `preset` names a preset, and `rules` is the path of a TOML file (a str must end in .toml) or its text. With both,
    the preset decides about the parameters that no rule matches. Without both, the config's `model_type` chooses the
    preset, or the built-in rules are used. `config` is Hugging Face's configuration, as a dict or JSON; by default it
    is `model.config`.

    Streams come from names. `strip_prefix` lists prefixes that a name loses before it becomes a stream. Two arguments
    are for a model that is a stage of a pipeline: `rename` gives each name of the stage its name in the whole model,
    and `manifest` is the manifest of the whole model, because rules may count layers, and a stage has only some.

    ValueError: parameters that no rule fits, names that come twice, tensors that can't be written. The error lists all
    parameters with this mistake. Nothing is written then.
    """
    _check_module("init_", model)
    everything = held(model)
    items = _of_checkpoint(everything, rename)
    own = {item.name: _entry(item) for item in items}
    quantised: dict[str, list[str]] = {}
    for item in items:
        if item.dtype.is_floating_point and item.dtype not in FLOATS:
            quantised.setdefault(_not_made(item.dtype), []).append(item.name)
    if quantised:
        raise ValueError(_listed(quantised))
    whole = own if manifest is None else _whole_manifest(manifest, own)
    config = _config(model, config)
    plan = _plan(whole, preset, rules, config, strip_prefix)
    planned = {entry["name"]: entry for entry in plan.entries()}
    # The whole plan is checked, so that every stage of a pipeline refuses what one stage refuses.
    problems: dict[str, list[str]] = {}
    for name, entry in planned.items():
        if entry["outcome"] == "error":
            problems.setdefault(_reason(entry), []).append(name)
    if problems:
        raise ValueError(_listed(problems))

    work: list[tuple[list[Part], Filler, bool]] = []
    for item in items:
        entry = planned[item.name]
        if entry["outcome"] == "skip":
            continue
        try:
            filler = plan.filler(item.name, seed)
            work.append((item.parts(), filler, _check(filler, item.dtype, item.shape)))
        except ValueError as error:
            reason = str(error).removeprefix(f"{item.name}: ")
            problems.setdefault(reason, []).append(item.name)
    if problems:
        raise ValueError(_listed(problems))
    for text in plan.warnings:
        warnings.warn(text, stacklevel=2)
    is_first = _is_first()
    if is_first:
        _warn_of_ties(model, own)
        _warn_of_buffers(everything)
        _warn_of_layers(model, planned, rename)
        _warn_of_stacks(model, planned, rename)
    origins = sorted({entry["rule"].split(",")[0] for entry in planned.values()})
    model_type = json.loads(config).get("model_type") if config else None
    if is_first and model_type is not None and preset is None and rules is None and origins == ["default"]:
        warnings.warn(
            f"the config says model_type {model_type!r}, which has no preset, and the built-in rules are used: give "
            "preset= or rules=, or let the model initialise itself inside seedbed.torch.seeded",
            stacklevel=2,
        )
    _log.info("%d parameters and buffers by the rules of %s", len(work), ", ".join(origins))

    for pieces, filler, is_whole in work:
        _fill(pieces, filler, is_whole)
    return model


def _check(filler: Filler, dtype: torch.dtype, shape: Sequence[int]) -> bool:
    """Whether a row costs as much as the whole tensor. ValueError: the filler does not fit the tensor."""
    return filler.check(str(made_as(dtype)).removeprefix("torch."), Region(list(shape)))


def _fill(pieces: Iterable[Part], filler: Filler, is_whole: bool) -> None:
    for part in pieces:
        fill_part(part, lambda x, region: write(x, filler, region), whole=is_whole)


def _plan(parameters: Mapping[str, Any], preset, rules, config: str | None, strip_prefix) -> Plan:
    # The library makes no float64: a float32 is made, and widened when it is written.
    made = {
        name: {"shape": list(entry["shape"]), "dtype": "F32" if entry["dtype"] == "F64" else entry["dtype"]}
        for name, entry in parameters.items()
    }
    prefixes = [strip_prefix] if isinstance(strip_prefix, str) else list(strip_prefix)
    text = json.dumps({"parameters": made})
    return Plan(text, rules=text_of(rules), preset=preset, config=config, strip_prefix=prefixes)


def _config(model: nn.Module, config: Mapping[str, Any] | str | None) -> str | None:
    """The configuration as JSON, or None."""
    if isinstance(config, str):
        return config
    if config is None:
        found = _attribute(model, "config")
        to_dict = getattr(found, "to_dict", None)
        if not callable(to_dict):
            return None
        config = to_dict()
    # Configurations hold objects such as torch.dtype that JSON can't, and that the rules do not ask for.
    return json.dumps(config, default=str)


def _attribute(model: nn.Module, name: str) -> object | None:
    """The attribute of the model, or of the model inside a wrapper such as DistributedDataParallel."""
    while True:
        found = getattr(model, name, None)
        if found is not None:
            return found
        inner = getattr(model, "module", None)
        if not isinstance(inner, nn.Module):
            return None
        model = inner


def _whole_manifest(manifest: Mapping[str, Any] | str, own: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of the whole model's manifest, which has all of the model's own."""
    if isinstance(manifest, str):
        manifest = json.loads(manifest)
    whole = manifest.get("parameters", manifest) if isinstance(manifest, Mapping) else None
    if not isinstance(whole, Mapping):
        raise ValueError(
            'the whole model\'s manifest is no {"parameters": {NAME: {"shape": [...], "dtype": "F32"}}}'
        )
    for name, entry in whole.items():
        if (
            not isinstance(entry, Mapping)
            or not isinstance(entry.get("shape"), Sequence)
            or "dtype" not in entry
        ):
            raise ValueError(f"{name}: the whole model's manifest has no shape and dtype of the parameter")
    problems: dict[str, list[str]] = {}
    for name, entry in own.items():
        other = whole.get(name)
        if other is None:
            problems.setdefault("the whole model's manifest has no such parameter; see rename=", []).append(
                name
            )
        elif list(other["shape"]) != entry["shape"]:
            reason = (
                f"the shape is {entry['shape']}, but {list(other['shape'])} in the whole model's manifest"
            )
            problems.setdefault(reason, []).append(name)
    if problems:
        raise ValueError(_listed(problems))
    # The model's own element types count: a stage may have other types than the whole model in the manifest.
    return {name: own.get(name, entry) for name, entry in whole.items()}


def _of_checkpoint(items: list[Held], rename: Callable[[str], str] | None = None) -> list[Held]:
    """What a checkpoint of the model holds: each parameter and persistent buffer once, by its first name."""
    found: dict[str, Held] = {}
    seen = set()
    for item in items:
        if not item.is_persistent or item.identity in seen:
            continue
        seen.add(item.identity)
        name = item.name if rename is None else rename(item.name)
        if not isinstance(name, str):
            raise TypeError(f"rename({item.name!r}) gives a {type(name).__name__}, not a str")
        if name in found:
            raise ValueError(f"two parameters have the name {name!r} without the prefixes of wrappers")
        if item.tensor is not None and isinstance(item.tensor, nn.parameter.UninitializedTensorMixin):
            raise ValueError(f"{name}: the lazy module has no shape yet: run it once on an example first")
        found[name] = item.named(name)
    return list(found.values())


def _entry(item: Held) -> dict[str, Any]:
    name = str(item.dtype).removeprefix("torch.")
    if name not in _NAMES:
        raise ValueError(f"{item.name}: elements of {item.dtype} have no name in the safetensors format")
    return {"shape": list(item.shape), "dtype": _NAMES[name]}


def _not_made(dtype: torch.dtype) -> str:
    made = ", ".join(str(dtype).removeprefix("torch.") for dtype in FLOATS)
    return f"elements of {dtype} can't be made; the types are {made}; a model is initialised before it is quantised"


def _reason(entry: Mapping[str, Any]) -> str:
    """Why the rules do not make a parameter."""
    problem = entry["problem"]
    if problem.startswith("there is no data to copy"):
        # The library's remedy is an option of the program.
        problem = "the rule copies from a checkpoint, which init_ does not read: load the checkpoint instead"
    elif entry["rule"] is None:
        problem += "; give rules= with one, or let the model initialise itself inside seedbed.torch.seeded"
    return problem if entry["rule"] is None else f"{problem} ({entry['rule']})"


def _listed(problems: Mapping[str, list[str]]) -> str:
    lines = []
    for reason, names in problems.items():
        lines.append(f"{_shown(names)}: {reason}")
    return "\n".join(lines)


def _shown(names: Sequence[str]) -> str:
    """The first names of a list, and the number of the others."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _check_module(function: str, model: object) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"{function} takes a torch.nn.Module, not a {type(model).__name__}")


def _warn_of_layers(
    model: nn.Module, planned: Mapping[str, Any], rename: Callable[[str], str] | None
) -> None:
    """Names what the preset pytorch, which sees names and shapes only, makes otherwise than the layer."""
    found = []
    for prefix, child in named_modules(model):
        if not isinstance(child, (nn.Embedding, nn.EmbeddingBag, nn.Bilinear)):
            continue
        name = f"{prefix}.weight" if prefix else "weight"
        entry = planned.get(rename(name) if rename else name)
        # A tied parameter is in the plan by its first name only.
        if entry is None or not (entry["rule"] or "").startswith("pytorch,"):
            continue
        made = entry["init"] or ""
        if not isinstance(child, nn.Bilinear):
            if made != "normal(mean=0,std=1)":
                found.append(f"{name} is {made}, and normal(std=1) in {type(child).__name__}")
            elif child.padding_idx is not None:
                found.append(f"{name}: row {child.padding_idx}, the padding, is not zero")
        elif not made.startswith("uniform("):
            found.append(f"{name} is {made}, and uniform(-1/sqrt(d1), 1/sqrt(d1)) in Bilinear")
    if found:
        shown = found[:5] + ([f"{len(found) - 5} more"] if len(found) > 5 else [])
        warnings.warn(
            "the preset pytorch knows layers by the names of their parameters, and makes some otherwise than "
            f"the layers themselves do: {'; '.join(shown)}. Give rules= for them, or use seedbed.torch.seeded "
            "(docs/distributed/pytorch.md)",
            stacklevel=3,
        )


def _warn_of_stacks(
    model: nn.Module, planned: Mapping[str, Any], rename: Callable[[str], str] | None
) -> None:
    """Names what the built-in rules, which see names and shapes only, take for the kernel of a convolution."""
    found = []
    for prefix, child in named_modules(model):
        if isinstance(child, (_ConvNd, nn.Bilinear)):
            continue
        for name, parameter in child._parameters.items():
            if parameter is None or parameter.ndim < 3:
                continue
            name = f"{prefix}.{name}" if prefix else name
            entry = planned.get(rename(name) if rename else name)
            if entry is None or not (entry["rule"] or "").startswith("default,"):
                continue
            if (entry["init"] or "").startswith("xavier_"):
                found.append(f"{name} {entry['shape']} gets std {entry['std']:.3g}")
    if found:
        shown = found[:5] + ([f"{len(found) - 5} more"] if len(found) > 5 else [])
        warnings.warn(
            "the built-in rules count the fans of a parameter of three dimensions or more as those of a convolution, "
            f"and no convolution of torch.nn has these: {'; '.join(shown)}. Give rules= for them (unstack = 0 makes "
            "each matrix of a stack by itself), or use seedbed.torch.seeded (docs/distributed/pytorch.md)",
            stacklevel=3,
        )


def _warn_of_ties(model: nn.Module, own: Mapping[str, Any]) -> None:
    # transformers lists the parameters that are to be one; to_empty on the device meta makes each its own.
    ties = _attribute(model, "all_tied_weights_keys")
    loose = [name for name in ties if name in own] if isinstance(ties, Mapping) else []
    if loose:
        warnings.warn(
            f"{', '.join(loose)}: the model ties these parameters to others, and now they are parameters of "
            "their own; call model.tie_weights() between to_empty and init_",
            UntiedWarning,
            stacklevel=3,
        )


def _is_first() -> bool:
    """Whether this process speaks for all: what every rank would say, rank 0 says."""
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0


def _warn_of_buffers(items: Iterable[Held]) -> None:
    names = [item.name for item in items if not item.is_persistent]
    if names:
        warnings.warn(
            "no checkpoint holds the non-persistent buffers "
            + _shown(names)
            + ", and init_ leaves them as they are; after to_empty they hold garbage until the model computes them "
            "anew (docs/distributed/pytorch.md)",
            UnfilledBufferWarning,
            stacklevel=3,
        )
