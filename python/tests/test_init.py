"""`init_` gives every mesh the model that `seedbed init` writes into one file."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
import warnings
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from mesh_models import (
    MODELS,
    digest,
    fsdp2,
    gathered,
    materialise,
    on_meta,
    own_init,
    reset,
    tensor_parallel,
)
from ranks import spawn
from torch import nn

import seedbed
from seedbed.torch import UnfilledBufferWarning, UntiedWarning, init_, manifest, seeded

SEED = 42
PRESETS = {"torch": "pytorch", "llama": None, "gpt2": None}


def filled(model: nn.Module, name: str) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnfilledBufferWarning)
        return init_(model, SEED, preset=PRESETS[name])


def program() -> str:
    found = os.environ.get("SEEDBED_BIN")
    assert found, "set SEEDBED_BIN to the program: cargo build --release -p seedbed-cli"
    return found


def written(listing, *options: str, config=None) -> dict[str, torch.Tensor]:
    """The tensors that the program writes for a manifest."""
    from safetensors.torch import load_file

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.json").write_text(json.dumps(listing))
        if config is not None:
            Path(folder, "config.json").write_text(json.dumps(config, default=str))
        out = Path(folder, "out.safetensors")
        command = [
            program(),
            "init",
            Path(folder, "model.json"),
            "-o",
            out,
            "--seed",
            str(SEED),
            "--quiet",
            *options,
        ]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return load_file(out)


@functools.cache
def expected(name: str) -> str:
    """The digest of the program's file for a model."""
    model = on_meta(MODELS[name])
    preset = PRESETS[name]
    config = model.config.to_dict() if preset is None else None
    return digest(written(manifest(model), *(["--preset", preset] if preset else []), config=config))


def own(state, model) -> str:
    """The digest of the parameters that a manifest lists: a tied one once."""
    return digest({name: state[name] for name in manifest(model)["parameters"]})


def whole_fsdp1(model) -> dict[str, torch.Tensor]:
    from torch.distributed.fsdp import FullyShardedDataParallel

    from seedbed.torch._names import clean

    with FullyShardedDataParallel.summon_full_params(model, writeback=False, rank0_only=False):
        tensors = [*model.named_parameters(remove_duplicate=False), *model.named_buffers()]
        return {clean(name): tensor.detach().clone() for name, tensor in tensors}


def spread(rank: int, world: int) -> dict[str, str]:
    """The digest of each model under each kind of parallelism."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel, ShardingStrategy
    from torch.distributed.fsdp.wrap import ModuleWrapPolicy
    from torch.nn.parallel import DistributedDataParallel

    digests = {}
    for name, make in MODELS.items():
        listing = manifest(on_meta(make))

        def check(case, model, state=lambda model: gathered(model.state_dict()), name=name, listing=listing):
            """Initialises by rules, and then by the model's own code."""
            assert manifest(model) == listing, case

            def note(case):
                whole = state(model)
                digests[f"{name}: {case}"] = digest({name: whole[name] for name in listing["parameters"]})

            filled(model, name)
            note(case)
            inner = getattr(model, "module", model)
            is_fsdp1 = isinstance(model, FullyShardedDataParallel)
            with FullyShardedDataParallel.summon_full_params(model) if is_fsdp1 else nullcontext():
                reset(model)
                with seeded(model, SEED):
                    own_init(inner)
            note(f"{case}, seeded")

        check("one device", materialise(on_meta(make)))

        model = DistributedDataParallel(materialise(on_meta(make)))
        check("DDP", model, lambda model: model.module.state_dict())

        mesh = init_device_mesh("cpu", (world,))
        model = on_meta(make)
        fsdp2(model, mesh)
        check("FSDP2", materialise(model))

        if model.tensor_parallel is not None:
            model = on_meta(make)
            tensor_parallel(model, mesh)
            check("tensor parallel", materialise(model))
        for shape in {1: [], 2: [(1, 2), (2, 1)], 4: [(2, 2), (1, 4)]}[world]:
            mesh = init_device_mesh("cpu", shape, mesh_dim_names=("dp", "tp"))
            model = on_meta(make)
            if model.tensor_parallel is not None:
                tensor_parallel(model, mesh["tp"])
            fsdp2(model, mesh["dp"])
            check(f"FSDP2 and tensor parallel {shape}", materialise(model))
        if world == 4:
            mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicate", "shard"))
            model = FullyShardedDataParallel(
                materialise(on_meta(make)),
                device_mesh=mesh,
                sharding_strategy=ShardingStrategy.HYBRID_SHARD,
                device_id=torch.device("cpu"),
                use_orig_params=True,
            )
            check("FSDP1 HYBRID_SHARD", model, whole_fsdp1)
            model = on_meta(make)
            fsdp2(model, init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicate", "shard")))
            check("HSDP", materialise(model))

        for use_orig_params in (True, False):
            for strategy in (ShardingStrategy.FULL_SHARD, ShardingStrategy.NO_SHARD):
                model = materialise(on_meta(make))
                policy = ModuleWrapPolicy({type(model.blocks()[0])})
                model = FullyShardedDataParallel(
                    model,
                    use_orig_params=use_orig_params,
                    sharding_strategy=strategy,
                    auto_wrap_policy=policy,
                    device_id=torch.device("cpu"),
                )
                case = f"FSDP1 {strategy.name} {use_orig_params=}"
                check(case, model, whole_fsdp1)
                with FullyShardedDataParallel.summon_full_params(model):
                    reset(model)
                    filled(model, name)
                whole = whole_fsdp1(model)
                digests[f"{name}: {case}, summoned"] = digest({n: whole[n] for n in listing["parameters"]})
    return digests


@pytest.mark.parametrize("world", [1, 2, 4])
def test_one_hash_on_every_mesh(world):
    results = spawn(world, spread)
    assert all(result == results[0] for result in results)
    assert len(results[0]) == {1: 58, 2: 70, 4: 82}[world]
    different = {case: sha for case, sha in results[0].items() if sha != expected(case.split(":")[0])}
    assert not different, {name: expected(name) for name in MODELS}


def trained(rank: int, world: int) -> list[bool]:
    """Whether the model that is trained is the one that was initialised, also again after a forward pass."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel

    words = torch.arange(24).reshape(2, 12) % 37
    whole = filled(llama_of_values(), "llama")
    expected = whole(words).logits

    sharded = on_meta(MODELS["llama"])
    fsdp2(sharded, init_device_mesh("cpu", (world,)))
    materialise(sharded)
    compute_buffers(sharded)
    flat = FullyShardedDataParallel(llama_of_values(), device_id=torch.device("cpu"))
    results = []
    for model in (sharded, flat):
        filled(model, "llama")
        results.append(torch.equal(model(words).logits, expected))
    # Gathered parameters, as some have after a forward pass. FSDP2 drops them, and what they hold.
    sharded.reshard()
    reset(sharded)
    sharded.unshard()
    compute_buffers(sharded)
    filled(sharded, "llama").reshard()
    results.append(torch.equal(sharded(words).logits, expected))
    loss = sharded(words, labels=words).loss
    loss.backward()
    whole(words, labels=words).loss.backward()
    gradient = sharded.lm_head.weight.grad.full_tensor()
    results.append(torch.allclose(gradient, whole.lm_head.weight.grad, atol=1e-6))
    return results


def llama_of_values() -> nn.Module:
    model = materialise(on_meta(MODELS["llama"]))
    compute_buffers(model)
    return model


def compute_buffers(model: nn.Module) -> None:
    """What docs/distributed/pytorch.md says of non-persistent buffers."""
    for module in model.modules():
        if module._non_persistent_buffers_set:
            model._init_weights(module)


def test_the_values_are_those_that_a_forward_pass_uses():
    assert spawn(2, trained) == [[True] * 4] * 2


def saved(folder: str, rank: int, world: int) -> None:
    import torch.distributed.checkpoint as dcp
    from torch.distributed.device_mesh import init_device_mesh

    model = on_meta(MODELS["torch"])
    fsdp2(model, init_device_mesh("cpu", (world,)))
    dcp.save(filled(materialise(model), "torch").state_dict(), checkpoint_id=folder)


def loaded(folder: str, rank: int, world: int) -> list[str]:
    import torch.distributed.checkpoint as dcp
    from torch.distributed.device_mesh import init_device_mesh

    digests = []
    for shape in [(4,), (2, 2)]:
        mesh = init_device_mesh("cpu", shape, mesh_dim_names=("dp", "tp")[: len(shape)])
        model = on_meta(MODELS["torch"])
        if len(shape) == 2:
            tensor_parallel(model, mesh["tp"])
        fsdp2(model, mesh["dp"])
        state = materialise(model).state_dict()
        dcp.load(state, checkpoint_id=folder)
        digests.append(own(gathered(state), model))
    return digests


def test_a_distributed_checkpoint_of_two_ranks_loads_into_four(tmp_path):
    spawn(2, functools.partial(saved, str(tmp_path)))
    assert spawn(4, functools.partial(loaded, str(tmp_path))) == [[expected("torch")] * 2] * 4


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(5, 7)
        self.norm = nn.BatchNorm1d(7)
        self.layers = nn.ModuleList(nn.Linear(7, 7) for _ in range(4))


def same(state, other) -> bool:
    return state.keys() == other.keys() and all(torch.equal(state[name], other[name]) for name in state)


def test_the_program_takes_the_manifest_and_writes_the_same():
    model = init_(Small(), SEED)
    listing = manifest(model)
    assert listing["parameters"]["norm.num_batches_tracked"] == {"shape": [], "dtype": "I64"}
    assert list(listing["parameters"]) == list(model.state_dict())
    assert same(written(listing), model.state_dict())
    # Buffers of integers are made too, and twice is once.
    model.norm.num_batches_tracked.fill_(77)
    assert same(init_(model, SEED).state_dict(), written(listing))
    assert not same(init_(model, SEED + 1).state_dict(), written(listing))
    assert same(init_(model, seedbed.Key(SEED)).state_dict(), written(listing))
    assert not same(init_(model, seedbed.Key(SEED, 1)).state_dict(), written(listing))


def test_types():
    for dtype, option in [(torch.bfloat16, "bf16"), (torch.float16, "f16"), (torch.float64, "f32")]:
        model = init_(Small().to(dtype), SEED)
        listing = manifest(model)
        program_state = written(listing, "--dtype", option)
        assert same(
            {name: tensor.to(program_state[name].dtype) for name, tensor in model.state_dict().items()},
            program_state,
        )
        assert model.first.weight.dtype == dtype


RULES = """
[let]
layers = "count(layer)"

[[rule]]
match = "*layers.<layer>.weight"
init = "normal(std=1/sqrt(layers))"

[[rule]]
match = "*first.weight"
init = "orthogonal"

[[rule]]
match = "*norm.num_batches_tracked"
skip = true
"""


def test_rules_of_ones_own(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    model = Small()
    model.norm.num_batches_tracked.fill_(77)
    text = init_(model, SEED, rules=RULES, preset="pytorch").state_dict()
    assert text["norm.num_batches_tracked"] == 77
    assert 0.4 < text["layers.0.weight"].std() < 0.6
    for rules in (path, str(path)):
        state = init_(Small(), SEED, rules=rules, preset="pytorch").state_dict()
        assert same(state | {"norm.num_batches_tracked": torch.tensor(77)}, text)
    listing = manifest(model)
    file = written(listing, "--rules", str(path), "--preset", "pytorch")
    assert same(
        file, {name: tensor for name, tensor in text.items() if not name.endswith("num_batches_tracked")}
    )
    with pytest.raises(ValueError, match="no rule matches; give rules= .* seedbed.torch.seeded"):
        init_(model, SEED, rules=RULES)


def test_prefixes_and_wrappers():
    plain = init_(Small(), SEED).state_dict()
    inside = nn.Module()
    inside.backbone = Small()
    init_(inside, SEED)
    assert not same(inside.backbone.state_dict(), plain)
    for prefix in ("backbone.", ["backbone."]):
        assert same(init_(inside, SEED, strip_prefix=prefix).backbone.state_dict(), plain)
    assert same(
        init_(inside, SEED, rename=lambda name: name.removeprefix("backbone.")).backbone.state_dict(), plain
    )

    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    model = Small()
    model.first = checkpoint_wrapper(model.first)
    compiled = torch.compile(model)
    assert manifest(compiled) == manifest(Small())
    init_(compiled, SEED)
    assert torch.equal(model.first._checkpoint_wrapped_module.weight, plain["first.weight"])

    # A submodule that is called `module` is no wrapper.
    inside = nn.Module()
    inside.module = nn.Linear(2, 2)
    assert list(manifest(inside)["parameters"]) == ["module.weight", "module.bias"]


def test_a_stage_of_a_pipeline():
    options = {"rules": RULES, "preset": "pytorch"}
    whole = on_meta(Small)
    state = init_(Small(), SEED, **options).state_dict()
    stage = nn.Sequential(nn.Linear(7, 7), nn.Linear(7, 7))

    def rename(name: str) -> str:
        number, rest = name.split(".", 1)
        return f"layers.{int(number) + 2}.{rest}"

    init_(stage, SEED, manifest=manifest(whole), rename=rename, **options)
    assert torch.equal(stage[1].weight, state["layers.3.weight"])
    init_(stage, SEED, manifest=json.dumps(manifest(whole)), rename=rename, **options)
    assert torch.equal(stage[0].bias, state["layers.2.bias"])
    # The rules count layers, and the stage alone has fewer.
    init_(stage, SEED, rename=rename, **options)
    assert not torch.equal(stage[1].weight, state["layers.3.weight"])
    with pytest.raises(ValueError, match=r"0\.weight.*no such parameter"):
        init_(stage, SEED, manifest=manifest(whole), **options)
    with pytest.raises(ValueError, match=r"layers\.0\.weight.*\[7, 6\].*\[7, 7\]"):
        init_(
            nn.Sequential(nn.Linear(6, 7)),
            SEED,
            manifest=manifest(whole),
            rename=lambda name: f"layers.{name}",
        )
    with pytest.raises(ValueError, match="two parameters have the name 'x'"):
        init_(stage, SEED, rename=lambda name: "x")
    with pytest.raises(TypeError, match="NoneType"):
        init_(stage, SEED, rename=lambda name: None)


def test_tied_parameters_are_made_once_by_their_first_name():
    model = MODELS["torch"]()
    filled(model, "torch")
    assert model.head.weight is model.embedding.weight
    assert "head.weight" not in manifest(model)["parameters"]
    shared = nn.Module()
    shared.a = nn.Linear(3, 3)
    shared.b = shared.a
    assert list(manifest(shared)["parameters"]) == ["a.weight", "a.bias"]


def test_a_config_without_a_preset_is_named():
    model = Small()
    with pytest.warns(UserWarning, match="model_type 'tabby', which has no preset"):
        init_(model, SEED, config={"model_type": "tabby"})
    assert same(model.state_dict(), init_(Small(), SEED).state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        init_(model, SEED, config={"model_type": "tabby"}, preset="pytorch")
        init_(model, SEED, config={})


def test_layers_that_the_preset_pytorch_does_not_know_by_name_are_named():
    model = nn.Module()
    model.embed = nn.Embedding(10, 4)
    model.lookup = nn.Embedding(10, 4)
    model.embedding = nn.EmbeddingBag(10, 4, padding_idx=3)
    model.mix = nn.Bilinear(3, 3, 2)
    model.head = nn.Linear(4, 3)
    with pytest.warns(UserWarning, match="the preset pytorch") as caught:
        init_(model, SEED, preset="pytorch")
    (text,) = [str(warning.message) for warning in caught]
    assert "lookup.weight is kaiming_uniform(" in text and "normal(std=1) in Embedding" in text
    assert "embedding.weight: row 3" in text and "mix.weight is kaiming_uniform(" in text
    assert "embed.weight is" not in text and "head" not in text
    rules = """
[[rule]]
match = "{lookup,embedding}.weight"
init = "normal"
[[rule]]
match = "mix.weight"
init = "uniform(-1/sqrt(d1), 1/sqrt(d1))"
"""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        init_(model, SEED, preset="pytorch", rules=rules)
        init_(model, SEED)
        stage = nn.ModuleDict({"0": nn.Embedding(10, 4)})
        init_(stage, SEED, preset="pytorch", rename=lambda name: "embed.weight")
    with pytest.warns(UserWarning, match="0.weight is kaiming_uniform"):
        init_(stage, SEED, preset="pytorch", rename=lambda name: "lookup.weight")


def test_stacks_that_the_built_in_rules_take_for_convolutions_are_named():
    model = nn.Module()
    model.conv = nn.Conv2d(3, 4, 3)
    model.mix = nn.Bilinear(3, 3, 2)
    model.w1 = nn.Parameter(torch.empty(8, 128, 256))
    with pytest.warns(UserWarning, match="those of a convolution") as caught:
        init_(model, SEED)
    (text,) = [str(warning.message) for warning in caught]
    assert "w1 [8, 128, 256] gets std 0.00758" in text and "conv." not in text and "mix" not in text
    rules = """
preset = "default"
[[rule]]
match = "w1"
init = "xavier_normal"
unstack = 0
"""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        init_(model, SEED, rules=rules)
    assert 0.07 < model.w1.std() < 0.074


def test_a_model_that_to_empty_has_untied_is_named():
    model = on_meta(MODELS["gpt2"])
    model.to_empty(device="cpu")
    # The preset gives both the same values; they are two parameters nonetheless.
    with pytest.warns(UntiedWarning, match=r"lm_head\.weight.*tie_weights"):
        init_(model, SEED)
    assert torch.equal(model.lm_head.weight, model.transformer.wte.weight)
    model.tie_weights()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UntiedWarning)
        filled(model, "gpt2")


def test_buffers_of_no_checkpoint_are_named():
    model = materialise(on_meta(MODELS["llama"]))
    with pytest.warns(UnfilledBufferWarning, match="model.rotary_emb.inv_freq"):
        init_(model, SEED)
    assert (model.model.rotary_emb.inv_freq == 77).all()
    compute_buffers(model)
    filled(model, "llama")
    assert torch.equal(model.model.rotary_emb.inv_freq, MODELS["llama"]().model.rotary_emb.inv_freq)


def test_partitions_of_deepspeed():
    model = Small()
    listing = manifest(model)
    model.first.weight.ds_shape = model.first.weight.shape
    model.first.weight.data = torch.empty(0)
    assert manifest(model) == listing
    with pytest.raises(ValueError, match=r"first\.weight: DeepSpeed ZeRO-3"):
        init_(model, SEED)
    # Inside GatheredParameters.
    model.first.weight.data = torch.empty(7, 5)
    assert same(init_(model, SEED).state_dict(), written(listing))


class Packed(torch.Tensor):
    """A subclass that nobody here knows, as those of quantisation libraries are."""


@pytest.mark.parametrize(
    "change, text",
    [
        (
            lambda m: m.register_buffer("position_ids", torch.zeros(1, 4, dtype=torch.int64)),
            "the model computes",
        ),
        (lambda m: m.first.to(torch.float8_e4m3fn), r"first\.weight, first\.bias: .*float8_e4m3fn can't"),
        (lambda m: m.first.to("meta"), r"first\.weight, first\.bias: the tensor is on the device meta"),
        (lambda m: m.register_buffer("packed", torch.zeros(2, 2).as_subclass(Packed)), "packed: .*Packed"),
        (lambda m: m.register_parameter("lazy", nn.UninitializedParameter()), "lazy: the lazy module"),
        (
            lambda m: m.register_buffer("scalar_x", torch.zeros(3, dtype=torch.complex128)),
            "scalar_x.*complex128",
        ),
    ],
)
def test_nothing_is_written_on_an_error(change, text):
    model = Small()
    change(model)
    for parameter in model.layers.parameters():
        parameter.data.fill_(77)
    with pytest.raises(ValueError, match=text):
        init_(model, SEED)
    assert all((parameter == 77).all() for parameter in model.layers.parameters())


def test_wrong_arguments():
    for options in [{"preset": "gpt9"}, {"rules": "[[rule]]\nmatch = 3"}, {"config": "{"}, {"manifest": "{"}]:
        with pytest.raises(ValueError):
            init_(Small(), SEED, **options)
    with pytest.raises(ValueError, match="copies from a checkpoint"):
        init_(Small(), SEED, rules='[[rule]]\nmatch = "*"\ncopy = true')
    with pytest.raises((ValueError, OverflowError)):
        init_(Small(), -1)
    with pytest.raises(FileNotFoundError):
        init_(Small(), SEED, rules="no/such/file.toml")
    for model in (Small().state_dict(), torch.zeros(2), nn.Linear, 42):
        with pytest.raises(TypeError, match="init_ takes a torch.nn.Module, not a "):
            init_(model, SEED)
        with pytest.raises(TypeError, match="manifest takes a torch.nn.Module, not a "):
            manifest(model)
    with pytest.raises(ValueError, match="no name in the safetensors format"):
        manifest(nn.ParameterDict({"x": nn.Parameter(torch.zeros(2, dtype=torch.complex128))}))


@pytest.mark.parametrize(
    "whole",
    ["[]", "3", {"parameters": 3}, {"parameters": {"weight": 3}}, {"weight": {"shape": 3, "dtype": "F32"}}],
)
def test_a_manifest_of_another_form_is_refused(whole):
    with pytest.raises(ValueError, match="the whole model's manifest"):
        init_(nn.Linear(2, 2), SEED, manifest=whole)
