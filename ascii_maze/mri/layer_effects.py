"""In which layers a fine-tune's change has its effect: its start, with the change in some layers only.

The change is put into the layers up to one (which equals patching the fine-tune's states after it), into those from
one on, or into one alone. The control, of the first and the last, is a random update of the same norm there.

The score is the log odds of right moves at decisions, which still differ between two fine-tunes that solve equally
many mazes, where validity does not. With the layers up to the last one, the start equals the fine-tune except for what
follows that layer. (Vig et al., 2020; Zhang & Nanda, 2024.)
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from .intervals import RESAMPLES, mean_intervals
from .mixing import mixed
from .models import BASE, Models
from .odds import score_batches
from .positions import TokenisedWalk
from .reading import Recording, patch_prefix, read_from, record
from .schema.causes import LayerCurve, LayerEffects
from .weights import is_product, randomised

# The layers with the change: up to one, from one on, or one alone.
PREFIX, SUFFIX, SINGLE = PARTS = ("prefix", "suffix", "single")
CONTROLLED = (PREFIX, SINGLE)


def find_layer_effects(
    models: Models,
    reference: str,
    name: str,
    layers: Sequence[int],
    walks: Sequence[TokenisedWalk],
    asked: Sequence[np.ndarray],
    seed: int,
) -> LayerEffects:
    """The gain of a reference in log odds of right moves with a fine-tune's change in some layers only.

    Args:
        layers: where these begin or end, ascending; 0 is the embedding.
        asked: of each walk, the moves that are scored; see `odds.asked_moves`.
        seed: of the resampled mazes and of the random update.
    """
    own = record(models, reference, walks)
    before = score_batches(models, own.batches, asked)
    gains, gap = _gains(models, own, name, layers, walks, asked, before)
    control = None
    if all(is_product(models, each) for each in (reference, name) if each != BASE):
        with _random_change(models, reference, name, seed) as random:
            control = _curves(_gains(models, own, random, layers, walks, asked, before, CONTROLLED)[0], seed)
    half, half_ci = half_there(layers, gains[PREFIX], gap, seed)
    return LayerEffects(
        model=name,
        reference=reference,
        layers=list(layers),
        change=_curves(gains, seed),
        random=control,
        gap=float(gap.mean()),
        gap_ci=mean_intervals(gap[None], seed)[0],
        half=half,
        half_ci=half_ci,
        mazes=len(walks),
    )


def _curves(gains: Mapping[str, np.ndarray], seed: int) -> dict[str, LayerCurve]:
    """Means and intervals of float (layers, mazes)."""
    return {
        part: LayerCurve(effect=of.mean(axis=1).tolist(), ci=mean_intervals(of, seed)) for part, of in gains.items()
    }


@contextmanager
def _random_change(models: Models, reference: str, name: str, seed: int) -> Iterator[str]:
    """The name of the reference with a random update of the norms of a fine-tune's change."""
    with randomised(models, name, seed, reference):
        if reference == BASE:
            yield name
        else:
            with mixed(models, {reference: 1.0, name: 1.0}) as both:
                yield both


def _gains(
    models: Models,
    own: Recording,
    name: str,
    layers: Sequence[int],
    walks: Sequence[TokenisedWalk],
    asked: Sequence[np.ndarray],
    before: np.ndarray,
    parts: Sequence[str] = PARTS,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The gains by part, float64 (layers, mazes) each, and that of the whole fine-tune, float64 (mazes,).

    Args:
        own: the reference on these walks, and `before` its log odds.
    """
    tuned = record(models, name, walks)
    gap = score_batches(models, tuned.batches, asked) - before
    top = len(models.layers) + 2  # what follows the layers is a stage too

    def gain(part: str, layer: int) -> np.ndarray:
        if part == PREFIX or (part == SINGLE and not layer):
            models.switch(own.name)
            return _patched(models, tuned, layer, asked) - before
        if not layer:
            return gap
        # What is below the layer, the reference has already read.
        models.switch(name, range(layer, top if part == SUFFIX else layer + 1), elsewhere=own.name)
        return _patched(models, own, layer - 1, asked) - before

    return {part: np.array([gain(part, layer) for layer in layers]) for part in parts}, gap


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
