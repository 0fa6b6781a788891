"""A small random model with adapters on it, and walks for it to read."""

import copy

import pytest

from ascii_maze import generate_mazes
from ascii_maze.mazes.prompts import prompt_messages

from ..small import small_config

LAYERS = 3


def make_rows(count: int, generator: str = "depth_first", size: int = 3) -> list[dict]:
    """Rows as a dataset has them."""
    mazes = generate_mazes(generator, width=size, height=size, count=count, seed=3)
    return [
        {
            "id": str(index),
            "maze": maze.to_ascii(),
            "solution": " ".join(maze.solve()),
            "prompt": prompt_messages(maze),
            "width": size,
            "height": size,
        }
        for index, maze in enumerate(mazes)
    ]


@pytest.fixture(scope="session")
def rows():
    return make_rows(24)


@pytest.fixture(scope="session")
def tokenizer():
    from ascii_maze.models.loading import load_tokenizer

    return load_tokenizer("tiny")


@pytest.fixture(scope="session")
def walks(rows, tokenizer):
    from ascii_maze.mri.positions import locate_walks

    return locate_walks(rows, tokenizer, seed=0)


@pytest.fixture(scope="session")
def peft_model(tokenizer):
    """Three layers of random weights, with the adapters `zero` (B is 0), `one`, `copy` (the same as `one`) and `high`
    (zero but on layer 2).
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2, "max_position_embeddings": 256}
    config = small_config(tokenizer, **sizes, num_hidden_layers=LAYERS, initializer_range=0.3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(LlamaForCausalLM(config), lora, adapter_name="zero")
        for name in ("one", "copy", "high"):
            model.add_adapter(name, copy.deepcopy(lora))
        weights = dict(model.named_parameters())
        for key, weight in weights.items():
            if "lora_B.one." in key or ("lora_B.high." in key and ".layers.1." in key):
                weight.data.normal_(std=0.3)
        for key, weight in weights.items():
            if ".copy." in key:
                weight.data.copy_(weights[key.replace(".copy.", ".one.")].data)
    return model.eval()


@pytest.fixture(scope="session")
def models(peft_model, tokenizer):
    from ascii_maze.mri.models import as_models

    return as_models(peft_model, tokenizer, ["zero", "one", "copy", "high"])


@pytest.fixture(scope="session")
def activations(models, walks, tmp_path_factory):
    from ascii_maze.mri.activations import SITES, extract

    return extract(models, walks, tmp_path_factory.mktemp("activations"), sites=SITES, batch_size=7)


@pytest.fixture(scope="session")
def adapters(tmp_path_factory):
    """Adapters of `tiny` that nobody has trained: `zero`, as PEFT makes them, and `random`."""
    import torch
    from peft import LoraConfig, get_peft_model
    from trl import ModelConfig

    from ascii_maze.models.loading import load_base

    folder = tmp_path_factory.mktemp("adapters")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(load_base(ModelConfig(model_name_or_path="tiny", dtype="float32")), lora)
        model.peft_config["default"].base_model_name_or_path = "tiny"
        model.save_pretrained(folder / "zero")
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.data.normal_(std=0.05)
        model.save_pretrained(folder / "random")
    return {name: str(folder / name) for name in ("zero", "random")}
