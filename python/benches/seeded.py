"""Time and memory of `seedbed.torch.seeded` beside PyTorch's own initialisation, on the CPU or on a GPU.

    python benches/seeded.py                      # 1.0e9 parameters, 4 GB; PyTorch alone takes some minutes
    python benches/seeded.py --width 256 --layers 2 --words 1000   # small: does it run?

The model is a stack of decoder layers of torch's own modules (`Linear`, `LayerNorm`, `Embedding`), built on
the device meta and given memory by `to_empty` once. Each recipe initialises all of its parameters, first as
it is and then inside `with seeded(model, 42)`, in turns within one process, so that both meet the same
machine; the order swaps from round to round. All pages are touched before the first round. A ratio is
PyTorch's time divided by seeded's, of the best rounds of each; above 1, seeded is ahead.

Threads: PyTorch takes OMP_NUM_THREADS, the library RAYON_NUM_THREADS; both default to all cores. PyTorch
draws on one thread whatever the number is.

Extra memory is the peak of the resident set during the seeded rounds, above that before them. Linux resets
the peak (VmHWM) by /proc/self/clear_refs.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import init

from seedbed.torch import seeded


class Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)


class Model(nn.Module):
    def __init__(self, width: int, layers: int, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)


def by_weight(function: Callable[[torch.Tensor], object]) -> Callable[[nn.Module], None]:
    """A recipe: `function` for matrices, zeros for biases, ones for norms."""

    def initialise(module: nn.Module) -> None:
        if isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
        elif getattr(module, "weight", None) is not None:
            function(module.weight)
        if getattr(module, "bias", None) is not None:
            init.zeros_(module.bias)

    return initialise


def reset_parameters(module: nn.Module) -> None:
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()


RECIPES: dict[str, Callable[[nn.Module], None]] = {
    "reset_parameters": reset_parameters,
    "normal_(std=0.02)": by_weight(lambda weight: init.normal_(weight, std=0.02)),
    "trunc_normal_(std=0.02)": by_weight(
        lambda weight: init.trunc_normal_(weight, std=0.02, a=-0.04, b=0.04)
    ),
    "xavier_uniform_": by_weight(init.xavier_uniform_),
    "kaiming_normal_": by_weight(lambda weight: init.kaiming_normal_(weight, nonlinearity="relu")),
}


def resident(field: str) -> float:
    """VmRSS or VmHWM, in MiB."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(field))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--layers", type=int, default=18)
    parser.add_argument("--words", type=int, default=32000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float16", "bfloat16"])
    parser.add_argument("--device", default="cpu", help="of torch, such as cuda")
    parser.add_argument("--recipe", choices=RECIPES, action="append")
    arguments = parser.parse_args()

    with torch.device("meta"):
        model = Model(arguments.width, arguments.layers, arguments.words).to(getattr(torch, arguments.dtype))
    model.to_empty(device=arguments.device)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1)
    count = sum(parameter.numel() for parameter in model.parameters())
    gib = sum(parameter.nbytes for parameter in model.parameters()) / 2**30
    print(
        f"{count:,} parameters, {gib:.2f} GiB of {arguments.dtype}; torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads"
    )

    # Threads start, code is loaded, and autograd's first call is made, before anything is measured.
    small = nn.Linear(64, 64)
    with seeded(small, 1):
        small.reset_parameters()

    print(f"{'recipe':<26}{'torch s':>9}{'seeded s':>10}{'ratio':>8}{'extra MiB':>11}{'std of each':>22}")
    ratios = []
    for name in arguments.recipe or RECIPES:
        best = {"torch": math.inf, "seeded": math.inf}
        spread = {}
        extra = 0.0
        for number in range(arguments.rounds):
            for who in ("torch", "seeded") if number % 2 == 0 else ("seeded", "torch"):
                with open("/proc/self/clear_refs", "w") as reset:
                    reset.write("5")
                before = resident("VmRSS")
                start = time.perf_counter()
                if who == "torch":
                    model.apply(RECIPES[name])
                else:
                    with seeded(model, 42):
                        model.apply(RECIPES[name])
                if arguments.device.startswith("cuda"):
                    torch.cuda.synchronize()
                best[who] = min(best[who], time.perf_counter() - start)
                if who == "seeded":
                    extra = max(extra, resident("VmHWM") - before)
                spread[who] = model.layers[0].up.weight[:256].float().std().item()
        ratios.append(best["torch"] / best["seeded"])
        stds = f"{spread['torch']:.6f}, {spread['seeded']:.6f}"
        print(
            f"{name:<26}{best['torch']:>9.3f}{best['seeded']:>10.3f}{ratios[-1]:>8.2f}{extra:>11.1f}{stds:>22}"
        )
    print(f"smallest ratio {min(ratios):.2f}")


if __name__ == "__main__":
    main()
