"""The heads and MLPs through which a fine-tune's change acts: each one patched alone, in both directions.

Into the reference (denoising): the reference runs with the fine-tune's output of one component; the effect is the gain
in log odds of right moves. Out of the fine-tune (noising): the fine-tune runs with the reference's output of that
component; the effect is the loss in log odds. All positions of prompt and answer are patched; everything upstream of
the component is kept, everything downstream is computed.

Attribution patching estimates all components by one backward pass through each model: the component's change times the
gradient of the score (Nanda, 2023; Kramár et al., 2024). If there are more than `ALL_UP_TO` components, only the `TOP`
of the estimate are patched exactly, otherwise all are; the two rankings are compared (Spearman).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import AsciiMazeError
from ..terminal import OnProgress
from .components import Part, Taps, attribute, change_of, gradients, parts_of, run_with, tap
from .intervals import mean_intervals
from .models import Models
from .odds import asked_moves, log_odds
from .positions import TokenisedWalk
from .reading import batches
from .schema.causes import ComponentEffect, Components, Effect

# The number of components up to which all are patched, and how many are otherwise.
ALL_UP_TO, TOP = 16, 10
# Most numbers in the states of all layers for one token of each walk of a batch. A backward pass holds about twenty
# times as many per token: 7 walks of 150 tokens take 2 GB with 30 layers of 576.
ROOM = 2**17


def find_components(
    models: Models,
    pairs: Sequence[tuple[str, str]],
    walks: Sequence[TokenisedWalk],
    decisions: np.ndarray,
    seed: int,
    on_progress: OnProgress,
) -> tuple[list[Components], dict[str, str]]:
    """The effects of all heads and MLPs, for some fine-tunes against their references.

    Args:
        pairs: reference and fine-tune.
        walks: that are read.
        decisions: bool (moves,), where the walker has a choice.
        seed: of the resampled mazes.

    Returns:
        Those of each pair; and {what is missing: why}.
    """
    asked = asked_moves(walks, decisions)
    found: list[Components] = []
    for done, (reference, name) in enumerate(pairs, 1):
        try:
            found.append(compare_components(models, reference, name, walks, asked, seed))
        except AsciiMazeError as error:  # a property of the model family, so it affects all pairs
            return [], {"heads and MLPs patched one by one": str(error)}
        on_progress("heads and MLPs", done, len(pairs))
    return found, {}


def compare_components(
    models: Models, reference: str, name: str, walks: Sequence[TokenisedWalk], asked: Sequence[np.ndarray], seed: int
) -> Components:
    """The effect of every head and MLP of a fine-tune against a reference.

    Args:
        asked: of each walk, the moves that are scored; see `odds.asked_moves`.
        seed: of the resampled mazes.

    Raises:
        AsciiMazeError: heads or MLPs cannot be found in this family.
    """
    parts, sides = parts_of(models), {"into": reference, "out": name}
    width = models.model.config.get_text_config().hidden_size
    size = max(1, ROOM // (len(models.layers) * width))
    read = [_read(models, sides, walks, asked, *batch) for batch in batches(walks, size)]
    scores, estimates = np.zeros((2, len(walks))), np.zeros((2, len(parts), len(walks)))
    for side, model in enumerate(sides.values()):
        models.switch(model)
        for batch in read:
            scores[side, batch.chosen] = _score(models, batch, batch.taps[side].states[-1])
            slopes = gradients(models, batch.ids, batch.walks, batch.asked)
            estimates[side][:, batch.chosen] = attribute(parts, batch.taps[1], batch.taps[0], slopes)
    best = np.argsort(-abs(estimates.mean(axis=2)).sum(axis=0), kind="stable")
    patched = np.arange(len(parts)) if len(parts) <= ALL_UP_TO else np.sort(best[:TOP])
    exact = np.zeros((2, len(patched), len(walks)))
    for side, (model, sign) in enumerate(zip(sides.values(), (1, -1))):
        models.switch(model)
        for row, part in enumerate(patched):
            for batch in read:
                change = sign * change_of(parts[part], batch.taps[1], batch.taps[0])
                if change.any():
                    states = run_with(models, parts[part], change, batch.taps[side], batch.ids)
                    moved = _score(models, batch, states) - scores[side, batch.chosen]
                    exact[side, row, batch.chosen] = sign * moved
    gap = scores[1] - scores[0]
    return Components(
        model=name,
        reference=reference,
        gap=float(gap.mean()),
        gap_ci=mean_intervals(gap[None], seed)[0],
        agreement={way: _agree(estimates[side][patched], exact[side]) for side, way in enumerate(sides)},
        patched=len(patched),
        mazes=len(walks),
        parts=_effects(parts, patched.tolist(), estimates, exact, seed),
    )


class _Read(NamedTuple):
    """A batch as the reference and the fine-tune have read it; see `reading.Batch`."""

    chosen: list[int]
    ids: Any
    walks: list[TokenisedWalk]
    asked: list[np.ndarray]
    taps: list[Taps]


def _read(
    models: Models,
    sides: Mapping[str, str],
    walks: Sequence[TokenisedWalk],
    asked: Sequence[np.ndarray],
    chosen: list[int],
    ids,
) -> _Read:
    taps = []
    for model in sides.values():
        models.switch(model)
        taps.append(tap(models, ids))
    return _Read(chosen, ids, [walks[index] for index in chosen], [asked[index] for index in chosen], taps)


def _score(models: Models, batch: _Read, states) -> np.ndarray:
    import torch

    with torch.inference_mode():
        return log_odds(models, states, batch.walks, batch.asked).double().cpu().numpy()


def _effects(
    parts: Sequence[Part], patched: Sequence[int], estimates: np.ndarray, exact: np.ndarray, seed: int
) -> list[ComponentEffect]:
    intervals = [mean_intervals(table, seed) for table in exact]

    def effect(side: int, part: int) -> Effect:
        row = patched.index(part) if part in patched else None
        return {
            "estimate": float(estimates[side, part].mean()),
            "exact": None if row is None else float(exact[side, row].mean()),
            "ci": None if row is None else intervals[side][row],
        }

    return [
        ComponentEffect(layer=part.layer, head=part.head, into=effect(0, index), out=effect(1, index))
        for index, part in enumerate(parts)
    ]


def _agree(estimate: np.ndarray, exact: np.ndarray) -> float | None:
    """Spearman's rank correlation of the means of two tables (components, mazes); None where one does not vary."""
    from scipy.stats import spearmanr

    means = estimate.mean(axis=1), exact.mean(axis=1)
    if any(len(np.unique(side)) < 2 for side in means):
        return None
    return float(spearmanr(*means).statistic)
