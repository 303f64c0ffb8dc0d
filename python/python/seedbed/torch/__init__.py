"""Initialisation of PyTorch modules and tensors, on one device or on a mesh."""

from ._init import UnfilledBufferWarning, fill_, init_, manifest
from ._seeded import UnseededWarning, seeded

__all__ = ["UnfilledBufferWarning", "UnseededWarning", "fill_", "init_", "manifest", "seeded"]
