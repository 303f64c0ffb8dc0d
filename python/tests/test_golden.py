"""Known answers: the golden lists of fills, PyTorch's stateless generator, and the program `seedbed`."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch

from seedbed import Key, Region, fill

FOLDER = Path(__file__).resolve().parents[2] / "tests"
LISTS = json.loads((FOLDER / "programs/fills.json").read_text())["lists"]
DTYPES = {"f32": np.dtype(np.float32), "f16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}


def key_of(golden, entry):
    if "name" in entry:
        return Key(int(golden["seed"])).named(entry["name"])
    return Key(int(entry["key"]["seed"]), int(entry["key"]["offset"]))


def region_of(entry):
    part = entry.get("region")
    region = Region([int(n) for n in entry["shape"]])
    if part is None:
        return region
    if "elements" in part:
        return region.elements(*map(int, part["elements"]))
    return region.shard([int(n) for n in part["start"]], [int(n) for n in part["shape"]])


@pytest.mark.parametrize("golden", LISTS, ids=[golden["name"] for golden in LISTS])
def test_golden_list(golden):
    if any("init" not in entry for entry in golden["fills"]):
        pytest.skip("raw words are no initialiser's")
    buffers = [bytearray([buffer["prefill"]]) * buffer["bytes"] for buffer in golden["buffers"]]
    for entry in golden["fills"]:
        dtype, region = DTYPES[entry["dtype"]], region_of(entry)
        shape = region.local_shape
        strides = list(np.empty(shape, np.uint8).strides)
        strides = [stride * dtype.itemsize for stride in strides]
        if len(shape) > 1 and "rowPitch" in entry:
            row = shape[-1] * dtype.itemsize
            strides = [s // row * entry["rowPitch"] for s in strides[:-1]] + strides[-1:]
        x = np.ndarray(shape, dtype, buffers[entry["buffer"]], entry["offset"], strides)
        fill(x, entry["init"], key_of(golden, entry), region=region)
    for buffer, expected in zip(buffers, golden["buffers"], strict=True):
        assert hashlib.sha256(buffer).hexdigest() == expected["sha256"]


def test_every_initialiser_is_in_a_golden_list():
    from seedbed import Init

    named = {
        entry["init"].partition("(")[0] for golden in LISTS for entry in golden["fills"] if "init" in entry
    }
    names = {signature.partition("(")[0] for signature in Init.signatures()}
    of_rules = {"arange", "formula", "keras::orthogonal", "jax::orthogonal", "jax::delta_orthogonal"}
    missing = {name for name in names - of_rules if name not in named}
    # A member of the family of variance scaling is displayed under one name of several.
    assert {name for name in missing if "::" not in name} == set()


def test_vectors_of_the_stateless_generator():
    cases = json.loads((FOLDER / "vectors/torch_stateless.json").read_text())["cases"]
    assert len(cases) > 5
    for case in cases:
        key = Key(int(case["seed"], 16), int(case["offset"], 16))
        assert [(k.seed, k.offset) for k in key.split(3)] == [
            (int(a, 16), int(b, 16)) for a, b in case["split3"]
        ]
        for data, (seed, offset) in case["fold_in"].items():
            assert key.fold_in(int(data)) == Key(int(seed, 16), int(offset, 16))


def test_keys_of_the_installed_stateless_generator():
    random = pytest.importorskip("torch.func._random")
    for seed in [0, 1, 42, 2**63 + 5, 2**64 - 1]:
        ours, theirs = Key(seed), random.key(seed)
        for _ in range(3):
            pairs = [tuple(pair) for pair in random.split(theirs, 5).numpy().tolist()]
            assert [(k.seed, k.offset) for k in ours.split(5)] == pairs
            assert random.fold_in(theirs, 7).numpy().tolist() == [
                ours.fold_in(7).seed,
                ours.fold_in(7).offset,
            ]
            ours, theirs = ours.fold_in(123), random.fold_in(theirs, 123)


def test_values_of_the_installed_stateless_generator():
    random = pytest.importorskip("torch.func._random")
    theirs = random.fold_in(random.key(42), 3)
    ours = fill(torch.empty(1000), "normal", Key(42).fold_in(3))
    torch.testing.assert_close(ours, random.normal(theirs, (1000,)), rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    "init, shape",
    [
        ("trunc_normal(std=0.02)", (40, 30)),
        ("orthogonal(gain=2)", (20, 30)),
        ("jax::delta_orthogonal()", (3, 3, 8, 16)),
        ("keras::orthogonal", (3, 3, 4, 8)),
        ("jax::orthogonal(column_axis=1)", (5, 6, 7)),
        ("nn.init.kaiming_uniform_(w, a=math.sqrt(5))", (16, 3, 3, 3)),
        ("normal(std=1/sqrt(fan_in))", (64, 48)),
        ("formula('n*i/d0')", (100, 7)),
        ("arange(start=1, step=-0.5)", (70,)),
    ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_program_writes_the_same(init, shape, dtype, tmp_path):
    program = os.environ.get("SEEDBED_BIN")
    if program is None:
        pytest.skip("SEEDBED_BIN names no program")
    path = tmp_path / "x.safetensors"
    text = ",".join(map(str, shape))
    arguments = [init, "--shape", text, "--dtype", dtype, "--seed", "7", "-o", str(path), "--adapter", "host"]
    subprocess.run([program, "fill", *arguments], check=True, capture_output=True)
    x = fill(np.empty(shape, DTYPES[dtype]), init, Key(7))
    # The data follow the header.
    assert path.read_bytes().endswith(x.tobytes())
    assert len(path.read_bytes()) < x.nbytes + 2000
