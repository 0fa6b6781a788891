"""ORPO's loss is that of the paper, computed here from probabilities, so that a port of TRL's trainer is safe."""

import math
import types

import pytest
import torch

from ascii_maze.errors import AsciiMazeError
from ascii_maze.recipe import methods

from .conftest import trainer_of


def log_likelihood(model, tokens: list[int], labels: list[int]) -> float:
    """The log P(y|x) of section 4.1: the mean over the tokens of one completion, read without padding."""
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].double()
    told = [
        float(logits[place - 1, token] - torch.logsumexp(logits[place - 1], dim=0))
        for place, (token, label) in enumerate(zip(tokens, labels, strict=True))
        if label != -100
    ]
    return sum(told) / len(told)


def odds(log_probability: float) -> float:
    """Equation 4, P / (1 - P)."""
    probability = math.exp(log_probability)
    return probability / (1 - probability)


@pytest.mark.parametrize("weight", [0.1, 0.7])
def test_the_loss_is_that_of_the_paper(weight, dataset, tmp_path):
    """Hong et al., 2024, equations 4 to 7: L = E[L_SFT + weight * L_OR]."""
    changes = {"beta": weight, "per_device_train_batch_size": 4, "shared_prefix": "false", "lora_dropout": 0}
    trainer = trainer_of("orpo", dataset, tmp_path / "run", **changes)
    model = trainer.model.eval()
    batch = next(iter(trainer.get_train_dataloader()))
    losses = []
    for row in range(len(batch["chosen_labels"])):
        likely = {}
        for side in ("chosen", "rejected"):
            there = batch[f"{side}_attention_mask"][row].bool()
            tokens, labels = (batch[f"{side}_{part}"][row][there].tolist() for part in ("input_ids", "labels"))
            assert labels[0] == -100
            assert 0 < sum(label != -100 for label in labels) < len(labels)
            likely[side] = log_likelihood(model, tokens, labels)
        ratio = odds(likely["chosen"]) / odds(likely["rejected"])
        supervised, preferred = -likely["chosen"], -math.log(1 / (1 + math.exp(-math.log(ratio))))
        losses.append(supervised + weight * preferred)
    with torch.no_grad():
        loss, _ = trainer.get_batch_loss_metrics(model, trainer._prepare_inputs(batch))
    assert float(loss) == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_a_trl_without_the_experimental_trainer_is_one_clear_line(monkeypatch):
    def gone(name):
        if name == "trl":
            return types.SimpleNamespace()
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr(methods.importlib, "import_module", gone)
    said = r"TRL \S+ has no ORPOConfig in trl\.experimental\.orpo; pip install 'trl\S+' has it"
    with pytest.raises(AsciiMazeError, match=said) as caught:
        methods.METHODS["orpo"].config_class()
    assert "\n" not in str(caught.value)


def test_a_trainer_that_became_stable_is_found_where_it_went(monkeypatch):
    class ORPOTrainer: ...

    def moved(name):
        if name == "trl":
            return types.SimpleNamespace(ORPOTrainer=ORPOTrainer)
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr(methods.importlib, "import_module", moved)
    assert methods.METHODS["orpo"].trainer_class() is ORPOTrainer


def test_a_fault_inside_of_trl_is_not_taken_for_a_missing_trainer(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(methods.importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="torch"):
        methods.METHODS["orpo"].trainer_class()
