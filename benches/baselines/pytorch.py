"""torch.nn.init on all cores, and on CUDA where there is one: python pytorch.py ELEMENTS"""

import sys

import torch

from sample import report, seconds, shape

elements = int(sys.argv[1])

for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    name = "torch " + (torch.cuda.get_device_name() if device == "cuda" else "cpu")
    for dtype in [torch.float32, torch.bfloat16]:
        weight = torch.empty(shape(elements), dtype=dtype, device=device)
        for case, once in {
            "constant": lambda: torch.nn.init.constant_(weight, 0.01),
            "normal": lambda: torch.nn.init.normal_(weight, 0.0, 0.02),
            "xavier_normal": lambda: torch.nn.init.xavier_normal_(weight),
            "trunc_normal": lambda: torch.nn.init.trunc_normal_(weight),
        }.items():
            short = {torch.float32: "f32", torch.bfloat16: "bf16"}[dtype]
            report(name, torch.__version__, case, short, elements, seconds(once, wait))
