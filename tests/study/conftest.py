"""A study of one method, for real, with two steps of training: made once a session."""

import json
import os
import subprocess
import sys

import pytest
import yaml

SPLITS = {"train": 64, "validation": 4, "test": 6, "test_larger": 6}


@pytest.fixture(scope="session")
def study_file(tmp_path_factory):
    """A study file whose SFT is real and short, and whose DPO cannot start."""
    folder = tmp_path_factory.mktemp("study")
    dataset = {"name": "small", "sizes": ["4x4"], "larger_sizes": ["5x5"], "generators": ["prim"], "splits": SPLITS}
    (folder / "small.yaml").write_text(yaml.safe_dump(dataset))
    (folder / "broken.yaml").write_text(
        "method: dpo\nbf16: false\nadapter_name_or_path: nowhere\noutput_dir: outputs/broken\n"
    )
    study = {
        "dataset": str(folder / "small.yaml"),
        "base": "tiny",
        "recipes": {"sft": "recipes/tiny/sft.yaml", "dpo": str(folder / "broken.yaml")},
        "splits": ["test", "test_larger"],
        "limit": 4,
        "mri_limit": 0,
        "overrides": {"max_steps": 2, "per_device_train_batch_size": 4, "eval_steps": 1, "eval_limit": 4},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return folder / "study.yaml"


def run_study(file, out, *words):
    """`ascii-maze study` as a process, and what became of it."""
    return subprocess.run(
        [sys.executable, "-m", "ascii_maze", "study", str(file), "--out", str(out), "--workers", "1", *words],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="session")
def study_run(study_file, tmp_path_factory):
    """The study's folder, what it printed, and its results."""
    out = tmp_path_factory.mktemp("studied") / "out"
    done = run_study(study_file, out)
    return out, done, json.loads((out / "results.json").read_text())
