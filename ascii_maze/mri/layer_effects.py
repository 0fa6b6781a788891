"""The layer by which a fine-tune's change has its effect: its states patched into its start, one layer at a time.

The score is the log odds of right moves at decisions, which still differ between two fine-tunes that solve equally
many mazes, where validity does not. Patched at the last layer, the start equals the fine-tune except for what follows
that layer. (Vig et al., 2020; Zhang & Nanda, 2024.)
"""

from collections.abc import Sequence

import numpy as np

from .intervals import RESAMPLES, mean_intervals
from .models import Models
from .odds import score_batches
from .positions import TokenisedWalk
from .reading import Recording, patch_prefix, read_from, record
from .schema.causes import LayerEffects


def find_layer_effects(
    models: Models,
    reference: str,
    name: str,
    layers: Sequence[int],
    walks: Sequence[TokenisedWalk],
    asked: Sequence[np.ndarray],
    seed: int,
) -> LayerEffects:
    """The gain of a reference in log odds of right moves with a fine-tune's states after each of some layers.

    Args:
        layers: that are patched, ascending; 0 is the embedding.
        asked: of each walk, the moves that are scored; see `odds.asked_moves`.
        seed: of the resampled mazes.
    """
    tuned, own = (record(models, model, walks) for model in (name, reference))
    before = score_batches(models, own.batches, asked)  # the reference, recorded last, is active
    patched = np.array([_patched(models, tuned, layer, asked) - before for layer in layers])
    models.switch(name)
    gap = score_batches(models, tuned.batches, asked) - before
    half, half_ci = half_there(layers, patched, gap, seed)
    return LayerEffects(
        model=name,
        reference=reference,
        layers=list(layers),
        effect=patched.mean(axis=1).tolist(),
        ci=mean_intervals(patched, seed),
        gap=float(gap.mean()),
        gap_ci=mean_intervals(gap[None], seed)[0],
        half=half,
        half_ci=half_ci,
        mazes=len(walks),
    )


def half_there(
    layers: Sequence[int], patched: np.ndarray, gap: np.ndarray, seed: int
) -> tuple[int | None, list[int] | None]:
    """The first layer by which half of the gap is closed, and its 95 % interval over resampled mazes.

    Args:
        layers: of the rows of `patched`, float (layers, mazes).
        gap: float (mazes,).

    Returns:
        None twice if the gap is not above 0 in 97.5 % of resamples.
    """
    count = len(gap)
    weights = np.random.default_rng([seed, 6]).multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count
    table = np.column_stack([weights @ gap, weights @ patched.T])
    drawn = [half for half in (_first_half(layers, row) for row in table) if half is not None]
    half = _first_half(layers, np.array([gap.mean(), *patched.mean(axis=1)]))
    if half is None or len(drawn) < 0.975 * RESAMPLES:
        return None, None
    low, high = np.percentile(drawn, [2.5, 97.5], method="nearest")
    return half, [int(low), int(high)]


def _first_half(layers: Sequence[int], means: np.ndarray) -> int | None:
    """The first layer whose mean effect is half of the mean gap; None without a gap."""
    gap, *effects = means
    if gap <= 0:
        return None
    return next((layer for layer, effect in zip(layers, effects) if effect >= gap / 2), None)


def _patched(models: Models, tuned: Recording, layer: int, asked: Sequence[np.ndarray]) -> np.ndarray:
    """The log odds of each walk under the active model with another model's states after a layer: float64 (walks,)."""
    prefix = patch_prefix(models, tuned.prefix, layer)
    read = (read_from(models, batch, layer, batch.states[layer], prefix) for batch in tuned.batches)
    return score_batches(models, read, asked)
