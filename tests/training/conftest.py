"""Runs of the embedded model that several tests look at; each is made once a session."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def launch(words, **environment) -> subprocess.CompletedProcess:
    """Run a command in the project's root, offline, and return what became of it."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def settings(dataset: Path, out: Path, **changes) -> list[str]:
    """Overrides that make a run of four steps of eight rows."""
    values = {
        "dataset_name": dataset,
        "output_dir": out,
        "max_steps": 4,
        "per_device_train_batch_size": 8,
        "logging_steps": 1,
        **changes,
    }
    return [word for key, value in values.items() for word in (f"--{key}", str(value))]


@pytest.fixture(scope="session")
def sft_run(dataset, tmp_path_factory):
    """`accelerate launch recipes/tiny/sft.yaml`, literally, with one process: the folder and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "sft"
    accelerate = [sys.executable, "-m", "accelerate.commands.accelerate_cli"]
    done = launch([*accelerate, "launch", "recipes/tiny/sft.yaml", *settings(dataset, out)])
    assert done.returncode == 0, done.stderr[-4000:]
    return out, done.stdout


@pytest.fixture
def train():
    """`ascii-maze train` in this process."""
    from ascii_maze.launch import train

    return train
