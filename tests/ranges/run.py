"""Tests at both ends of what pyproject.toml allows: `make test-ranges`, with the package registry.

    python tests/ranges/run.py             # oldest, then newest
    python tests/ranges/run.py oldest --keep /tmp/oldest

Each end is an environment of its own in a temporary folder, with the lowest or the highest versions that are
allowed; torch alone stays pinned, since another version would fetch several GB of CUDA libraries. What is run there is
fast and reaches every library: the maze kernels, the dataset, the metric, training steps of every method, generation,
an evaluation, an MRI, the Hub client.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESOLUTION = {"oldest": "lowest-direct", "newest": "highest"}
TOOLS = ("pytest>=8.0", "pytest-xdist>=3.6", "hypothesis>=6.100", "networkx>=3.2", "packaging>=24.0")
# Parquet of another pyarrow has other bytes, which is what this one compares.
LEFT_OUT = ("--deselect", "tests/dataset_builder/test_build.py::test_files_are_pinned")
TESTS = (
    *("tests/metrics", "tests/mazes/test_generators.py", "tests/mazes/test_rejected.py"),
    *("tests/dataset_builder/test_build.py", "tests/dataset_builder/test_load.py", "tests/recipe/test_recipe.py"),
    *("tests/training/test_orpo.py", "tests/training/test_methods.py", "tests/training/test_merge.py"),
    *(
        "tests/evaluation/test_run.py",
        "tests/hub/test_push.py",
        "tests/hub/test_jobs.py",
        "tests/hub/test_model_index.py",
        "tests/hub/test_adapter.py",
    ),
    "tests/tiny/test_tiny.py",
)


def torch_pin() -> str:
    """The line of constraints.txt that pins torch."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def make(folder: Path, end: str) -> Path:
    """An environment with one end of the ranges; its Python."""
    venv.create(folder / "tools", with_pip=True)
    pip = [folder / "tools" / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "uv"], check=True)
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    pin = folder / "torch.txt"
    pin.write_text(f"{torch_pin()}\n", encoding="utf-8")
    # The tools are constraints of neither end: what they need at least is newer than what their ranges say.
    uv = [folder / "tools" / "bin" / "uv", "pip", "install", "--quiet", "--python", python, "--constraint", pin]
    cache = {**os.environ, "UV_CACHE_DIR": str(folder / "cache")}
    subprocess.run([*uv, "--resolution", RESOLUTION[end], "--editable", ROOT], check=True, env=cache)
    subprocess.run([*uv, *TOOLS], check=True, env=cache)
    return python


def versions(python: Path) -> str:
    """The versions of what pyproject.toml names, as one line."""
    program = (
        "import importlib.metadata as m, re; from packaging.requirements import Requirement as R; "
        "names = [R(line).name for line in m.requires('ascii-maze') if 'extra ==' not in line]; "
        "print(', '.join(f'{name} {m.version(name)}' for name in names))"
    )
    return subprocess.run([python, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def try_end(end: str, folder: Path) -> bool:
    """Make the environment of one end and run the tests there; whether they pass."""
    began = time.monotonic()
    python = make(folder, end)
    print(f"{end}: {versions(python)}; {time.monotonic() - began:.0f} s to make its environment", flush=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--no-header",
        "-n",
        os.environ.get("WORKERS", "0"),
    ]
    done = subprocess.run([*words, *LEFT_OUT, *TESTS], cwd=ROOT, env=environment, check=False)
    said = "passed" if done.returncode == 0 else "failed"
    print(f"{end}: {said}; {time.monotonic() - began:.0f} s in all", flush=True)
    return done.returncode == 0


def main() -> int:
    """Try each end that is asked for; the number of those that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ends", nargs="*", choices=[*RESOLUTION, []], default=[])
    parser.add_argument("--keep", type=Path, help="where to leave the environment, to look into a failure")
    asked = parser.parse_args()
    failed = 0
    for end in asked.ends or RESOLUTION:
        if asked.keep:
            failed += not try_end(end, asked.keep)
            continue
        with tempfile.TemporaryDirectory(prefix=f"{end}-") as folder:
            failed += not try_end(end, Path(folder))
    return failed


if __name__ == "__main__":
    sys.exit(main())
