from types import SimpleNamespace

import pytest
import torch

from ascii_maze.models import plain_text
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.models.plain_text import encode_texts, load_texts, perplexity


def test_the_texts_are_plain_and_say_nothing_of_mazes():
    texts = load_texts()
    assert len(texts) >= 10
    assert all(20 < len(text.split()) < 100 for text in texts)
    assert not any(word in " ".join(texts).lower() for word in ("maze", "path", "goal", "#"))


class Characters:
    """A tokenizer that has every character."""

    def __call__(self, text, add_special_tokens=False):
        return {"input_ids": [ord(character) for character in text]}

    def decode(self, ids):
        return "".join(map(chr, ids))


def test_a_tokenizer_of_mazes_has_no_words():
    assert encode_texts(load_tokenizer("tiny")) == []
    assert len(encode_texts(Characters())) == len(load_texts())


class Twice:
    """A model for which token 1 is as likely as all other 49 tokens together."""

    device = torch.device("cpu")

    def __call__(self, input_ids, use_cache):
        logits = torch.zeros(*input_ids.shape, 50)
        logits[..., 1] = torch.tensor(49.0).log()
        return SimpleNamespace(logits=logits)


def test_perplexity_is_over_all_tokens_but_each_text_s_first():
    assert perplexity(Twice(), [[9, 1, 1], [1, 1]]) == pytest.approx(2)
    assert perplexity(Twice(), [[9, 1, 9, 1]]) == pytest.approx((2 * 98 * 2) ** (1 / 3))
    assert plain_text.TEXTS.is_file()
