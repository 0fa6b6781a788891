"""Text that has nothing to do with mazes: what a fine-tune changes on it."""

import numpy as np
import pytest

from ascii_maze.models import plain_text as texts_of
from ascii_maze.mri.plain_text import NAMED, read_plain_text

from .conftest import LAYERS


@pytest.fixture
def texts(monkeypatch, rows):
    """What the tokenizer of the small model knows."""
    monkeypatch.setattr(texts_of, "load_texts", lambda: [row["maze"] for row in rows[:3]])


def test_a_tokenizer_without_letters_is_said_to_know_no_text(models):
    found, missing = read_plain_text(models, ["one"])
    assert found == {}
    assert missing == {"unrelated text": "the model's tokenizer knows no plain text"}


def test_an_adapter_of_zeros_changes_nothing_and_another_does(models, texts):
    found, missing = read_plain_text(models, ["zero", "one", "high"])
    assert missing == {}
    assert found["zero"]["drift"] == [0.0] * (LAYERS + 1)
    assert found["zero"]["perplexity"] == found["base"]["perplexity"] > 1
    assert found["zero"]["tokens"] == []
    assert found["one"]["perplexity"] != found["base"]["perplexity"]
    assert found["one"]["drift"][0] == 0.0
    assert found["high"]["drift"][1] == 0.0  # its only layer is the second
    assert found["high"]["drift"][2] > 0.0
    assert len(found["one"]["tokens"]) == NAMED


def test_perplexity_is_that_of_the_model_s_own_loss(models, texts):
    import torch

    models.switch("one")
    losses, counts = [], []
    for text in texts_of.load_texts():
        ids = torch.tensor([models.tokenizer(text, add_special_tokens=False)["input_ids"]])
        with torch.inference_mode():
            losses.append(float(models.model(input_ids=ids, labels=ids).loss))
        counts.append(ids.shape[1] - 1)
    found, _ = read_plain_text(models, ["one"])
    assert np.log(found["one"]["perplexity"]) == pytest.approx(np.average(losses, weights=counts), rel=1e-4)
