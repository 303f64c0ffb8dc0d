"""The code of docs/distributed/pytorch.md runs on four ranks, and the models of its sections are equal."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import torch
from mesh_models import MODELS, digest, fsdp2, gathered, materialise, on_meta, reset
from ranks import spawn
from torch import nn

PAGE = Path(__file__).resolve().parents[2] / "docs" / "distributed" / "pytorch.md"


class Block(nn.Module):
    def __init__(self, config: None) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(6, 20), nn.Linear(20, 6)


class Transformer(nn.Module):
    def __init__(self, config: None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(config) for _ in range(16))


def sections() -> dict[str, str]:
    """The Python of each section, for machines without a GPU."""
    code = {}
    for section in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        if blocks:
            text = "\n".join(blocks).replace('"cuda"', '"cpu"')
            code[section.splitlines()[0]] = text.replace("torch.cuda.current_device()", 'torch.device("cpu")')
    return code


def run(rank: int, world: int) -> dict[str, object]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel

    import seedbed.torch
    from seedbed.torch import UnfilledBufferWarning, UntiedWarning

    warnings.simplefilter("ignore", UnfilledBufferWarning)
    single = seedbed.torch.init_(Transformer(None), 42)
    results: dict[str, object] = {"one device": digest(single.state_dict())}
    # A section may use what an earlier one imports, and makes a model of its own.
    names = {"Transformer": Transformer, "Block": Block, "config": None}
    for title, code in sections().items():
        names.pop("model", None)
        names.pop("mesh", None)
        if title.startswith(("Buffers", "transformers")):
            names["model"] = on_meta(MODELS["gpt2"])
            fsdp2(names["model"], init_device_mesh("cpu", (world,)))
            materialise(names["model"])
        elif title == "Which rules":
            names["model"] = single
            code = code.replace('open("model.json", "w")', "__import__('io').StringIO()")
        exec(compile(code, f"{PAGE.name}: {title}", "exec"), names)
        if title.startswith("transformers"):
            own = digest(gathered(names["model"].state_dict()))
            reset(names["model"])
            warnings.simplefilter("error", UntiedWarning)
            seedbed.torch.init_(names["model"], 42)
            results["transformers"] = own == digest(gathered(names["model"].state_dict()))
        elif title.startswith("Pipeline"):
            layer = single.layers[15]
            results["stage"] = torch.equal(names["stage"][7].up.weight, layer.up.weight)
        elif title == "FSDP1":
            with FullyShardedDataParallel.summon_full_params(names["model"], writeback=False):
                results[title] = digest(names["model"].module.state_dict())
        elif "preset" in code:
            whole = seedbed.torch.init_(Transformer(None), 42, preset="pytorch").state_dict()
            results[title] = digest(gathered(names["model"].state_dict())) == digest(whole)
        elif "model" in names and "mesh" in names:
            results[title] = digest(gathered(names["model"].state_dict()))
    return results


def test_the_code_of_the_page():
    results = spawn(4, run)
    assert all(result == results[0] for result in results)
    single = results[0]["one device"]
    assert results[0] == {
        "one device": single,
        "FSDP2": True,
        "Tensor parallel, and FSDP2 with tensor parallel": single,
        "FSDP1": single,
        "transformers": True,
        "stage": True,
    }
