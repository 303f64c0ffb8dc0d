"""The Python blocks of the README and of the pages of the documentation run, in the order of each page."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
PAGES = PACKAGE.parent / "docs" / "distributed"
# The libraries that the blocks import.
NEEDED = {
    PACKAGE / "README.md": ["torch", "jax", "flax", "keras"],
    PAGES / "jax.md": ["jax", "flax", "equinox"],
    PAGES / "keras.md": ["keras", "jax"],
}


def blocks(page):
    """The blocks, each on the lines that it has on the page, so that a traceback names them."""
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield "\n" * text[: match.start(1)].count("\n") + match[1]


@pytest.mark.parametrize("page", NEEDED, ids=lambda page: page.name)
def test_blocks_run(page):
    missing = [name for name in NEEDED[page] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    assert list(blocks(page))
    environment = dict(
        os.environ,
        JAX_PLATFORMS="cpu",
        KERAS_BACKEND="jax",
        CUDA_VISIBLE_DEVICES="",
        OMP_NUM_THREADS="1",
        XLA_FLAGS="--xla_force_host_platform_device_count=8",
        PYTHONPATH=str(Path(__file__).parent),
    )
    script = (
        "import sys; from pathlib import Path; from test_readme import blocks\n"
        "page, names = Path(sys.argv[1]), {}\n"
        "for block in blocks(page): exec(compile(block, str(page), 'exec'), names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(page)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]
