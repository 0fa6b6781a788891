"""What a fine-tune's change does, layer by layer: the base answers with the fine-tune's states after one layer."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..terminal import OnProgress
from . import patching
from .layers import MOST, next_layer, wanted_layers
from .models import BASE, Models
from .positions import TokenisedWalk
from .reading import Recording
from .schema.causes import PatchedLayers, Patching, PatchingControls
from .schema.share import Share
from .weights import is_product, randomised

# Of the mazes that patched models answer, those on which single next moves are also counted.
PATCHED_READS = 24
RESAMPLES = 1_000


def valid_share(right: np.ndarray) -> Share:
    """The share of answers that are valid, of bool (n,)."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(int(right.sum()), len(right), method="wilson")
    return {"valid": float(right.mean()), "valid_ci": [float(low), float(high)]}


def patch_layers(
    models: Models,
    names: Sequence[str],
    rows: Sequence[dict],
    walks: Sequence[TokenisedWalk],
    solved: dict[str, np.ndarray],
    option: str,
    seed: int,
    on_progress: OnProgress,
) -> dict[str, Patching]:
    """The validity restored by patching a fine-tune's hidden states into the base, one layer at a time.

    Args:
        names: of the adapters.
        rows: that patched models answer; there may be more of `walks`.
        solved: model -> bool (n,), of its own answers.
        option: which layers; see `layers.wanted_layers`.
        seed: of the resampled mazes and of the random updates.
    """
    walks = walks[: len(rows)]
    few = walks[:PATCHED_READS]
    last = len(models.layers)
    wanted = wanted_layers(option, last)
    each = (MOST + 2 if wanted is None else len(wanted)) + 1
    steps = each * len(names)
    found: dict[str, Patching] = {}
    for rank, name in enumerate(names):
        base, own = solved[BASE][: len(rows)], solved[name][: len(rows)]
        answer = Patched(models, name, rows, walks, base, own)
        right: dict[int, np.ndarray] = {}
        for layer in _in_turn(wanted, right, last):
            right[layer] = answer(layer)
            on_progress("patching", rank * each + len(right), steps)
        del answer  # and with it the fine-tune's states, keys and values: accuracy has its own
        accuracy = patching.patched_accuracy(models, name, few, sorted(right))
        on_progress("patching", (rank + 1) * each, steps)
        half, half_ci = half_back(base, own, right, seed)
        found[name] = Patching(
            **_by_layer(base, own, right, last),
            half=half,
            half_ci=half_ci,
            **controls(models, name, half if half_ci else None, rows, walks, seed),
            accuracy=accuracy,
            mazes=len(rows),
            reads=len(few),
        )
    return found


def _by_layer(base: np.ndarray, own: np.ndarray, right: dict[int, np.ndarray], last: int) -> PatchedLayers:
    """Arguments as those of `half_back`; `last` is the last layer."""
    shares = [valid_share(right[layer]) if layer in right else None for layer in range(last + 1)]
    start, end = float(base.mean()), float(own.mean())
    return {
        "base": start,
        "fine_tune": end,
        "layers": sorted(right),
        "valid": [share and share["valid"] for share in shares],
        "valid_ci": [share and share["valid_ci"] for share in shares],
        "restored": [(one["valid"] - start) / (end - start) if one and end != start else None for one in shares],
    }


def half_back(
    base: np.ndarray, own: np.ndarray, right: dict[int, np.ndarray], seed: int
) -> tuple[int | None, list[int] | None]:
    """The first layer by which half of the gain in validity is back, and its 95 % interval over resampled mazes.

    Args:
        base: bool (mazes,), solved by the base; `own`, by the fine-tune.
        right: layer -> which are solved with the fine-tune's states after it.

    Returns:
        None if the fine-tune solves no more than the base, and no interval if it does not in 2.5 % of resamples.
    """
    layers, count = sorted(right), len(base)
    table = np.array([base, own, *(right[layer] for layer in layers)], dtype=float)
    weights = np.random.default_rng([seed, 2]).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)

    def first_half(means: np.ndarray) -> int | None:
        start, end, *by_layer = means
        if end <= start:
            return None
        return next((layer for layer, mean in zip(layers, by_layer) if mean - start >= (end - start) / 2), None)

    half = first_half(table.mean(axis=1))
    drawn = [first_half(means) for means in weights @ table.T / count]
    known = [layer for layer in drawn if layer is not None]
    if half is None or len(known) < 0.975 * RESAMPLES:
        return half, None
    low, high = np.percentile(known, [2.5, 97.5], method="nearest")
    return half, [int(low), int(high)]


def controls(
    models: Models, name: str, half: int | None, rows: Sequence[dict], walks: Sequence[TokenisedWalk], seed: int
) -> PatchingControls:
    """Whether the gain needs the layers up to `half`, and whether any change of them would have the same effect."""
    if not half:  # at the embedding there are no layers below to leave out
        return {"above_half": None, "random_to_half": None}
    above = patching.partial_answers(models, name, range(half + 1, len(models.layers) + 2), rows, walks)
    drawn = None
    if is_product(models, name):
        with randomised(models, name, seed):
            random = patching.partial_answers(models, name, range(half + 1), rows, walks)
        drawn = valid_share(patching.solved(rows, random))
    return {"above_half": valid_share(patching.solved(rows, above)), "random_to_half": drawn}


def _in_turn(wanted: Sequence[int] | None, right: dict[int, np.ndarray], last: int) -> Iterator[int]:
    """The layers to patch; if they are not given, each is chosen by the validity at those before it.

    Args:
        right: layer -> bool (mazes,), which are solved with it patched; the caller adds each layer as it is yielded.
    """
    yield from (0, last) if wanted is None else wanted
    while wanted is None:
        ahead = next_layer({layer: float(solved.mean()) for layer, solved in right.items()}, last)
        if ahead is None:
            return
        yield ahead


class Patched:
    """Which mazes the base solves with one fine-tune's states after a layer: bool (n,).

    Below the adapter's first layer the patched base is the base, and above its last the fine-tune: these are known.
    """

    def __init__(
        self,
        models: Models,
        name: str,
        rows: Sequence[dict],
        walks: Sequence[TokenisedWalk],
        base: np.ndarray,
        own: np.ndarray,
    ):
        self.models, self.name, self.rows, self.walks = models, name, rows, walks
        self.stages = frozenset(models.stages(name))
        self.known = {frozenset(): base, self.stages: own}
        self.recorded: Recording | None = None

    def __call__(self, layer: int) -> np.ndarray:
        at_work = frozenset(stage for stage in self.stages if stage <= layer)
        if at_work not in self.known:
            self.recorded = self.recorded or patching.record_to_patch(self.models, self.name, self.rows, self.walks)
            answers = patching.patched_answers(self.models, self.recorded, layer, self.rows, self.walks)
            self.known[at_work] = patching.solved(self.rows, answers)
        return self.known[at_work]
