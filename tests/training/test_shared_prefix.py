"""What is read once gives the losses, gradients and adapters of what is read row by row, in every method of TRL's."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from ascii_maze.errors import UsageError
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.models.shared_prefix import disagreement
from ascii_maze.recipe import load_recipe, parse_recipe
from ascii_maze.recipe.methods import METHODS
from ascii_maze.training.callbacks import JsonLog
from ascii_maze.training.data import load_rows, measure_lengths
from ascii_maze.training.sharing import share_prefixes
from ascii_maze.training.trainer import make_trainer

from .conftest import history, interrupt_at, launch, losses, settings
from .conftest import trainer_of as tiny_trainer
from .families import save_model


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A random Llama whose template has our rules, and adapters on it: one to start from, and a reward model's."""
    folder = tmp_path_factory.mktemp("start")
    base = save_model("qwen2_5", folder / "base")
    for name, task in (("adapter", "CAUSAL_LM"), ("reward", "SEQ_CLS")):
        torch.manual_seed(1)
        scores = task == "SEQ_CLS"
        model_class = AutoModelForSequenceClassification if scores else AutoModelForCausalLM
        whole = model_class.from_pretrained(base, **({"num_labels": 1} if scores else {}))
        config = LoraConfig(r=32, lora_alpha=64, target_modules="all-linear", task_type=task)
        model = get_peft_model(whole, config)
        for weight_name, weight in model.named_parameters():
            if "lora_B" in weight_name:
                torch.nn.init.normal_(weight, std=0.05)
        model.save_pretrained(folder / name)
        AutoTokenizer.from_pretrained(base).save_pretrained(folder / name)
    return folder


def words_of(method, dataset, start, out, **changes):
    values = {
        "model_name_or_path": start / "base",
        "dtype": "float32",
        "bf16": "false",
        "load_in_4bit": "false",
        "max_steps": 2,
        "cpu_batch_size": 64,
        "max_length": 2048,
        **changes,
    }
    if method not in ("sft", "orpo"):
        values["adapter_name_or_path"] = start / "adapter"
    if method == "rlhf":
        values["reward_model_name_or_path"] = start / "reward"
    if method in ("rlhf", "grpo"):
        del values["max_length"]
        values = {"num_generations": 4, "max_completion_length": 40, "temperature": 1.5, "beta": 0.1, **values}
    return settings(dataset, out, **values)


def trainer_of(method, dataset, start, out, **changes):
    recipe = load_recipe(f"recipes/{method}.yaml", words_of(method, dataset, start, out, **changes))
    arguments = parse_recipe(recipe)
    rows, eval_rows = load_rows(arguments, METHODS[method].columns)
    tokenizer = load_tokenizer(str(start / "base"))
    return make_trainer(recipe, arguments, rows, eval_rows, tokenizer, measure_lengths(rows, tokenizer))


def wake(trainer):
    """Gradient for all of an adapter: half of a new one is zero."""
    torch.manual_seed(2)
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name and "default" in name:
            torch.nn.init.normal_(weight, std=0.05)


def loss_and_gradients(trainer, inputs):
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, dict(inputs), num_items_in_batch=torch.tensor(100))
    loss.backward()
    return loss.item(), {
        name: weight.grad.clone() for name, weight in trainer.model.named_parameters() if weight.grad is not None
    }


@pytest.mark.parametrize("method", METHODS)
def test_loss_and_gradients_of_a_batch_are_those_of_reading_every_row(method, dataset, start, tmp_path):
    trainer = trainer_of(method, dataset, start, tmp_path / "run")
    assert "shared prefix: on" in trainer.sharing
    wake(trainer)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    inputs = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    shared, (loss, gradients) = trainer.shared, loss_and_gradients(trainer, inputs)
    read, shared.tokens = shared.tokens, 0
    calls = []
    shared.backbone.forward = lambda *args, **kwargs: calls.append(1) or shared.forward(*args, **kwargs)
    plain_loss, plain = loss_and_gradients(trainer, inputs)
    assert calls
    assert loss == pytest.approx(plain_loss, rel=1e-4, abs=1e-6)
    assert gradients.keys() == plain.keys()
    norm = sum(gradient.square().sum() for gradient in plain.values()).sqrt()
    apart = sum((gradients[name] - plain[name]).square().sum() for name in plain).sqrt()
    assert norm > 1e-4
    assert apart / norm < 1e-4
    rows = sum(int(mask.sum()) for key, mask in inputs.items() if key.endswith("attention_mask") and "KL" not in key)
    if method in ("rlhf", "grpo"):
        rows = int(inputs["prompt_mask"].sum() + inputs["completion_mask"].sum())
    elif method == "orpo":
        rows = sum(int(inputs[f"{side}_attention_mask"].sum()) for side in ("chosen", "rejected"))
    assert read < (0.8 if method in ("sft", "kto") else 0.5) * rows


@pytest.mark.parametrize("method", ["sft", "orpo"])
def test_twenty_steps_lead_to_the_same_adapter(method, dataset, start, tmp_path):
    ends, losses_of = {}, {}
    for mode in ("true", "false"):
        trainer = trainer_of(method, dataset, start, tmp_path / mode, max_steps=20, shared_prefix=mode)
        trainer.train()
        ends[mode] = {name: weight for name, weight in trainer.model.named_parameters() if weight.requires_grad}
        losses_of[mode] = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert losses_of["true"] == pytest.approx(losses_of["false"], rel=1e-4)
    assert max(losses_of["true"][-3:]) < losses_of["true"][0]
    for name, weight in ends["false"].items():
        assert (ends["true"][name] - weight).norm() <= 1e-3 * weight.norm()


def test_a_run_says_so_and_counts_what_it_computed_beside_what_it_read(dataset, start, tmp_path, train, capsys):
    for name, changes in (("shared", {}), ("plain", {"shared_prefix": "false"})):
        train("recipes/orpo.yaml", words_of("orpo", dataset, start, tmp_path / name, **changes))
    shared, plain = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("shared", "plain"))
    printed = capsys.readouterr().out
    assert "shared prefix: on" in printed
    assert "shared prefix: off, as the recipe says" in printed
    assert shared["tokens"] == plain["tokens"]
    assert "tokens_computed" not in plain
    assert 0 < shared["tokens_computed"] < 0.6 * shared["tokens"]
    counts = [line["tokens_computed"] for line in history(tmp_path / "shared") if "loss" in line]
    assert counts == sorted(counts)
    assert counts[-1] == shared["tokens_computed"]


def test_a_resumed_run_goes_on_with_its_count_and_its_losses(dataset, start, tmp_path, train, monkeypatch):
    def words(name):
        return words_of("sft", dataset, start, tmp_path / name, max_steps=4, save_steps=2, logging_steps=4)

    with monkeypatch.context() as patch:
        patch.setattr(JsonLog, "on_step_end", interrupt_at(3))
        with pytest.raises(KeyboardInterrupt):
            train("recipes/sft.yaml", words("interrupted"))
    for name in ("interrupted", "whole"):
        train("recipes/sft.yaml", words(name))
    ends = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("interrupted", "whole")]
    assert ends[0]["tokens_computed"] == ends[1]["tokens_computed"]
    weights = [load_file(tmp_path / name / "adapter_model.safetensors") for name in ("interrupted", "whole")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_two_processes_read_as_many_tokens_as_one(dataset, start, tmp_path, train):
    train("recipes/sft.yaml", words_of("sft", dataset, start, tmp_path / "one", max_steps=3))
    words = words_of("sft", dataset, start, tmp_path / "two", max_steps=3, per_device_train_batch_size=4)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "ascii_maze", "train"]
    done = launch([*command, "recipes/sft.yaml", *words], PYTHONPATH=".")
    assert done.returncode == 0, done.stderr[-4000:]
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two"))
    assert two["processes"] == 2
    assert two["tokens"] == one["tokens"]
    assert one["tokens_computed"] < two["tokens_computed"] < two["tokens"]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=2e-3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"activation_checkpointing": "true"}, "activation_checkpointing computes layers again"),
        ({"lora_dropout": 0.1}, "dropout falls on each row independently"),
        ({"neftune_noise_alpha": 5}, "neftune_noise_alpha adds noise to every row"),
        ({"packing": "true", "attn_implementation": "eager"}, "rows are packed"),
        ({"per_device_train_batch_size": 1}, "a batch is one row"),
    ],
)
def test_where_it_is_off_a_line_says_why_and_true_is_refused(changes, reason, dataset, start, tmp_path):
    trainer = trainer_of("sft", dataset, start, tmp_path / "run", **changes)
    assert trainer.sharing.startswith(f"shared prefix: off, because {reason}")
    assert trainer.shared is None
    with pytest.raises(UsageError, match=f"shared_prefix is true, which is not possible here: {reason}"):
        share_prefixes(trainer, "true", 100)


def test_a_row_longer_than_a_sliding_window_turns_it_off(dataset, start, tmp_path):
    trainer = trainer_of("sft", dataset, start, tmp_path / "run", shared_prefix="false")
    trainer.model.config.sliding_window, trainer.model.config.layer_types = 80, ["sliding_attention"] * 2
    line = share_prefixes(trainer, "auto", 120)
    assert line.endswith("because its sliding window of 80 tokens is shorter than the longest row, 120")


def test_the_embedded_model_in_four_bits_computes_the_same(dataset, tmp_path):
    trainer = tiny_trainer("orpo", dataset, tmp_path)
    assert "shared prefix: on" in trainer.sharing
    trainer.shared.remove()
    wake(trainer)
    assert disagreement(trainer.model) < 1e-4


def test_on_a_gpu_it_is_off_unless_it_is_asked_for():
    trainer = SimpleNamespace(args=SimpleNamespace(device=torch.device("cuda")))
    assert "off, because whole rows are faster on a GPU" in share_prefixes(trainer, "auto", 100)


def test_another_word_than_auto_true_or_false_is_refused(dataset, start, tmp_path):
    with pytest.raises(UsageError, match="shared_prefix is 'yes'; expected auto, true or false"):
        trainer_of("sft", dataset, start, tmp_path / "run", shared_prefix="yes")


def test_positions_without_loss_are_not_projected(dataset, start, tmp_path, monkeypatch):
    """TRL would project all of them on a CPU."""
    from trl.trainer import utils

    trainer = trainer_of("sft", dataset, start, tmp_path / "run")
    function, seen = utils._ChunkedLogProbFunction, []

    def apply(hidden, weight, bias, targets, *rest):
        seen.append(len(targets))
        return function.apply(hidden, weight, bias, targets, *rest)

    monkeypatch.setattr(utils, "_ChunkedLogProbFunction", SimpleNamespace(apply=apply))
    inputs = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    trainer.compute_loss(trainer.model, inputs)
    assert seen == [int((inputs["labels"][:, 1:] != -100).sum())]
    assert not utils._use_triton(torch.device("cpu"))
