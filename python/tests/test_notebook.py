"""The notebook runs again and prints what it holds."""

import re
from pathlib import Path

import pytest

for name in ["nbclient", "nbformat", "ipykernel", "matplotlib", "torch", "jax"]:
    pytest.importorskip(name)

import nbformat  # noqa: E402
from nbclient import NotebookClient  # noqa: E402

PATH = Path(__file__).resolve().parents[1] / "examples" / "seedbed.ipynb"


def outputs(notebook):
    """The printed texts of each cell, and how many pictures it has."""
    found = []
    for cell in notebook.cells:
        streams = [output.text for output in cell.get("outputs", []) if output.output_type == "stream"]
        pictures = [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
        found.append((streams, len(pictures)))
    return found


def test_the_notebook_prints_what_it_holds():
    assert PATH.stat().st_size < 300_000
    kept, fresh = nbformat.read(PATH, 4), nbformat.read(PATH, 4)
    assert all(cell.get("execution_count") for cell in kept.cells if cell.cell_type == "code")
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(fresh, timeout=180, kernel_name="python3").execute()
    assert outputs(fresh) == outputs(kept)
    # NumPy, PyTorch in one process and in four, and JAX's mesh have one hash.
    printed = "".join(text for streams, _ in outputs(kept) for text in streams)
    hashes = re.findall(r"\b[0-9a-f]{16}\b", printed)
    assert len(hashes) == 8 and len(set(hashes)) == 1
