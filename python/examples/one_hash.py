"""Prints one sha256 of a transformer that is spread over ranks. The number of ranks does not change it:

python one_hash.py
torchrun --nproc-per-node 2 one_hash.py
torchrun --nproc-per-node 4 one_hash.py

Two ranks shard the model by FSDP2. Four ranks are a mesh of 2 x 2: FSDP2 and tensor parallel.
"""

import hashlib
import os

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

import seedbed.torch

world = int(os.environ.get("WORLD_SIZE", 1))
if world > 1:
    dist.init_process_group("gloo")
with torch.device("meta"):
    layer = torch.nn.TransformerEncoderLayer(d_model=64, nhead=4, dim_feedforward=250)
    model = torch.nn.TransformerEncoder(layer, num_layers=3, enable_nested_tensor=False)
if world > 1:
    parallel = 2 if world % 4 == 0 else 1
    mesh = init_device_mesh("cpu", (world // parallel, parallel), mesh_dim_names=("dp", "tp"))
    for block in model.layers:
        if parallel > 1:
            plan = {"linear1": ColwiseParallel(), "linear2": RowwiseParallel()}
            parallelize_module(block, mesh["tp"], plan)
        fully_shard(block, mesh=mesh["dp"])
    fully_shard(model, mesh=mesh["dp"])
model.to_empty(device="cpu")

seedbed.torch.init_(model, 42, preset="pytorch")

sha = hashlib.sha256()
held = 0
for name, tensor in sorted(model.state_dict().items()):
    if world > 1:
        held += tensor.to_local().numel()
        tensor = tensor.full_tensor()
    else:
        held += tensor.numel()
    sha.update(name.encode())
    sha.update(tensor.numpy().tobytes())
if int(os.environ.get("RANK", 0)) == 0:
    print(f"{sha.hexdigest()}  {world} ranks, {held} elements in the first")
if world > 1:
    dist.destroy_process_group()
