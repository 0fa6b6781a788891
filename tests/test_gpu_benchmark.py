"""benchmarks/gpu.py runs to its end, here on whatever there is, with a tiny configuration."""

import subprocess
import sys
from pathlib import Path

import pytest

from ascii_maze.models.devices import this_device
from ascii_maze.recipe.methods import METHODS

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.mark.slow
def test_every_method_is_measured_beside_trl_alone(tmp_path):
    page = tmp_path / "GPU.md"
    words = ["--model", "tiny", "--rows", "2", "--steps", "1", "--completion", "4", "--page", str(page)]
    done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.read_text().splitlines()]
    rates = {tuple(row[:2]): row[2] for row in rows if row[0] in METHODS}
    for method in METHODS:
        for way in ("TRL alone", "ours", "ours, shared_prefix on"):
            if (method, way) == ("reward", "TRL alone") and not this_device().bfloat16:
                assert "expected m1 and m2 to have the same dtype" in page.read_text()  # the head's and the model's
                continue
            assert float(rates[method, way].replace(",", "")) > 0, (method, way, page.read_text())
