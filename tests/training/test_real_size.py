"""The path that a model from the Hub takes: its own chat template, a BPE tokenizer, recipes/sft.yaml. The model is a
randomly initialised two-layer Qwen3 and its tokenizer is trained here, so no network is needed.
"""

import json

import pytest
from safetensors import safe_open
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from ascii_maze import generate_mazes
from ascii_maze.evaluation.run import evaluate
from ascii_maze.mazes.prompts import PLAIN

from .conftest import settings

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "qwen3-random"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [PLAIN.system_prompt, "system user assistant", *generate_mazes("depth_first", 5, 5, 50, 0).to_ascii()]
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    )
    config = Qwen3Config(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def test_the_real_size_recipe_trains_and_evaluates(qwen, dataset, train, tmp_path, capsys):
    out = tmp_path / "sft"
    words = settings(dataset, out, model_name_or_path=qwen, dtype="float32", bf16="false", max_steps=2)
    train("recipes/sft.yaml", words)
    printed = capsys.readouterr().out
    assert "<|im_start|>system" in printed  # the whole conversation, in the model's own template
    with safe_open(out / "adapter_model.safetensors", "pt") as weights:
        assert sum("lora_A" in name for name in weights.keys()) == 2 * 7  # noqa: SIM118
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["steps"] == 2
    assert metrics["base_model"] == str(qwen)
    results = evaluate({"sft": str(out)}, str(dataset), ["test"], tmp_path / "evaluation", limit=4)
    assert results["models"]["sft"]["test"]["n"] == 4
