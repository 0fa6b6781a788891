"""Where a fine-tune's change does its work: the base runs, with the fine-tune's hidden states put in at one layer.

Patched at every position after layer l, the base is the fine-tune up to layer l and itself above it. While it
generates this is done without patching, by switching the adapter on in those layers alone, which is the same (a test
holds them against each other); what is read along the reference solution is patched in earnest, and there also at the
positions of the map or of the answer alone. (Vig et al., 2020; Meng et al., 2022.)
"""

from collections.abc import Sequence

import numpy as np

from ..inference import answer_budget, generate
from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.scoring import score_path
from ..policies import open_positions
from ..prompts import style_of
from .activations import batches
from .models import BASE, Models, watching
from .positions import Walk

# Which positions are patched: all, those before the answer, those where moves are decided on.
ROLES = ("all", "prompt", "answer")


def answers(models: Models, rows: Sequence[dict], batch_size: int = 256) -> list[str]:
    """Greedy answers of the model that is switched on."""
    longest = max(open_positions(Maze.from_ascii(row["maze"])) for row in rows)
    budget = answer_budget(models.tokenizer, longest, style_of(rows[0]["prompt"]))
    return generate(models.model, models.tokenizer, [row["prompt"] for row in rows], budget, batch_size)


def solved(rows: Sequence[dict], completions: Sequence[str]) -> np.ndarray:
    """Which answers are valid, bool (n,)."""
    return np.array([score_path(row["maze"], answer).valid for row, answer in zip(rows, completions)])


def patched_answers(models: Models, name: str, layer: int, rows: Sequence[dict]) -> list[str]:
    """Greedy answers of the base with the hidden states of `name` after that layer, at every position."""
    models.switch(name, range(layer + 1))
    return answers(models, rows)


def patched_accuracy(models: Models, name: str, walks: Sequence[Walk], role: str, batch_size: int = 64) -> list[float]:
    """The share of right next moves along the reference solution, of the base patched at each layer in turn.

    Args:
        role: of `ROLES`.

    Returns:
        Layer 0 (the embedding's output) to the last.
    """
    hits, moves = np.zeros(len(models.layers) + 1), 0
    for chosen, ids, mask in batches(walks, batch_size):
        of_batch = [walks[index] for index in chosen]
        states = _hidden_states(models, name, ids, mask)
        patched = _where(of_batch, ids.shape, role)
        for layer, state in enumerate(states):
            hits[layer] += _right_moves(models, of_batch, ids, mask, layer, state, patched)
        moves += sum(len(walk.moves) for walk in of_batch)
    return (hits / moves).tolist()


def accuracy(models: Models, name: str, walks: Sequence[Walk], batch_size: int = 64) -> float:
    """The share of right next moves along the reference solution, of a model as it is."""
    models.switch(name)
    hits = sum(
        _right_moves(models, [walks[index] for index in chosen], ids, mask)
        for chosen, ids, mask in batches(walks, batch_size)
    )
    return hits / sum(len(walk.moves) for walk in walks)


def _hidden_states(models: Models, name: str, ids, mask) -> list:
    """Every layer's hidden states (batch, tokens, width) of one model, from the embedding's output on."""
    states = []
    models.switch(name)

    def keep(site, layer, hidden):
        states.append(hidden)

    with watching(models, keep):
        _logits(models, ids, mask)
    return states


def _right_moves(models: Models, walks: Sequence[Walk], ids, mask, layer=None, state=None, patched=None) -> int:
    """How many moves of a batch the model finds the likeliest; if a layer is given, the base patched at it."""
    import torch

    def put(site, here, hidden):
        return torch.where(patched[..., None].to(hidden.device), state, hidden) if here == layer else None

    if layer is None:
        logits = _logits(models, ids, mask)
    else:
        models.switch(BASE)
        with watching(models, put):
            logits = _logits(models, ids, mask)
    likeliest = logits.argmax(-1).cpu().numpy()
    return sum(int((likeliest[row, walk.moves] == walk.ids[walk.moves + 1]).sum()) for row, walk in enumerate(walks))


def _logits(models: Models, ids, mask):
    import torch

    device = models.model.device
    with torch.inference_mode():
        return models.model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits


def _where(walks: Sequence[Walk], shape: tuple[int, int], role: str):
    """The positions of a role in a batch, bool (batch, tokens)."""
    import torch

    place = torch.arange(shape[1])
    last = torch.tensor([walk.last_prompt for walk in walks])[:, None]
    if role == "all":
        return torch.ones(shape, dtype=torch.bool)
    return place < last if role == "prompt" else place >= last
