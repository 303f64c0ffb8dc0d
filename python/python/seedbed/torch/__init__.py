"""Initialisation of PyTorch's modules and tensors, on one device or on a mesh.

- `seeded(model, 42)`: the model initialises itself, and takes its values from seedbed.
- `init_(model, 42)`: rules or a preset decide what each parameter gets.
- `fill_(tensor, init, key)`: one tensor.
- `manifest(model)`: the names, global shapes and element types, for the program `seedbed`.

All of them take parameters that are spread over processes (DTensor, FSDP2, tensor parallel). Each process makes its
own part, and no process talks to another. CONTRIBUTING.md of the repository has a map of these modules.
"""

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
