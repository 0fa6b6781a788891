"""Steering: a fine-tune's mean change, added in doses to the states of the model that it started from.

At one layer the mean difference of the two, where moves are decided, is added to the states at those tokens, times a
dose; the response is the gain in log odds of right moves. If the fine-tune's change is a direction, the response grows
with the dose, and random directions of the same norm have no effect. (Turner et al., 2023; Rimsky et al.,
2024.)
"""

from collections.abc import Sequence

import numpy as np

from .intervals import mean_intervals
from .models import Models
from .odds import score_batches
from .positions import TokenisedWalk
from .reading import TOGETHER, Batch, Prefix, Recording, read_from, record, tail_of
from .schema.causes import Steering

DOSES = (0.5, 1.0, 2.0, 4.0)
LAYERS = 4
DRAWS = 2


def steer(
    models: Models, reference: str, name: str, walks: Sequence[TokenisedWalk], asked: Sequence[np.ndarray], seed: int
) -> Steering:
    """The response of a reference to the mean change of a fine-tune, by layer and dose.

    Args:
        asked: of each walk, the moves that are scored; see `odds.asked_moves`.
        seed: of the random directions and of the resampled mazes.
    """
    tuned, own = (
        record(models, model, walks, TOGETHER, keep=True) for model in (name, reference)
    )  # the reference stays active
    tails = [tail_of(batch, own.prefix) for batch in own.batches]  # the reference, recorded last, stays active
    layers = np.unique(np.linspace(1, len(models.layers), LAYERS).round().astype(int)).tolist()
    plain = score_batches(models, [batch for batch, _ in tails], asked)
    rng = np.random.default_rng([seed, 4])
    responses, intervals, random = [], [], []
    for layer in layers:
        change = mean_change(tuned, own, layer)
        table = [_respond(models, tails, layer, dose * change, asked) - plain for dose in DOSES]
        responses.append([float(row.mean()) for row in table])
        intervals.append(mean_intervals(np.array(table), seed))
        draws = [_like(change, rng) for _ in range(DRAWS)]
        random.append(
            [
                float(np.mean([_respond(models, tails, layer, dose * draw, asked) - plain for draw in draws]))
                for dose in DOSES
            ]
        )
    return Steering(
        model=name,
        reference=reference,
        layers=layers,
        doses=list(DOSES),
        response=responses,
        ci=intervals,
        random=random,
        mazes=len(walks),
    )


def mean_change(after: Recording, before: Recording, layer: int) -> np.ndarray:
    """The mean difference of two models' states after a layer, at the tokens where moves are decided: (width,)."""
    rows = [
        (two.states[layer][row, walk.moves] - one.states[layer][row, walk.moves]).float().cpu().numpy()
        for one, two in zip(before.batches, after.batches)
        for row, walk in enumerate(one.walks)
    ]
    return np.concatenate(rows).mean(axis=0)


def _like(change: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random direction of the same norm."""
    drawn = rng.normal(size=change.shape)
    return (drawn * np.linalg.norm(change) / np.linalg.norm(drawn)).astype(change.dtype)


def _respond(
    models: Models,
    tails: Sequence[tuple[Batch, Prefix | None]],
    layer: int,
    change: np.ndarray,
    asked: Sequence[np.ndarray],
) -> np.ndarray:
    """The log odds of each walk with something added where moves are decided: float64 (walks,).

    Args:
        tails: of `reading.tail_of`: nothing before them changes.
    """
    import torch

    if not change.any():
        return score_batches(models, [batch for batch, _ in tails], asked)
    moved = []
    for batch, before in tails:
        states = batch.states[layer]
        where = torch.zeros(states.shape[:2], dtype=torch.bool, device=states.device)
        for row, walk in enumerate(batch.walks):
            where[row, torch.from_numpy(walk.moves)] = True
        shift = torch.from_numpy(change).to(states)
        moved.append(read_from(models, batch, layer, states + where[..., None] * shift, before))
    return score_batches(models, moved, asked)
