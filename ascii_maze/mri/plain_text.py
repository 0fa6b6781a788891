"""What a fine-tune changed on text that has nothing to do with mazes: what its tuning leaks, and what it costs.

The texts of `plain_texts.txt` were written for this project and are in the public domain (CC0). On them a fine-tune
should be its base. How far its states are from the base's, which tokens the mean difference reads as if it were the
last layer's state (Minder et al., 2025: it tells what a narrow fine-tune was trained on), and the perplexity before
and after say how far it is not.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import AsciiMazeError
from .lens import read_out
from .models import BASE, Models, watching
from .schema import PlainText

TEXTS = Path(__file__).with_name("plain_texts.txt")
# Tokens of each text that the mean difference is over, its first ones; and how many tokens are named.
FIRST, NAMED = 5, 8


class _Reading(NamedTuple):
    """One model's states of each layer, (tokens of all texts, width), and the nats of each next token."""

    states: list[np.ndarray]
    nats: np.ndarray


def load_texts() -> list[str]:
    """The texts, a paragraph each."""
    return [" ".join(part.split()) for part in TEXTS.read_text(encoding="utf-8").split("\n\n") if part.strip()]


def read_plain_text(models: Models, names: Sequence[str]) -> tuple[dict[str, PlainText], dict[str, str]]:
    """How far models are from the base on plain text.

    Args:
        names: of the adapters.

    Returns:
        For the base and each of them; and {what is missing: why}.
    """
    try:
        texts = [_encode(models.tokenizer, text) for text in load_texts()]
    except AsciiMazeError as error:
        return {}, {"unrelated text": str(error)}
    base, layer = _read(models, BASE, texts), len(models.layers) // 2
    found = {BASE: PlainText(perplexity=_perplexity(base), drift=[0.0] * len(base.states), layer=layer, tokens=[])}
    first = np.concatenate([np.arange(len(ids)) < FIRST for ids in texts])
    for name in names:
        mine = _read(models, name, texts)
        moved = [
            float((np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)).mean())
            for before, after in zip(base.states, mine.states)
        ]
        change = (mine.states[layer] - base.states[layer])[first].mean(axis=0)
        tokens = _tokens(models, change) if change.any() else []
        found[name] = PlainText(perplexity=_perplexity(mine), drift=moved, layer=layer, tokens=tokens)
    return found, {}


def _encode(tokenizer, text: str) -> list[int]:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if "".join(tokenizer.decode(ids).split()) != "".join(text.split()):
        raise AsciiMazeError("the model's tokenizer knows no plain text")
    return ids


def _read(models: Models, name: str, texts: Sequence[list[int]]) -> _Reading:
    """Run one model over the texts, one by one."""
    import torch

    models.switch(name)
    layers: list[list[np.ndarray]] = [[] for _ in range(len(models.layers) + 1)]

    def visit(site: str, layer: int, hidden) -> None:
        layers[layer].append(hidden[0].float().cpu().numpy())

    nats = []
    for ids in texts:
        with watching(models, visit), torch.inference_mode():
            models.model(input_ids=torch.tensor([ids], device=models.model.device), use_cache=False, logits_to_keep=1)
        for rows, logits in read_out(models, layers[-1][-1][:-1]):
            target = torch.tensor(ids[1:], device=logits.device)[rows, None]
            nats.append(-logits.log_softmax(-1).gather(-1, target)[:, 0].cpu().numpy())
    return _Reading([np.concatenate(states) for states in layers], np.concatenate(nats))


def _perplexity(reading: _Reading) -> float:
    return float(np.exp(reading.nats.mean()))


def _tokens(models: Models, change: np.ndarray) -> list[str]:
    """The likeliest tokens of a change as the base would read it after its last layer."""
    models.switch(BASE)
    ((_, logits),) = read_out(models, change[None].astype(np.float32))
    return [models.tokenizer.decode([token]) for token in logits[0].topk(NAMED).indices.tolist()]
