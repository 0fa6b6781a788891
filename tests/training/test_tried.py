"""What "tried" means in the heads of the recipes: a family's chat template and tokens, and a random model of its
architecture, through recipes/sft.yaml and `evaluate`. No network is needed, and no weights of that family are.
"""

import json
import re

import pytest
from safetensors import safe_open

from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.recipe import find_recipe
from ascii_maze.recipe.methods import METHODS

from ..small import SIZES
from .conftest import settings
from .families import save_model

# Hub id -> TRL's name for its chat template, transformers' for its architecture.
TRIED = {
    "Qwen/Qwen3-0.6B": ("qwen3", "qwen3"),
    "Qwen/Qwen3-1.7B": ("qwen3", "qwen3"),
    "meta-llama/Llama-3.2-1B-Instruct": ("llama3_2", "llama"),
    "google/gemma-3-1b-it": ("gemma3", "gemma3_text"),
}


@pytest.mark.parametrize("method", METHODS)
def test_every_recipe_names_what_was_tried(method):
    head = find_recipe(f"recipes/{method}.yaml").read_text().split("if __name__")[0]
    said = re.search(r"^# Tried as --model_name_or_path.*?: (.*?)\.\n", head, flags=re.S | re.M)
    assert re.split(r",[\s#]+", said[1]) == list(TRIED)


@pytest.mark.parametrize(("family", "architecture"), dict.fromkeys(TRIED.values()))
def test_a_model_of_the_family_trains_and_evaluates(family, architecture, dataset, train, tmp_path, capsys):
    layers = {"layer_types": ["full_attention"] * SIZES["num_hidden_layers"]} if architecture == "gemma3_text" else {}
    model = save_model(family, tmp_path / "model", architecture, head_dim=16, **layers)
    out = tmp_path / "sft"
    train("recipes/sft.yaml", settings(dataset, out, model_name_or_path=model, max_steps=2))
    printed = capsys.readouterr().out
    assert "precision on cpu: float32" in printed
    taught = printed.partition("\nloss on:\n")[2].splitlines()[0]
    assert re.match(r"[UDLR]( [UDLR])*<", taught)  # the answer and its end, and nothing that the template adds before
    with safe_open(out / "adapter_model.safetensors", "pt") as weights:
        assert sum("lora_A" in name for name in weights.keys()) == SIZES["num_hidden_layers"] * 7  # noqa: SIM118
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["steps"], metrics["base_model"], metrics["base_gguf"]) == (2, str(model), None)
    results = evaluate({"sft": str(out)}, str(dataset), ["test"], tmp_path / "evaluation", Options(limit=4))
    assert results["models"]["sft"]["test"]["n"] == 4
