"""examples/one_hash.py prints the same hash under torchrun and alone, and docs/distributed/pytorch.md shows it."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "one_hash.py"


def test_the_example_prints_one_hash():
    page = EXAMPLE.parents[2].joinpath("docs", "distributed", "pytorch.md").read_text(encoding="utf-8")
    lines = []
    for ranks in (1, 4):
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        command = [sys.executable, *(launcher if ranks > 1 else []), EXAMPLE]
        environment = dict(os.environ, OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")
        output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
        assert output in page
        lines.append(output.split())
    (alone, *counts_alone), (spread, *counts_spread) = lines
    assert alone == spread
    assert int(counts_spread[2]) < int(counts_alone[2]) / 2
