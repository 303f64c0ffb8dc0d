"""Initialisation of PyTorch modules and tensors, on one device or on a mesh."""

from ._init import UnfilledBufferWarning, UntiedWarning, fill_, init_, manifest

__all__ = ["UnfilledBufferWarning", "UntiedWarning", "fill_", "init_", "manifest"]
