"""A model that knows the mazes by heart is right on them, whatever its family's chat template does."""

import pytest

from ascii_maze.evaluation.run import evaluate

from .conftest import settings
from .families import save_model

# An empty thought before the answer; no system role; a prompt that is no prefix of the whole; a date, a trimmed maze.
UNLIKE = ("qwen3", "gemma", "deepseek_r1_distill", "llama3_2")


@pytest.fixture(scope="module")
def mazes(tmp_path_factory):
    from dataset_builder.build import build
    from dataset_builder.config import BuildConfig

    out = tmp_path_factory.mktemp("by-heart") / "ascii-maze"
    build(BuildConfig(name="by-heart", sizes={"3x3": 1}, generators={"depth_first": 1}, splits={"train": 24}), out)
    return out


@pytest.mark.parametrize("family", UNLIKE)
def test_what_is_known_by_heart_is_right(family, mazes, train, tmp_path):
    model = save_model(family, tmp_path / family)
    words = settings(
        mazes,
        tmp_path / "sft",
        model_name_or_path=model,
        dtype="float32",
        bf16="false",
        use_peft="false",
        load_in_4bit="false",
        max_steps=120,
        per_device_train_batch_size=24,
        learning_rate=3e-3,
        save_strategy="no",
        max_length=2048,
        logging_steps=50,
    )
    train("recipes/sft.yaml", words)
    results = evaluate({"sft": str(tmp_path / "sft")}, str(mazes), ["train"], tmp_path / "evaluation", baselines=False)
    assert results["models"]["sft"]["train"]["valid"] >= 0.95
