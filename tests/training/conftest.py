"""Runs of the embedded model that several tests look at; each is made once a session."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
METHODS_AFTER_SFT = ("dpo", "orpo", "kto", "reward", "rlhf", "grpo")  # rlhf needs the reward model


def history(folder: Path) -> list[dict]:
    """What a finished run logged."""
    return json.loads((folder / "metrics.json").read_text())["history"]


def losses(folder: Path) -> list[float]:
    """The training losses of a finished run, one for each step."""
    return [line["loss"] for line in history(folder) if "loss" in line]


def interrupt_at(step: int):
    """An `on_step_end` of a trainer's callback that presses Ctrl-C at a step."""

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == step:
            raise KeyboardInterrupt

    return on_step_end


def launch(words, **environment) -> subprocess.CompletedProcess:
    """Run a command in the project's root, offline, and return what became of it."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )


def settings(dataset: Path, out: Path, **changes) -> list[str]:
    """Overrides that make a run of four steps of eight rows."""
    values = {
        "dataset_name": dataset,
        "output_dir": out,
        "max_steps": 4,
        "per_device_train_batch_size": 8,
        "logging_steps": 1,
        "eval_strategy": "no",
        **changes,
    }
    return overrides(values)


def overrides(values: dict) -> list[str]:
    """Keys of a recipe as words of the command line."""
    return [word for key, value in values.items() for word in (f"--{key}", str(value))]


@pytest.fixture(scope="session")
def sft_run(dataset, tmp_path_factory):
    """`accelerate launch recipes/tiny/sft.yaml`, literally, with one process: the folder and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "sft"
    accelerate = [sys.executable, "-m", "accelerate.commands.accelerate_cli"]
    done = launch([*accelerate, "launch", "recipes/tiny/sft.yaml", *settings(dataset, out)])
    assert done.returncode == 0, done.stderr[-4000:]
    return out, done.stdout


def method_settings(method: str, dataset: Path, folder: Path, sft: Path | None, **changes) -> list[str]:
    """Overrides that make a run of three steps of any method, in its place in the chain."""
    changes = {"max_steps": 3, **changes}
    if method not in ("sft", "orpo"):
        changes["adapter_name_or_path"] = sft
    if method == "rlhf":
        changes["reward_model_name_or_path"] = folder / "reward"
    if method in ("rlhf", "grpo"):
        changes |= {"num_generations": 4, "temperature": 1.5}
    return settings(dataset, folder / method, **changes)


def trainer_of(method: str, dataset: Path, folder: Path, sft: Path | None = None, **changes):
    """The trainer of such a run, before it trains."""
    from ascii_maze.models.loading import load_tokenizer
    from ascii_maze.recipe import load_recipe, parse_recipe
    from ascii_maze.recipe.methods import METHODS
    from ascii_maze.training.data import load_rows, measure_lengths
    from ascii_maze.training.trainer import make_trainer

    recipe = load_recipe(f"recipes/tiny/{method}.yaml", method_settings(method, dataset, folder, sft, **changes))
    arguments = parse_recipe(recipe)
    rows, eval_rows = load_rows(arguments, METHODS[method].columns)
    tokenizer = load_tokenizer("tiny")
    return make_trainer(recipe, arguments, rows, eval_rows, tokenizer, measure_lengths(rows, tokenizer))


@pytest.fixture(scope="session")
def method_runs(dataset, sft_run, tmp_path_factory):
    """Every method but SFT, three steps in one process, evaluated at the end: the folder that holds their folders."""
    from ascii_maze.launch import train

    folder = tmp_path_factory.mktemp("methods")
    for method in METHODS_AFTER_SFT:
        words = method_settings(method, dataset, folder, sft_run[0], eval_strategy="steps", eval_limit=8)
        train(f"recipes/tiny/{method}.yaml", words)
    return folder


@pytest.fixture
def train():
    """`ascii-maze train` in this process."""
    from ascii_maze.launch import train

    return train
