"""What `seedbed init` does, with torch.nn.init: python torch_init.py MODEL.json OUT.safetensors

By the rules that `seedbed rules` prints. The last line that it prints is the time without the imports.
"""

import json
import sys
import time

import torch
from safetensors.torch import save_file

start = time.perf_counter()
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
with open(sys.argv[1]) as file:
    parameters = json.load(file)["parameters"]
torch.manual_seed(42)
tensors = {}
for name, parameter in parameters.items():
    tensor = torch.empty(parameter["shape"], dtype=DTYPES[parameter["dtype"]])
    if name.endswith("bias"):
        torch.nn.init.zeros_(tensor)
    elif tensor.ndim == 1:
        torch.nn.init.ones_(tensor)
    else:
        torch.nn.init.xavier_normal_(tensor)
    tensors[name] = tensor
save_file(tensors, sys.argv[2], metadata={"format": "pt"})
print(json.dumps({"seconds_inside": time.perf_counter() - start}))
