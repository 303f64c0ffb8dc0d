"""Plans: rules and presets, and the bits of `seedbed init`."""

import json
import os
import subprocess

import ml_dtypes
import numpy as np
import pytest
import torch

from seedbed import Init, Key, Region, fill
from seedbed._native import Plan

DTYPES = {"F32": np.dtype(np.float32), "F16": np.dtype(np.float16), "BF16": np.dtype(ml_dtypes.bfloat16)}

RULES = """
[[rule]]
match = "*.qkv.weight"
split = { into = 3 }
names = ["..q.weight", "..k.weight", "..v.weight"]
init = ["xavier_uniform", "xavier_uniform", "normal(std=0.1)"]

[[rule]]
match = "*.columns.weight"
split = { axis = 1, into = 2 }
init = ["normal", "orthogonal"]

[[rule]]
match = "*.experts"
unstack = 0
names = ".<i>.weight"
init = "xavier_normal"

[[rule]]
match = "*.table"
init = "formula('cos(i1)+i0')"

[[rule]]
match = "*.noise"
init = "formula('n*i1')"

[[rule]]
match = "*.orthogonal"
init = "keras::orthogonal(gain=2)"

[[rule]]
match = "*.ids"
init = "arange()"

[[rule]]
match = "*.g"
init = "norm(of='.v')"

[[rule]]
match = "*.v"
init = "normal"
rows = { 0 = "zeros", -1 = "constant(0.5)" }

[[rule]]
match = "*.tied"
tie = "a.v"
"""

SHAPES = {
    "a.qkv.weight": ([24, 10], "F32"),
    "a.columns.weight": ([6, 8], "BF16"),
    "a.experts": ([4, 6, 10], "F32"),
    "a.table": ([300, 7], "F16"),
    "a.noise": ([30, 7], "F32"),
    "a.orthogonal": ([3, 3, 4, 8], "F32"),
    "a.ids": ([1, 77], "I64"),
    "a.v": ([5, 6], "F32"),
    "a.g": ([5], "F32"),
    "a.tied": ([5, 6], "F32"),
}


def manifest(shapes):
    parameters = {name: {"shape": shape, "dtype": dtype} for name, (shape, dtype) in shapes.items()}
    return json.dumps({"parameters": parameters})


def empty(shape, dtype):
    return np.zeros(shape, DTYPES.get(dtype, np.dtype(np.int64)))


def fill_all(plan, seed=42):
    return {name: plan.fill(name, empty(*SHAPES[name]), seed) for name in SHAPES}


def test_entries():
    plan = Plan(manifest(SHAPES), rules=RULES)
    plan.check()
    entries = {entry["name"]: entry for entry in plan.entries()}
    assert list(entries) == list(SHAPES) and len(plan) == len(SHAPES)
    assert "a.v" in plan and "b" not in plan
    ids = entries["a.ids"]
    assert (ids["shape"], ids["dtype"], ids["outcome"]) == ([1, 77], "I64", "make")
    qkv = entries["a.qkv.weight"]
    assert qkv["init"].startswith("2 x xavier_uniform") and "normal(mean=0,std=0.1)" in qkv["init"]
    assert qkv["rule"] == "rules, rule 1, line 2: *.qkv.weight"
    tied = entries["a.tied"]
    assert (tied["outcome"], tied["tied_to"], tied["problem"]) == ("tie", "a.v", None)


def test_parts_have_streams_of_their_own():
    made = fill_all(Plan(manifest(SHAPES), rules=RULES))
    key = Key(42)
    q = fill(np.empty((8, 10), np.float32), "xavier_uniform", key.named("a.q.weight"))
    v = fill(np.empty((8, 10), np.float32), "normal(std=0.1)", key.named("a.v.weight"))
    np.testing.assert_array_equal(made["a.qkv.weight"][:8], q)
    np.testing.assert_array_equal(made["a.qkv.weight"][16:], v)
    expert = fill(np.empty((6, 10), np.float32), "xavier_normal", key.named("a.2.weight"))
    np.testing.assert_array_equal(made["a.experts"][2], expert)
    np.testing.assert_array_equal(made["a.ids"][0], np.arange(77))
    np.testing.assert_array_equal(made["a.tied"], made["a.v"])
    np.testing.assert_allclose(made["a.g"], np.linalg.norm(made["a.v"].astype(np.float64), axis=1), rtol=1e-6)


def test_a_seed_is_a_key():
    plan = Plan(manifest(SHAPES), rules=RULES)
    for name, expected in fill_all(plan, 42).items():
        np.testing.assert_array_equal(plan.fill(name, empty(*SHAPES[name]), Key(42)), expected)
    assert (fill_all(plan, 43)["a.noise"] != fill_all(plan, 42)["a.noise"]).any()


@pytest.mark.parametrize("name", SHAPES)
def test_regions_are_parts_of_the_whole(name):
    plan = Plan(manifest(SHAPES), rules=RULES)
    shape, dtype = SHAPES[name]
    whole = plan.fill(name, empty(shape, dtype), 42)
    count, region = whole.size, Region(shape)
    for start in range(0, count, max(1, count // 7)):
        for stop in range(start, count + 1, max(1, count // 5)):
            x = plan.fill(name, empty(stop - start, dtype), 42, region.elements(start, stop))
            np.testing.assert_array_equal(x, whole.reshape(-1)[start:stop])
    for cut in range(3):
        start = [min(cut, n - 1) for n in shape]
        local = [n - a - (1 if n - a > 2 else 0) for n, a in zip(shape, start)]
        box = tuple(slice(a, a + n) for a, n in zip(start, local))
        x = plan.fill(name, empty(local, dtype), 42, region.shard(start, local))
        np.testing.assert_array_equal(x, whole[box])
        # The same in columns of a larger array, and transposed.
        larger = empty([*local[:-1], local[-1] + 3], dtype)
        x = plan.fill(name, larger[..., 1 : 1 + local[-1]], 42, region.shard(start, local))
        np.testing.assert_array_equal(x, whole[box])
        assert not larger[..., 0].any() and not larger[..., -2:].any()
        x = plan.fill(name, empty(local[::-1], dtype).T, 42, region.shard(start, local))
        np.testing.assert_array_equal(x, whole[box])


def test_large_split_parameters():
    plan = Plan(manifest({"a.qkv.weight": ([3000, 1000], "BF16")}), rules=RULES)
    whole = plan.fill("a.qkv.weight", empty([3000, 1000], "BF16"), 1)
    x = plan.fill(
        "a.qkv.weight", empty([2100, 300], "BF16"), 1, Region([3000, 1000]).shard([500, 400], [2100, 300])
    )
    np.testing.assert_array_equal(x.view(np.uint16), whole[500:2600, 400:700].view(np.uint16))


def test_tensors_of_pytorch():
    plan = Plan(manifest(SHAPES), rules=RULES)
    for name, expected in fill_all(plan).items():
        dtypes = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
        x = torch.zeros(SHAPES[name][0], dtype=dtypes[SHAPES[name][1]])
        assert plan.fill(name, x, 42) is x
        assert x.view(torch.uint8).numpy().tobytes() == expected.tobytes()


def test_presets_and_configurations():
    shapes = {
        "transformer.h.0.attn.c_proj.weight": ([768, 768], "F32"),
        "transformer.wte.weight": ([100, 768], "F32"),
    }
    config = json.dumps({"model_type": "gpt2", "n_layer": 8, "initializer_range": 0.04})
    for arguments in [{"preset": "gpt2"}, {}]:
        plan = Plan(manifest(shapes), config=config, strip_prefix=["transformer."], **arguments)
        first, second = plan.entries()
        assert second["std"] == 0.04 and second["stream"] == "wte.weight"
        assert first["std"] == pytest.approx(0.04 / 2**0.5)  # one layer
        x = plan.fill(first["name"], empty([768, 768], "F32"), 9)
        expected = fill(empty([768, 768], "F32"), first["init"], Key(9).named("h.0.attn.c_proj.weight"))
        np.testing.assert_array_equal(x, expected)
    with pytest.raises(ValueError, match='there is no preset "gpt3"; there are default, pytorch, keras'):
        Plan(manifest(shapes), preset="gpt3")
    half = Plan(manifest(shapes), preset="gpt2", dtype="bfloat16", config=config)
    assert half.entries()[0]["dtype"] == "BF16"


def test_mistakes():
    shapes = {"a": ([2, 3], "F32"), "b": ([4], "F32"), "c": ([4], "F32"), "d": ([4], "F32")}
    rules = """
[[rule]]
match = "a"
copy = true
[[rule]]
match = "b"
skip = true
[[rule]]
match = "c"
refuse = "no initialiser is right"
"""
    plan = Plan(manifest(shapes), rules=rules)
    outcomes = [entry["outcome"] for entry in plan.entries()]
    assert outcomes == ["error", "skip", "error", "error"]
    with pytest.raises(ValueError, match="no initialiser is right for"):
        plan.check()
    for name, message in [
        ("a", "copy"),
        ("b", "the rules skip the parameter"),
        ("c", "no initialiser is right"),
        ("d", "no rule matches"),
        ("e", "has no parameter"),
    ]:
        with pytest.raises(ValueError, match=message):
            plan.fill(name, np.zeros(4, np.float32), 1)
    for text, message in [
        ("", "EOF"),
        ("[]", "sequence"),
        ('{"w": {"shape": [-1], "dtype": "F32"}}', "-1"),
        ('{"w": {"shape": [1], "dtype": "F33"}}', "F33"),
        ('{"w": {"shape": [1], "dtype": "F32"}, "w": {"shape": [1], "dtype": "F32"}}', "w"),
    ]:
        with pytest.raises(ValueError, match=message):
            Plan(text)


def test_shapes_and_types_that_differ_from_the_manifest():
    plan = Plan(manifest(SHAPES), rules=RULES)
    with pytest.raises(ValueError, match=r"has the shape \[5, 6\] in the manifest, and \[6, 5\] here"):
        plan.fill("a.v", np.zeros((6, 5), np.float32), 1)
    with pytest.raises(ValueError, match="is F32 in the manifest, and F16 here"):
        plan.fill("a.v", np.zeros((5, 6), np.float16), 1)
    with pytest.raises(TypeError):
        plan.fill("a.v", [1], 1)


def test_the_program_writes_the_same(tmp_path):
    program = os.environ.get("SEEDBED_BIN")
    if program is None:
        pytest.skip("SEEDBED_BIN names no program")
    (tmp_path / "model.json").write_text(manifest(SHAPES))
    (tmp_path / "rules.toml").write_text(RULES)
    output = tmp_path / "out.safetensors"
    arguments = [
        "init",
        str(tmp_path / "model.json"),
        "--rules",
        str(tmp_path / "rules.toml"),
        "-o",
        str(output),
    ]
    subprocess.run(
        [program, *arguments, "--seed", "42", "--adapter", "host"], check=True, capture_output=True
    )
    data = output.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    for name, expected in fill_all(Plan(manifest(SHAPES), rules=RULES)).items():
        start, stop = header[name]["data_offsets"]
        assert data[8 + length :][start:stop] == expected.tobytes(), name


def test_remedies_have_the_words_of_python():
    def plan(shape=(2,), dtype="F32", **options):
        return Plan(json.dumps({"w": {"shape": list(shape), "dtype": dtype}}), **options)

    def rules(outcome):
        return f"[[rule]]\nmatch = '*'\n{outcome}\n"

    def of_plan(**options):
        found = plan(**options)
        texts = [entry["problem"] or "" for entry in found.entries()] + found.warnings
        with pytest.raises(ValueError) as error:
            found.check()
        return "\n".join([*texts, str(error.value)])

    def raised(call):
        with pytest.raises(ValueError) as error:
            call()
        return str(error.value)

    two = json.dumps({name: {"shape": [2, 2], "dtype": "F32"} for name in ("a", "b")})
    texts = {
        "fill one of them": of_plan(dtype="F64", rules=rules("init = 'normal()'")),
        "a rule with `skip = true`": of_plan(dtype="I64", rules=rules("init = 'normal()'")),
        "Init.signatures()": raised(lambda: Init("glorot()")),
        "a rule has a `match`": raised(lambda: plan(rules="\n")),
        "give rules= with one before": of_plan(preset="pytorch"),
        "load the checkpoint": of_plan(rules=rules("copy = true")),
        "entries() lists both": raised(Plan(two, rules=rules("init = 'dirac()'")).check),
        "# or: init": of_plan(rules=rules("refuse = 'no'")),
        "; or: skip = true": of_plan(),
        "makes no BOOL": raised(lambda: fill(np.zeros(2, np.bool_), "normal()", Key(1))),
    }
    for words, text in texts.items():
        assert words in text, text
        for of_program in ("--", "`seedbed", "copy = true"):
            assert of_program not in text, text
