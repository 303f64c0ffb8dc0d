"""Initialisation of PyTorch's modules and tensors, on one device or on a mesh."""

from seedbed.torch._init import UnfilledBufferWarning, UntiedWarning, fill_, init_, manifest
from seedbed.torch._seeded import UnseededWarning, seeded

__all__ = [
    "UnfilledBufferWarning",
    "UnseededWarning",
    "UntiedWarning",
    "fill_",
    "init_",
    "manifest",
    "seeded",
]
