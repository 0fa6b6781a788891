import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from trl import ModelConfig

from ascii_maze.errors import UsageError
from ascii_maze.models.loading import load_base, load_model, load_model_to_train, load_tokenizer
from ascii_maze.training.merge import HeldOut, merge_adapter


@pytest.fixture
def quantised():
    return load_base(
        ModelConfig(model_name_or_path="tiny", dtype="float32", load_in_4bit=True, use_bnb_nested_quant=True)
    )


def with_adapter(model):
    model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return model


def dequantised(model):
    """The same network with every 4-bit layer replaced by the plain layer that it stands for."""
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    plain = copy.deepcopy(model)
    for name, module in list(plain.named_modules()):
        if isinstance(module, Linear4bit):
            layer = torch.nn.Linear(module.in_features, module.out_features, bias=False)
            layer.weight = torch.nn.Parameter(dequantize_4bit(module.weight.data, module.weight.quant_state).float())
            plain.set_submodule(name, layer)
    return plain


def gradients(model, tokens):
    model.train()
    model.zero_grad()
    model(input_ids=tokens, labels=tokens).loss.backward()
    return torch.cat([p.grad.flatten() for name, p in model.named_parameters() if "lora_" in name])


def test_an_evaluation_in_mid_training_leaves_the_gradients_right(quantised):
    """On CPUs with AVX512-BF16 bitsandbytes 0.50 gets them wrong in silence; see `keep_trainable_on_cpu`."""
    tokens = torch.randint(5, 18, (2, 40), generator=torch.Generator().manual_seed(1))
    reference = gradients(with_adapter(dequantised(quantised)), tokens)
    model = with_adapter(quantised)
    model.eval()
    with torch.no_grad():
        model(input_ids=tokens)
    error = (gradients(model, tokens) - reference).norm() / reference.norm()
    assert reference.norm() > 0
    assert error < 1e-4


def test_generation_dequantises_once_and_says_the_same(quantised):
    """And leaves the layers as they were: 4-bit, with a gradient."""
    prompts = torch.randint(5, 18, (3, 30), generator=torch.Generator().manual_seed(2))
    settings = {"max_new_tokens": 8, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    model = with_adapter(quantised).eval()
    ours = model.generate(input_ids=prompts, **settings)
    theirs = type(quantised).generate(quantised, input_ids=prompts, **settings)
    assert torch.equal(ours.sequences, theirs.sequences)
    for one, two in zip(ours.logits, theirs.logits):
        torch.testing.assert_close(one, two, rtol=0, atol=5e-5)
    assert not [module for module in model.modules() if "forward" in vars(module) and "4bit" in type(module).__name__]
    assert gradients(model, prompts).norm() > 0


def test_the_base_is_nf4_with_double_quantisation_in_every_linear_layer(quantised):
    from bitsandbytes.nn import Linear4bit

    layers = [module for name, module in quantised.named_modules() if name.endswith("_proj")]
    assert len(layers) == 8 * 7
    for layer in layers:
        assert isinstance(layer, Linear4bit)
        assert layer.weight.quant_state.quant_type == "nf4"
        assert layer.weight.quant_state.nested


@pytest.fixture
def grown(tmp_path):
    """An adapter saved with the two tokens that its run has added to the base; the model as it was, and its folder."""
    base, tokenizer = load_base(ModelConfig(model_name_or_path="tiny", dtype="float32")), load_tokenizer("tiny")
    tokenizer.add_tokens(["<new>", "<newer>"])
    base.resize_token_embeddings(125)
    model = with_adapter(base)
    model.peft_config["default"].base_model_name_or_path = "tiny"
    model.save_pretrained(tmp_path / "grown", save_embedding_layers=True)
    tokenizer.save_pretrained(tmp_path / "grown")
    return model.eval(), str(tmp_path / "grown")


def test_an_adapter_with_a_vocabulary_of_its_own_is_read_as_it_was_saved_and_merged(grown, dataset, tmp_path):
    model, folder = grown
    tokens = torch.arange(105, 125)[None]
    merge_adapter(folder, tmp_path / "merged", HeldOut(str(dataset), "test", 1), 1.0, lambda *progress: None)
    for name in (folder, str(tmp_path / "merged")):
        loaded, tokenizer = load_model(name)
        assert tokenizer.convert_tokens_to_ids("<newer>") == 124
        torch.testing.assert_close(loaded(input_ids=tokens).logits, model(input_ids=tokens).logits, rtol=0, atol=1e-4)


def test_a_run_that_starts_from_one_is_refused(grown):
    args = ModelConfig(model_name_or_path="tiny", dtype="float32", use_peft=True, lora_r=4, lora_alpha=8)
    with pytest.raises(UsageError, match=r"has a vocabulary of its own, .* merge it"):
        load_model_to_train(args, grown[1], seed=0)


def test_a_tokenizer_without_chat_template_is_refused(tmp_path):
    from ascii_maze.tiny.pretraining.vocabulary import build_tokenizer

    tokenizer = build_tokenizer(64)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="has no chat template; give --chat-template plain"):
        load_tokenizer(str(tmp_path))


@pytest.mark.parametrize("patterns", [{"rank_pattern": {"q_proj": 2, "v_proj": 3}}, {"alpha_pattern": {"q_proj": 64}}])
def test_an_adapter_with_ranks_of_its_own_is_read_and_starts_a_reward_model(tmp_path, patterns):
    """Also if no layer has the rank of the config."""
    modules = [*patterns.get("rank_pattern", ["q_proj", "v_proj"])]
    shape = {"r": 4, "lora_alpha": 8, "target_modules": modules, "task_type": "CAUSAL_LM", **patterns}
    base = load_base(ModelConfig(model_name_or_path="tiny", dtype="float32"))
    base.name_or_path = "tiny"
    policy = get_peft_model(base, LoraConfig(init_lora_weights=False, **shape))
    policy.peft_config["default"].base_model_name_or_path = "tiny"
    policy.save_pretrained(tmp_path)
    load_tokenizer("tiny").save_pretrained(tmp_path)
    tokens = torch.arange(5, 25)[None]
    loaded, _ = load_model(str(tmp_path))
    torch.testing.assert_close(loaded(input_ids=tokens).logits, policy.eval()(input_ids=tokens).logits)
    args = ModelConfig(
        model_name_or_path="tiny",
        dtype="float32",
        use_peft=True,
        lora_r=4,
        lora_alpha=8,
        lora_target_modules=modules,
        lora_task_type="SEQ_CLS",
    )
    reward = load_model_to_train(args, str(tmp_path), seed=0)
    layers = {name: layer for name, layer in reward.named_modules() if hasattr(layer, "lora_A")}
    assert layers
    for name, layer in layers.items():
        of_policy = policy.get_submodule(name)
        assert layer.scaling == of_policy.scaling
        assert torch.equal(layer.lora_A["default"].weight, of_policy.lora_A["default"].weight)
