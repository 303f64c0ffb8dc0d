"""The fully qualified name of a parameter, without the prefixes of wrappers."""

from __future__ import annotations

__all__ = ["clean"]

# torch.compile, DistributedDataParallel, FullyShardedDataParallel, checkpoint_wrapper.
WRAPPERS = ("_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


def clean(name: str) -> str:
    """The name without the modules that wrappers add."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)
