"""The models of the tests of meshes, and the ways to spread a model over ranks.

Sizes are small and odd: 37 words over 4 ranks make a short last shard, 7 channels and 1 row make empty ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

import torch
from torch import nn


class Torch(nn.Module):
    """A transformer of torch's own modules, with a convolution and batch normalisation before it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 7, (3, 2))
        self.bn = nn.BatchNorm2d(7)
        self.embedding = nn.Embedding(37, 12)
        layer = nn.TransformerEncoderLayer(12, 4, 28, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.value = nn.Linear(12, 1)
        self.head = nn.Linear(12, 37, bias=False)
        self.head.weight = self.embedding.weight

    def tie_weights(self) -> None:
        self.head.weight = self.embedding.weight

    def blocks(self) -> nn.ModuleList:
        return self.encoder.layers

    @staticmethod
    def tensor_parallel() -> tuple[list[str], list[str]]:
        return ["linear1"], ["linear2"]

    @staticmethod
    def vocabulary() -> list[str]:
        return ["embedding", "head"]

    def init_weights(self) -> None:
        """The initialisation of torch itself."""
        # The attention sets a bias of its child to zero after the child's own initialisation.
        for module in reversed(list(self.modules())):
            if isinstance(module, nn.MultiheadAttention):
                module._reset_parameters()
            elif hasattr(module, "reset_parameters"):
                module.reset_parameters()


def llama() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=37,
        hidden_size=12,
        intermediate_size=28,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.03,
        tie_word_embeddings=False,
        pad_token_id=3,
    )
    model = LlamaForCausalLM(config)
    model.blocks = lambda: model.model.layers
    model.tensor_parallel = lambda: (
        ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj"],
        ["self_attn.o_proj", "mlp.down_proj"],
    )
    model.vocabulary = lambda: ["model.embed_tokens", "lm_head"]
    return model


def gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=37, n_embd=12, n_layer=3, n_head=2, n_positions=11, n_inner=28)
    model = GPT2LMHeadModel(config)
    model.blocks = lambda: model.transformer.h
    # Conv1D is no layer of ColwiseParallel and RowwiseParallel.
    model.tensor_parallel = None
    return model


MODELS: dict[str, Callable[[], nn.Module]] = {"torch": Torch, "llama": llama, "gpt2": gpt2}


def on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return make()


def reset(model: nn.Module) -> None:
    """Values that no test may find later."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            getattr(tensor, "_local_tensor", tensor.data).fill_(77)


def own_init(model: nn.Module) -> None:
    """The model's own initialisation."""
    if isinstance(model, Torch):
        model.init_weights()
        return
    with torch.no_grad():
        # After fully_shard(model), init_weights() takes the model for one of another library, and leaves out modules
        # without parameters of their own.
        for module in reversed(list(model.modules())):
            model._init_weights(module)


def materialise(model: nn.Module) -> nn.Module:
    """Memory for a model on the device meta."""
    model.to_empty(device="cpu")
    model.tie_weights()
    reset(model)
    return model


def tensor_parallel(model: nn.Module, mesh) -> None:
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    columns, rows = model.tensor_parallel()
    for block in model.blocks():
        plan = {name: ColwiseParallel() for name in columns} | {name: RowwiseParallel() for name in rows}
        parallelize_module(block, mesh, plan)
    # 37 rows, over the ranks.
    embedding, head = model.vocabulary()
    parallelize_module(model, mesh, {embedding: RowwiseParallel(), head: ColwiseParallel()})


def fsdp2(model: nn.Module, mesh) -> None:
    from torch.distributed.fsdp import fully_shard

    for block in model.blocks():
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)


def gathered(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The whole tensors of a state dict of DTensors."""
    whole = {name: tensor.full_tensor() for name, tensor in state.items() if hasattr(tensor, "full_tensor")}
    return {**state, **whole}


def digest(state: Mapping[str, torch.Tensor]) -> str:
    """One sha256 of names, types, shapes and bytes. Tied parameters count by their first name in the alphabet."""
    sha = hashlib.sha256()
    for name in sorted(state):
        # A copy, because numpy() fixes the size of a storage, and FSDP1 resizes its own.
        tensor = state[name].detach().clone().contiguous()
        sha.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
