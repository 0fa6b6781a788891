"""Figures of what fine-tunes changed in the weights: how much, where, and how much of it two of them share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...templating.language import Say
from ..models import BASE
from ..schema import Results
from .charts import heatmap

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def weights_overview(results: Results, say: Say) -> tuple[str, "Figure"]:
    """Adapter x layer."""
    layers = range(1, results["layers"])
    norms = [
        [_root([update["norm"] for update in results["weights"][name] if update["layer"] == n]) for n in layers]
        for name in results["models"][1:]
    ]
    caption = say(
        "Size of the update of each layer's weights, the Frobenius norm over all of its modules; brighter is larger."
    )
    return caption, heatmap(np.array(norms), results["models"][1:], layers, low=0, axis="layer")


def module_weights(results: Results, name: str, say: Say) -> tuple[str, "Figure"]:
    """Module x layer."""
    updates, layers = results["weights"][name], range(1, results["layers"])
    kinds = list(dict.fromkeys(update["kind"] for update in updates))
    cells = {(update["kind"], update["layer"]): update["relative"] for update in updates}
    values = np.array([[cells.get((kind, layer), np.nan) for layer in layers] for kind in kinds])
    caption = say("Size of each module's update relative to the weights it is added to.")
    return caption, heatmap(values.reshape(len(kinds), len(layers)), kinds, layers, low=0, axis="layer")


def cosines(results: Results, say: Say) -> tuple[str, "Figure"]:
    """Pair of adapters x layer; pairs that share a start by what they changed in it."""
    started = {frozenset((cell["a"], cell["b"])) for cell in results["cosines"] if cell["reference"] != BASE}
    cells = [
        cell
        for cell in results["cosines"]
        if cell["reference"] != BASE or frozenset((cell["a"], cell["b"])) not in started
    ]
    values = np.array([[cell["whole"], *cell["by_layer"]] for cell in cells], dtype=float)
    from_start = [f" from {cell['reference']}" if cell["reference"] != BASE else "" for cell in cells]
    names = [f"{cell['a']}, {cell['b']}{start}" for cell, start in zip(cells, from_start)]
    caption = say(
        "Cosine of the updates of two fine-tunes, taken as one vector: 1 is the same change, 0 is what unrelated ones "
        "have; two that started from one other by what they changed in that."
    )
    columns = ["all", *range(1, results["layers"])]
    return caption, heatmap(values, names, columns, signed=True, axis="layer (all: the whole update)")


def overlap(results: Results, say: Say) -> tuple[str, "Figure"]:
    """Pair of adapters x layer."""
    pairs = list(dict.fromkeys((cell["a"], cell["b"]) for cell in results["overlaps"]))
    layers = range(1, results["layers"])
    values = [
        [
            _mean([c["overlap"] for c in results["overlaps"] if (c["a"], c["b"]) == pair and c["layer"] == layer])
            for layer in layers
        ]
        for pair in pairs
    ]
    chance = np.mean([cell["by_chance"] for cell in results["overlaps"]])
    caption = say(
        "How much of one update's column space lies in another's, mean over the modules of a layer: 1 is the same "
        "directions, random ones of this rank share {chance:.2f}."
    ).format(chance=chance)
    return caption, heatmap(np.array(values), [f"{a}, {b}" for a, b in pairs], layers, low=0, high=1, axis="layer")


def _root(norms: Sequence[float]) -> float:
    return float(np.sqrt(np.sum(np.square(norms)))) if norms else float("nan")


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
