"""The fully qualified name of a parameter, without the modules that wrappers put into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import nn

__all__ = ["clean", "named_modules", "strip"]

# The submodules by which torch.compile, FullyShardedDataParallel (FSDP1) and checkpoint_wrapper hold what
# they wrap.
WRAPPED = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})

# Classes that hold what they wrap as `module`. A model may have a submodule of that name for its own reasons,
# so only the class tells. A class counts by its name, because DeepSpeed need not be installed.
HOLDS_MODULE = frozenset({"DistributedDataParallel", "DataParallel", "AveragedModel", "DeepSpeedEngine"})


def named_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules of a model, those that stand in two places twice, without wrappers in the names.

    The order is that of `torch.nn.Module.named_modules`.
    The name of DistributedDataParallel(model) and of the model inside is the same, "".
    """

    def walk(path: tuple[str, ...], module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        yield ".".join(path), module
        for name, child in module._modules.items():
            if child is not None:
                yield from walk(path if _is_wrapper(module, name) else (*path, name), child)

    return walk((), model)


def clean(name: str) -> str:
    """The name without the modules that wrappers add, where no module can be asked for its class.

    `module` is taken off the front only: there a wrapper is likely, and elsewhere a submodule is.
    """
    parts = [part for part in name.split(".") if part not in WRAPPED]
    while len(parts) > 1 and parts[0] == "module":
        del parts[0]
    return ".".join(parts)


def strip(name: str, prefixes: str | Iterable[str]) -> str:
    """The name without the prefixes, in any order and number, as `seedbed init --strip-prefix` does."""
    prefixes = [prefixes] if isinstance(prefixes, str) else [prefix for prefix in prefixes if prefix]
    while True:
        prefix = next((prefix for prefix in prefixes if prefix and name.startswith(prefix)), None)
        if prefix is None or name == prefix:
            return name
        name = name[len(prefix) :]


def _is_wrapper(module: nn.Module, name: str) -> bool:
    if name in WRAPPED:
        return True
    return name == "module" and any(cls.__name__ in HOLDS_MODULE for cls in type(module).__mro__)
