"""SmolLM2-135M-Instruct, where `make llm` has put it; without it these tests are skipped, and in CI they fail."""

import os

import pytest

from ascii_maze.models.packaged import HUB_ID, packaged_model
from tests.training.conftest import overrides

# What every run here says: two steps of two short rows.
SHORT = {"max_steps": 2, "per_device_train_batch_size": 2, "logging_steps": 1, "eval_strategy": "no"}


@pytest.fixture(scope="session", autouse=True)
def smollm2():
    """The file of the model."""
    if packaged_model().is_file():
        return packaged_model()
    said = f"{packaged_model()} is not there; `make llm` fetches it"
    if os.environ.get("ASCII_MAZE_REQUIRE_LLM"):
        pytest.fail(said)
    pytest.skip(said)


@pytest.fixture(scope="session")
def mazes(tmp_path_factory):
    """A dataset of 3x3 mazes with short answers."""
    from dataset_builder.build import build
    from dataset_builder.config import BuildConfig

    out = tmp_path_factory.mktemp("short") / "ascii-maze"
    config = BuildConfig(
        name="short",
        sizes={"3x3": 1},
        generators={"depth_first": 1},
        splits={"train": 12, "test": 10},
        path_lengths={"2-6": 1},
    )
    build(config, out)
    return out


@pytest.fixture(scope="session")
def tuned(mazes, smollm2, tmp_path_factory):
    """SFT, then ORPO, DPO and GRPO, by the recipes with the Hub's name for the base: the folder of their folders."""
    from ascii_maze.launch import train

    folder = tmp_path_factory.mktemp("smollm2")
    for method in ("sft", "orpo", "dpo", "grpo"):
        changes = {"dataset_name": mazes, "output_dir": folder / method, "model_name_or_path": HUB_ID}
        if method in ("dpo", "grpo"):
            changes["adapter_name_or_path"] = folder / "sft"
        if method == "grpo":
            changes |= {"num_generations": 2, "max_completion_length": 16}
        train(f"recipes/{method}.yaml", overrides({**SHORT, **changes}))
    return folder
