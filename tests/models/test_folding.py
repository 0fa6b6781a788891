"""A model on a CPU generates with its adapters folded in; tests/mri/test_folding.py has the folding itself."""

import pytest

from ascii_maze.models.folding import folded


@pytest.fixture
def walker():
    """The embedded model with a random adapter on it, as it is loaded for training: model and tokenizer."""
    import torch
    from peft import LoraConfig, get_peft_model
    from trl import ModelConfig

    from ascii_maze.models.loading import load_base, load_tokenizer

    torch.manual_seed(0)
    lora = LoraConfig(r=4, lora_dropout=0.5, target_modules="all-linear", init_lora_weights=False)
    base = load_base(ModelConfig(model_name_or_path="tiny", dtype="float32"))
    return get_peft_model(base, lora).eval(), load_tokenizer("tiny")


def answers(model, tokenizer):
    tokens = tokenizer(["S G", "S  G"], return_tensors="pt", padding=True)
    return model.generate(
        **tokens, max_new_tokens=6, do_sample=False, output_logits=True, return_dict_in_generate=True
    )


def test_a_model_generates_with_its_adapters_folded_in(walker, monkeypatch):
    import torch

    model, tokenizer = walker
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    real, made = layer.get_delta_weight, []
    monkeypatch.setattr(layer, "get_delta_weight", lambda name: made.append(name) or real(name))
    folds = answers(model, tokenizer)
    assert made == ["default"]
    assert "forward" not in vars(layer)
    generate = vars(model.base_model.model).pop("generate")
    beside = answers(model, tokenizer)
    model.base_model.model.generate = generate
    assert made == ["default"]
    assert torch.equal(folds.sequences, beside.sequences)
    torch.testing.assert_close(torch.stack(folds.logits), torch.stack(beside.logits), rtol=1e-4, atol=1e-4)


def test_dropout_is_not_folded_away(walker):
    import torch

    model, tokenizer = walker
    tokens = tokenizer(["S G"], return_tensors="pt")
    with torch.no_grad(), folded(model.train()):
        torch.manual_seed(1)
        inside = model(**tokens).logits
    torch.manual_seed(1)
    with torch.no_grad():
        assert torch.equal(model(**tokens).logits, inside)


@pytest.mark.parametrize("modules", [["embed_tokens"], ["embed_tokens", "q_proj"]])
def test_an_adapter_on_the_embedding_is_not_left_out(modules):
    import torch
    from peft import LoraConfig, get_peft_model
    from trl import ModelConfig

    from ascii_maze.models.loading import load_base

    torch.manual_seed(0)
    base = load_base(ModelConfig(model_name_or_path="tiny", dtype="float32"))
    model = get_peft_model(base, LoraConfig(r=4, target_modules=modules, init_lora_weights=False)).eval()
    tokens = torch.arange(5, 25)[None]
    with torch.inference_mode():
        beside = model(input_ids=tokens).logits
        with model.disable_adapter():
            assert not torch.allclose(model(input_ids=tokens).logits, beside, atol=0.1)
        with folded(model):
            torch.testing.assert_close(model(input_ids=tokens).logits, beside, rtol=1e-4, atol=1e-4)
