"""The log odds of right moves, by which patched and steered models are scored.

The log odds of the right token against all others, in nats, at the decisions of a solution: where some way onward is
right and some is not. Unlike probabilities they do not saturate, so effects add up (Zhang & Nanda, 2024).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .models import Models
from .positions import TokenisedWalk
from .reading import Batch


def asked_moves(walks: Sequence[TokenisedWalk], decisions: np.ndarray) -> list[np.ndarray]:
    """For each walk the indices of the moves that are scored, int64: its decisions, or all moves if it has none.

    Args:
        decisions: bool (sum of moves,).
    """
    parts = np.split(decisions, np.cumsum([len(walk.moves) for walk in walks])[:-1])
    return [np.flatnonzero(part) if part.any() else np.arange(len(part)) for part in parts]


def first_moves(values: np.ndarray, walks: Sequence[TokenisedWalk]) -> np.ndarray:
    """The first walks' part of values by move, (sum of moves of all walks,)."""
    return values[: sum(len(walk.moves) for walk in walks)]


def log_odds(models: Models, states, walks: Sequence[TokenisedWalk], asked: Sequence[np.ndarray]) -> Any:
    """The mean log odds of the right token over the scored moves of each walk, under the active model.

    Args:
        states: of the last layer, (batch, tokens, width); gradients flow through them.
        walks: those of the batch.
        asked: of each walk, of `asked_moves`.

    Returns:
        float32 (batch,).
    """
    import torch

    counts = torch.tensor([len(moves) for moves in asked])
    rows = torch.repeat_interleave(torch.arange(len(walks)), counts)
    places = np.concatenate([walk.moves[moves] for walk, moves in zip(walks, asked)])
    right = np.concatenate([walk.ids[walk.moves[moves] + 1] for walk, moves in zip(walks, asked)])
    logits = models.head(models.norm(states[rows, torch.from_numpy(places)])).float()
    target = torch.from_numpy(right).to(logits.device)[:, None]
    others = logits.scatter(-1, target, -torch.inf).logsumexp(-1)
    odds = logits.gather(-1, target)[:, 0] - others
    sums = torch.zeros(len(walks), device=odds.device).index_add(0, rows.to(odds.device), odds)
    return sums / counts.to(odds.device)


def score_batches(models: Models, batches: Iterable[Batch], asked: Sequence[np.ndarray]) -> np.ndarray:
    """`log_odds` of walks that were read in batches: float64 (walks,).

    Args:
        asked: of all walks.
    """
    found = np.zeros(len(asked))
    for batch in batches:
        found[batch.chosen] = score(models, batch, asked)
    return found


def score(models: Models, batch: Batch, asked: Sequence[np.ndarray]) -> np.ndarray:
    """`log_odds` of a batch that was read, float64 (batch,).

    Args:
        asked: of all walks.
    """
    import torch

    with torch.inference_mode():
        odds = log_odds(models, batch.states[-1], batch.walks, [asked[index] for index in batch.chosen])
    return odds.double().cpu().numpy()
