"""preset_facts.py measures how each framework initialises its own models.

    python scripts/preset_facts/preset_facts.py model/tests/facts [CASE ...]

For each case the script builds one small model with many seeds and writes CASE.json:
the name, shape, element type and law of each parameter. README.md beside this file
describes the format. The same versions of the packages give the same files again.
"""

import json
import math
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import keras
import numpy as np
import torch
import torchvision
import transformers as hf
from scipy import stats
from torch import nn

SAMPLES = 200_000  # wanted for each random parameter; more seeds are taken until there are as many
# The law of Mamba's dt_proj.bias is so near to a uniform one that fewer samples do not tell them apart.
SAMPLES_OF = {"mamba": 400_000}
MAX_SEEDS = 2_000  # the end for parameters so small that SAMPLES would take too long
MAX_VALUES = 4_096  # a longer tensor is not written out
# A Kolmogorov-Smirnov statistic (times the square root of the sample's size) beyond KS_LIMIT rules a law
# out. A right law exceeds the limit once in 100,000 times.
KS_LIMIT = 2.5
# Each framework cuts its truncated normal at 2 standard deviations. The cut takes this much of the spread.
TRUNCATED_STD = stats.truncnorm(-2, 2).std()
DTYPES = {
    "float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16",
    "int64": "I64", "int32": "I32", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip


# ---- From many seeds to a law


def number(value):
    """A number as JSON, with 9 significant digits: enough for each f32."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    return float(f"{value:.9g}")


def is_orthogonal(matrix):
    """Tells whether the shorter side's vectors of a matrix are orthogonal and equally long."""
    matrix = matrix.astype(np.float64)
    if min(matrix.shape) < 2:
        return False
    gram = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    return np.allclose(gram / gram[0, 0], np.eye(len(gram)), atol=1e-4)


def random_law(tensors, samples):
    """The distribution of the elements of several tensors of one shape."""
    x = np.concatenate([t.reshape(-1) for t in tensors]).astype(np.float64)
    mean, std, low, high = x.mean(), x.std(), x.min(), x.max()
    law = {"mean": mean, "std": std, "min": low, "max": high}
    law = {key: number(value) for key, value in law.items()} | {"samples": len(x)}

    first = tensors[0]
    if first.ndim >= 2:
        # Frameworks differ in which dimensions they join to make a matrix of a tensor.
        for matrix in (first.reshape(first.shape[0], -1), first.reshape(-1, first.shape[-1])):
            if is_orthogonal(matrix):
                gain = np.linalg.norm(matrix.astype(np.float64), axis=int(matrix.shape[0] < matrix.shape[1]))
                return {"distribution": "orthogonal", "gain": number(gain.mean())} | law

    candidates = {
        "normal": stats.norm(mean, std),
        "uniform": stats.uniform(low, high - low),
        "truncated_normal": stats.truncnorm(-2, 2, loc=mean, scale=std / TRUNCATED_STD),
    }
    sample = x[:samples]
    distances = {name: stats.kstest(sample, law_.cdf).statistic for name, law_ in candidates.items()}
    best = min(distances, key=distances.get)
    if distances[best] * math.sqrt(len(sample)) > KS_LIMIT:
        quantiles = {str(q): number(np.quantile(x, q)) for q in (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)}
        return {"distribution": "other"} | law | {"quantiles": quantiles}
    return {"distribution": best} | law


def check_even(name, tensors):
    """Stops where a slice of a parameter is wider or narrower than the rest: one law would hide that."""
    x = np.stack(tensors).astype(np.float64)
    square = (x - x.mean()) ** 2
    for axis in range(1, x.ndim):
        others = tuple(a for a in range(x.ndim) if a != axis)
        count = x.size / x.shape[axis]
        z = (square.mean(axis=others) - square.mean()) / (square.std() / math.sqrt(count))
        if np.abs(z).max() > 7:
            sys.exit(f"{name}: slice {np.abs(z).argmax()} of dimension {axis - 1} has a spread of its own")


def law_of(name, tensors, same, samples):
    """The law of one parameter. `tensors` come from different seeds; `same`: all seeds agree."""
    first = tensors[0]
    if same:
        if (first == first.flat[0]).all():
            return {"constant": number(first.flat[0])}
        if first.size > MAX_VALUES:
            sys.exit(f"{name}: {first.size} values that no seed changes are too many to write")
        return {"values": [number(v) for v in first.reshape(-1)]}

    special = {}
    if first.ndim >= 2:
        rows = np.concatenate([t.reshape(t.shape[0], -1) for t in tensors], axis=1)
        for row in np.flatnonzero((rows == rows[:, :1]).all(axis=1)):
            special[int(row)] = {"constant": number(rows[row, 0])}
    if special:
        keep = [row for row in range(first.shape[0]) if row not in special]
        tensors = [t[keep] for t in tensors]
    law = random_law(tensors, samples)
    if law["distribution"] != "orthogonal":
        check_even(name, tensors)
    return {"rows": {str(row): each for row, each in special.items()}, "others": law} if special else law


def measure(build, samples):
    """Builds a model with one seed after another. Returns the number of seeds and the parameters' laws."""
    tensors, ties, dtypes, random, counts = {}, {}, {}, set(), {}
    seed = 0
    while True:
        owners = {}
        for name, tensor, owner in build(seed):
            if owners.setdefault(owner, name) != name:
                ties[name] = owners[owner]
                tensors.setdefault(name, [tensor])
            elif seed == 0:
                tensors[name], counts[name] = [tensor], tensor.size
            else:
                if name not in random and not np.array_equal(tensor, tensors[name][0], equal_nan=True):
                    if seed > 1:
                        sys.exit(f"{name}: seed 0 and seed 1 agree, but seed {seed} differs")
                    random.add(name)
                if name in random and counts[name] < samples:
                    tensors[name].append(tensor)
                    counts[name] += tensor.size
            dtypes[name] = str(tensor.dtype)
        seed += 1
        if seed >= MAX_SEEDS or seed > 2 and all(counts[name] >= samples for name in random):
            break

    parameters = {}
    for name, each in tensors.items():
        law = {"tied": ties[name]} if name in ties else law_of(name, each, name not in random, samples)
        parameters[name] = {"shape": list(each[0].shape), "dtype": DTYPES[dtypes[name]], "law": law}
    return seed, parameters


# ---- Models
# A builder is called with a seed and yields (name, array, owner of the memory) for each tensor.


def torch_model(make):
    """The state_dict of a torch module."""

    def build(seed):
        torch.manual_seed(seed)
        for name, tensor in make().state_dict().items():
            owner = (tensor.data_ptr(), tensor.shape) if tensor.numel() else name
            yield name, tensor.detach().cpu().numpy(), owner

    return build


def hf_model(kind, config):
    """The state_dict of a model of transformers. The constructor itself initialises the weights."""
    return torch_model(lambda: kind(config))


def hf_saved(kind, config):
    """The file that save_pretrained writes: its names are those of the checkpoints that people share."""
    from safetensors.numpy import load_file

    def build(seed):
        torch.manual_seed(seed)
        model = kind(config)
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            for name, tensor in load_file(Path(folder) / "model.safetensors").items():
                yield name, tensor, name

    return build


def keras_layers(make):
    """The weights of Keras layers, under the names that `variable.path` tells."""

    def build(seed):
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        for layer in make():
            for weight in layer.weights:
                yield weight.path, keras.ops.convert_to_numpy(weight.value), weight.path

    return build


class TorchLayers(nn.Module):
    """The layers of torch.nn that have parameters. Sizes differ, so that fan_in and fan_out differ too."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(96, 160)
        self.bilinear = nn.Bilinear(24, 36, 100)
        self.conv1d = nn.Conv1d(24, 100, 5)
        self.conv2d = nn.Conv2d(24, 100, (3, 5), dilation=2)
        self.conv2d_grouped = nn.Conv2d(24, 120, 3, groups=4)
        self.conv2d_depthwise = nn.Conv2d(120, 120, 3, groups=120)
        self.conv3d = nn.Conv3d(8, 100, (2, 3, 3))
        self.conv_transpose2d = nn.ConvTranspose2d(24, 100, 3)
        self.conv_transpose2d_grouped = nn.ConvTranspose2d(24, 120, 3, groups=4)
        self.embedding = nn.Embedding(50, 24)
        self.embedding_padded = nn.Embedding(50, 24, padding_idx=3)
        self.embedding_bag = nn.EmbeddingBag(50, 24)
        self.lstm = nn.LSTM(24, 36, num_layers=2, bidirectional=True)
        self.lstm_projected = nn.LSTM(24, 36, num_layers=2, proj_size=20)
        self.gru = nn.GRU(24, 36, num_layers=2)
        self.rnn = nn.RNN(24, 100, num_layers=2)
        self.lstm_cell = nn.LSTMCell(24, 36)
        self.gru_cell = nn.GRUCell(24, 36)
        self.rnn_cell = nn.RNNCell(24, 100)
        self.attention = nn.MultiheadAttention(96, 4)
        self.attention_kv = nn.MultiheadAttention(96, 4, kdim=40, vdim=56, add_bias_kv=True)
        encoder_layer = nn.TransformerEncoderLayer(96, 4, 160)
        self.encoder = nn.TransformerEncoder(encoder_layer, 2, enable_nested_tensor=False)
        self.decoder_layer = nn.TransformerDecoderLayer(96, 4, 160)
        self.layer_norm = nn.LayerNorm(24)
        self.rms_norm = nn.RMSNorm(24)
        self.group_norm = nn.GroupNorm(4, 24)
        self.batch_norm = nn.BatchNorm2d(24)
        self.instance_norm = nn.InstanceNorm2d(24, affine=True)
        self.instance_norm_tracked = nn.InstanceNorm2d(24, affine=True, track_running_stats=True)
        self.prelu = nn.PReLU(24)


def keras_list():
    """The layers of Keras that have weights."""
    layers = keras.layers
    image, sequence, vector = (8, 9, 24), (7, 24), (96,)
    for layer, *shapes in [
        (layers.Dense(160), vector),
        (layers.EinsumDense("abc,cd->abd", output_shape=(None, 40), bias_axes="d"), sequence),
        (layers.EinsumDense("abc,cde->abde", output_shape=(None, 5, 12), bias_axes="de"), sequence),
        (layers.Conv1D(40, 3), sequence),
        (layers.Conv2D(40, (3, 5)), image),
        (layers.Conv3D(12, (2, 3, 3)), (8, 8, 8, 6)),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), image),
        (layers.SeparableConv2D(40, 3, depth_multiplier=2), image),
        (layers.Conv1DTranspose(40, 3), sequence),
        (layers.Conv2DTranspose(40, 3), image),
        (layers.LSTM(36), sequence),
        (layers.GRU(36), sequence),
        (layers.SimpleRNN(36), sequence),
        (layers.Bidirectional(layers.LSTM(20)), sequence),
        (layers.MultiHeadAttention(4, 20, value_dim=16), sequence, sequence),
        (layers.GroupQueryAttention(20, 4, 2), sequence, sequence),
        (layers.BatchNormalization(), image),
        (layers.LayerNormalization(), sequence),
        (layers.RMSNormalization(), sequence),
        (layers.GroupNormalization(4), image),
        (layers.UnitNormalization(), sequence),
        (layers.PReLU(), vector),
        (layers.Embedding(50, 24), (7,)),
    ]:
        layer.build(*[(None, *shape) for shape in shapes])
        yield layer


# ---- Cases


def cases():
    """Yields (case, preset, source, config, builder)."""

    def transformers_case(case, preset, kind, config, saved=False):
        source = f"transformers {hf.__version__} {kind.__name__}" + (", save_pretrained" if saved else "")
        config.architectures, config.dtype = [kind.__name__], "float32"
        entries = json.loads(config.to_json_string())
        entries.pop("transformers_version")
        return case, preset, source, entries, (hf_saved if saved else hf_model)(kind, config)

    tall = dict(vocab_size=97, hidden_size=48, intermediate_size=112, num_hidden_layers=3)
    llama = dict(tall, num_attention_heads=4, num_key_value_heads=2, head_dim=20)
    qwen2 = dict(tall, num_attention_heads=4, num_key_value_heads=2)
    wide = dict(initializer_range=0.05)

    gpt2 = dict(vocab_size=97, n_positions=40, n_embd=48, n_layer=3, n_head=4, n_inner=112)
    yield transformers_case("gpt2", "gpt2", hf.GPT2LMHeadModel, hf.GPT2Config(**gpt2))
    untied = dict(wide, n_layer=5, tie_word_embeddings=False, add_cross_attention=True)
    yield transformers_case("gpt2-range", "gpt2", hf.GPT2LMHeadModel, hf.GPT2Config(**{**gpt2, **untied}))
    yield transformers_case("gpt2-base", "gpt2", hf.GPT2Model, hf.GPT2Config(**gpt2))

    yield transformers_case("llama", "llama", hf.LlamaForCausalLM, hf.LlamaConfig(**llama))
    biases = dict(wide, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, pad_token_id=5)
    yield transformers_case("llama-range", "llama", hf.LlamaForCausalLM, hf.LlamaConfig(**llama, **biases))
    yield transformers_case("llama-base", "llama", hf.LlamaModel, hf.LlamaConfig(**llama))
    yield transformers_case("mistral", "llama", hf.MistralForCausalLM, hf.MistralConfig(**llama))
    yield transformers_case("qwen2", "llama", hf.Qwen2ForCausalLM, hf.Qwen2Config(**qwen2))
    yield transformers_case("qwen3", "llama", hf.Qwen3ForCausalLM, hf.Qwen3Config(**llama, **wide))

    bert = dict(tall, num_attention_heads=4, max_position_embeddings=40)
    yield transformers_case("bert", "bert", hf.BertForPreTraining, hf.BertConfig(**bert))
    yield transformers_case("bert-range", "bert", hf.BertForMaskedLM, hf.BertConfig(**bert, **wide))
    yield transformers_case("bert-base", "bert", hf.BertModel, hf.BertConfig(**bert))
    classes = hf.BertConfig(**bert, num_labels=5)
    yield transformers_case("bert-classifier", "bert", hf.BertForSequenceClassification, classes)

    t5 = dict(vocab_size=97, d_model=48, d_ff=112, d_kv=20, num_heads=4, num_layers=3)
    shorter = hf.T5Config(**t5, num_decoder_layers=2)
    yield transformers_case("t5", "t5", hf.T5ForConditionalGeneration, shorter)
    gated = dict(feed_forward_proj="gated-gelu", initializer_factor=0.5)
    yield transformers_case("t5-factor", "t5", hf.T5ForConditionalGeneration, hf.T5Config(**t5, **gated))
    yield transformers_case("t5-encoder", "t5", hf.T5EncoderModel, hf.T5Config(**t5))
    yield transformers_case("mt5", "t5", hf.MT5ForConditionalGeneration, hf.MT5Config(**t5))

    vit = dict(hidden_size=48, intermediate_size=112, num_hidden_layers=3, num_attention_heads=4)
    vit |= dict(image_size=32, patch_size=8)
    for case, saved in (("vit", False), ("vit-saved", True)):
        classes = hf.ViTConfig(**vit, num_labels=5)
        yield transformers_case(case, "vit", hf.ViTForImageClassification, classes, saved)
    yield transformers_case("vit-range", "vit", hf.ViTForImageClassification, hf.ViTConfig(**vit, **wide))
    yield transformers_case("vit-base", "vit", hf.ViTModel, hf.ViTConfig(**vit))
    masked = hf.ViTConfig(**vit, encoder_stride=8)
    yield transformers_case("vit-mask", "vit", hf.ViTForMaskedImageModeling, masked)

    experts = dict(moe_intermediate_size=40, num_experts=3, num_experts_per_tok=2, num_hidden_layers=2)
    shared = dict(shared_expert_intermediate_size=72)
    for suffix, saved in (("", False), ("-saved", True)):
        mixtral = hf.MixtralConfig(**{**llama, "num_hidden_layers": 2}, num_local_experts=3)
        yield transformers_case("mixtral" + suffix, "mixtral", hf.MixtralForCausalLM, mixtral, saved)
        qwen2_moe = hf.Qwen2MoeConfig(**{**qwen2, **experts, **shared})
        yield transformers_case("qwen2-moe" + suffix, "mixtral", hf.Qwen2MoeForCausalLM, qwen2_moe, saved)
        qwen3_moe = hf.Qwen3MoeConfig(**{**llama, **experts})
        yield transformers_case("qwen3-moe" + suffix, "mixtral", hf.Qwen3MoeForCausalLM, qwen3_moe, saved)
    mixtral = hf.MixtralConfig(**{**llama, "num_hidden_layers": 2}, num_local_experts=3, **wide)
    yield transformers_case("mixtral-range", "mixtral", hf.MixtralForCausalLM, mixtral)

    mamba = dict(vocab_size=97, hidden_size=48, state_size=8, num_hidden_layers=3)
    wider = hf.MambaConfig(**{**mamba, "hidden_size": 112})
    yield transformers_case("mamba", "mamba", hf.MambaForCausalLM, wider)
    steps = dict(time_step_rank=5, time_step_scale=2.0, time_step_min=0.01, time_step_max=0.2)
    steps |= dict(wide, rescale_prenorm_residual=True, use_bias=True, tie_word_embeddings=False)
    yield transformers_case("mamba-range", "mamba", hf.MambaForCausalLM, hf.MambaConfig(**mamba, **steps))
    steps = dict(time_step_init_scheme="constant", time_step_floor=0.01)
    yield transformers_case("mamba-base", "mamba", hf.MambaModel, hf.MambaConfig(**mamba, **steps))

    stages = dict(depths=[1, 1, 2, 1], num_labels=20)
    resnet = hf.ResNetConfig(embedding_size=16, hidden_sizes=[32, 48, 64, 80], **stages)
    yield transformers_case("resnet-hf", "resnet", hf.ResNetForImageClassification, resnet)
    convnext = dict(hidden_sizes=[16, 24, 40, 56], **stages)
    yield transformers_case(
        "convnext-hf", "convnext", hf.ConvNextForImageClassification, hf.ConvNextConfig(**convnext)
    )
    convnext = hf.ConvNextConfig(**convnext, **wide, layer_scale_init_value=0.001)
    yield transformers_case("convnext-hf-range", "convnext", hf.ConvNextForImageClassification, convnext)

    vision = torchvision.__version__.split("+")[0]
    for case, preset, make in [
        ("resnet18", "resnet", torchvision.models.resnet18),
        ("resnet50", "resnet", torchvision.models.resnet50),
        ("convnext-tiny", "convnext", torchvision.models.convnext_tiny),
    ]:
        yield case, preset, f"torchvision {vision} {make.__name__}", None, torch_model(make)

    version = torch.__version__.split("+")[0]
    yield "pytorch", "pytorch", f"torch {version} torch.nn", None, torch_model(TorchLayers)
    source = f"keras {keras.__version__} keras.layers"
    yield "keras", "keras", source, None, keras_layers(keras_list)


def write(path, facts):
    """Writes the facts with one parameter on a line, so that a change shows where it is."""
    parameters = facts.pop("parameters")
    head = "".join(f" {json.dumps(key)}: {json.dumps(value)},\n" for key, value in facts.items())
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in parameters.items())
    path.write_text(f'{{\n{head} "parameters": {{\n{lines}\n }}\n}}\n')


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: preset_facts.py FOLDER [CASE ...]")
    folder, chosen = Path(sys.argv[1]), sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()
    torch.set_num_threads(1)
    known = []
    for case, preset, source, config, build in cases():
        known.append(case)
        if chosen and case not in chosen:
            continue
        start = time.monotonic()
        seeds, parameters = measure(build, SAMPLES_OF.get(case, SAMPLES))
        facts = {"preset": preset, "source": source, "config": config, "seeds": seeds}
        write(folder / f"{case}.json", facts | {"parameters": parameters})
        spent = time.monotonic() - start
        print(f"{case}: {len(parameters)} parameters, {seeds} seeds, {spent:.0f} s", flush=True)
    if unknown := set(chosen) - set(known):
        sys.exit(f"unknown case {', '.join(sorted(unknown))}; the cases are {', '.join(known)}")


if __name__ == "__main__":
    main()
