"""Initialisation of PyTorch's modules and tensors, on one device or on a mesh."""

from seedbed.torch._init import UnfilledBufferWarning, UntiedWarning, fill_, init_, manifest

__all__ = ["UnfilledBufferWarning", "UntiedWarning", "fill_", "init_", "manifest"]
