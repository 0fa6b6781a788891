"""Adapters that are folded into the weights compute what they compute beside them."""

import pytest

from ascii_maze.models.folding import folded
from ascii_maze.mri.models import as_models

from .conftest import LAYERS


def logits(models, walks):
    import torch

    with torch.inference_mode():
        return models.model(input_ids=torch.from_numpy(walks[0].ids)[None]).logits


@pytest.mark.parametrize("stages", [None, range(2), range(2, LAYERS + 2)])
def test_the_numbers_are_the_same_for_every_adapter_and_layer(models, walks, stages):
    import torch

    for name in ("one", "high", "base", "zero"):
        models.switch(name, stages)
        beside = logits(models, walks)
        with folded(models.model):
            models.switch(name, stages)
            torch.testing.assert_close(logits(models, walks), beside, rtol=1e-4, atol=1e-4)
            if name in ("base", "zero"):
                assert torch.equal(logits(models, walks), beside)
        assert torch.equal(logits(models, walks), beside)


def test_a_switch_is_heeded_and_weights_are_made_once_for_each(models, walks, monkeypatch):
    made = []
    layer = models.layers[0].self_attn.q_proj
    real = layer.get_delta_weight
    monkeypatch.setattr(layer, "get_delta_weight", lambda name: made.append(name) or real(name))
    with folded(models.model):
        for name in ("one", "one", "base", "high"):
            models.switch(name)
            logits(models, walks)
            logits(models, walks)
    assert made == ["one", "one", "high"]


def test_a_gradient_passes_through_folded_weights(models, walks):
    import torch

    with folded(models.model), torch.inference_mode():
        models.switch("one")
        logits(models, walks)
        with torch.inference_mode(False), torch.enable_grad():
            states = torch.randn(1, 4, 32, requires_grad=True)
            models.layers[0].self_attn.q_proj(states).sum().backward()
    assert states.grad.abs().sum() > 0


def test_more_than_a_plain_lora_runs_as_peft_has_it(tokenizer, walks):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    from ..small import small_config

    config = small_config(tokenizer, hidden_size=32, num_attention_heads=2, num_hidden_layers=1)
    lora = LoraConfig(r=4, use_dora=True, target_modules="all-linear", init_lora_weights=False)
    model = get_peft_model(LlamaForCausalLM(config), lora, adapter_name="dora").eval()
    models = as_models(model, tokenizer, ["dora"])
    models.switch("dora")
    beside = logits(models, walks)
    with folded(model):
        assert torch.equal(logits(models, walks), beside)
