"""Whether a fine-tune changed regions and edges: a permutation test, paired by prompt, in two versions.

The first version is LLM-MRI's: models share bases without centring. A constant added to all states then moves every
prompt to another cell, and looks like a change of every region. In the second, each model is centred on its own mean
first, so a shift is no change (`similarity.drift` measures it).

Two models that differ only by noise are exchangeable at any prompt. So the labels, base and fine-tune, are swapped at
random prompts, many times: the models differ if their agreement is lower than that of such mixtures. The split-half
floor (`edges.compare_models`) measures something else, the effect of the choice of prompts.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ..schema.regions import Agreement, Changes
from .comparison import Fitted, Measure, Readable, measures
from .edges import agreements, compare_models, split_halves

PERMUTATIONS = 99
KINDS = ("edges", "regions")


class Centred:
    """Hidden states of several models, each minus its own mean over the prompts."""

    def __init__(self, activations: Readable) -> None:
        self.models, self.layers, self.positions = activations.models, activations.layers, activations.positions
        self._read = activations.read

    def read(self, model: str, layer: int, position: str) -> np.ndarray:
        """float32 (n, width)."""
        rows = self._read(model, layer, position)
        return rows - rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)


def find_changes(fitted: Fitted, reference: str, model: str) -> Changes:
    """Edges and regions of a model against another's, over all prompts.

    Args:
        reference: one of the fitted models; so is `model`.

    Returns:
        For `edges` and `regions` what `edges.compare_models` returns, with `expected`, the mean agreement of models
        whose labels were swapped at random prompts, and `p`, the share of swaps with as low an agreement.
    """
    settings, count = fitted.settings, len(fitted.groups)
    halves = split_halves(fitted.groups, settings.splits, [settings.seed, 0])
    found = {}
    for kind in KINDS:
        measure = measures(fitted.areas, settings)[kind]
        table = compare_models(measure, [reference, model], np.arange(count), halves)[model]
        rng = np.random.default_rng([settings.seed, 1])
        null = swapped_agreements(measure, reference, model, fitted.groups, rng)
        p = (1 + (null <= table["agreement"] + 1e-12).sum()) / (1 + len(null))
        found[kind] = Agreement(**table, expected=float(null.mean()), p=float(p))
    return Changes(edges=found["edges"], regions=found["regions"])


def apart(fitted: Fitted, kind: str) -> Callable[[str, str], list[float]]:
    """The distance of edges or regions of two models, by layer: (model, model) -> 1 - Jaccard's index."""
    measure, rows = measures(fitted.areas, fitted.settings)[kind], np.arange(len(fitted.groups))
    return lambda one, other: (1 - agreements(measure(one, rows), measure(other, rows))[1:]).tolist()


def with_tests(fitted: Fitted, changes: Mapping[tuple[str, str], Changes]) -> Fitted:
    """The same, with the tests of every model against the base over all prompts.

    Args:
        changes: (reference, model) -> of `find_changes`.
    """
    base, *others = fitted.areas["plane"]
    tested = {
        "edges": {model: changes[base, model]["edges"] for model in others},
        "regions": {model: changes[base, model]["regions"] for model in others},
    }
    return replace(fitted, of_all={**fitted.of_all, **tested})


def swapped_agreements(
    measure: Measure, reference: str, model: str, groups: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Agreements of two models whose labels are swapped at random groups of prompts: float64 (`PERMUTATIONS`,).

    Args:
        groups: int (n,), prompts that are swapped together.
    """
    one, other = measure.data[reference], measure.data[model]
    if np.array_equal(one, other):
        return np.ones(PERMUTATIONS)
    _, codes = np.unique(groups, return_inverse=True)
    found = np.empty(PERMUTATIONS)
    for turn in range(PERMUTATIONS):
        swap = (rng.random(codes.max() + 1)[codes] < 0.5).reshape(1, -1, *[1] * (one.ndim - 2))
        mixed = np.where(swap, other, one), np.where(swap, one, other)
        found[turn] = agreements(*map(measure.set_of, mixed))[0]
    return found
