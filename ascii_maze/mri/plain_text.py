"""What a fine-tune changed on text unrelated to mazes: traces of its training data, and loss of general ability.

On such text a fine-tune should equal its base. The drift of its states, the tokens that the mean difference decodes to
as if it were the last layer's state (Minder et al., 2025: it reveals what a narrow fine-tune was trained on), and the
perplexity before and after measure how far it does not.
"""

from collections.abc import Sequence

import numpy as np

from ..models.plain_text import encode_texts, perplexity
from .lens import read_out
from .models import BASE, Models, watching
from .schema.states import PlainText

# First tokens of each text over which the mean difference is taken; and how many tokens are named.
FIRST, NAMED = 5, 8


def read_plain_text(models: Models, names: Sequence[str]) -> tuple[dict[str, PlainText], dict[str, str]]:
    """The drift of models from the base on plain text.

    Args:
        names: of the adapters.

    Returns:
        For the base and each of them; and {what is missing: why}.
    """
    texts = encode_texts(models.tokenizer)
    if not texts:
        return {}, {"unrelated text": "the model's tokenizer knows no plain text"}
    (base, figure), layer = _read(models, BASE, texts), len(models.layers) // 2
    found = {BASE: PlainText(perplexity=figure, drift=[0.0] * len(base), layer=layer, tokens=[])}
    first = np.concatenate([np.arange(len(ids)) < FIRST for ids in texts])
    for name in names:
        mine, figure = _read(models, name, texts)
        moved = [
            float((np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)).mean())
            for before, after in zip(base, mine)
        ]
        change = (mine[layer] - base[layer])[first].mean(axis=0)
        tokens = _tokens(models, change) if change.any() else []
        found[name] = PlainText(perplexity=figure, drift=moved, layer=layer, tokens=tokens)
    return found, {}


def _read(models: Models, name: str, texts: Sequence[list[int]]) -> tuple[list[np.ndarray], float]:
    """One model's states of each layer, float32 (tokens of all texts, width), and its perplexity."""
    models.switch(name)
    layers: list[list[np.ndarray]] = [[] for _ in range(len(models.layers) + 1)]

    def visit(site: str, layer: int, hidden) -> None:
        layers[layer].append(hidden[0].float().cpu().numpy())

    with watching(models, visit):
        figure = perplexity(models.model, texts)
    return [np.concatenate(states) for states in layers], figure


def _tokens(models: Models, change: np.ndarray) -> list[str]:
    """The likeliest tokens of a change, decoded as if it were a state of the base's last layer."""
    models.switch(BASE)
    ((_, logits),) = read_out(models, change[None].astype(np.float32))
    return [models.tokenizer.decode([token]) for token in logits[0].topk(NAMED).indices.tolist()]
