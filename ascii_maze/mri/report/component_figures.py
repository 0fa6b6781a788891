"""Figures of heads and MLPs that were patched one by one."""

from collections.abc import Iterator

import numpy as np

from ..schema import Results
from ..schema.causes import ComponentEffect, Components, Effect
from .charts import CaptionedFigure, heatmap

# Below this, Spearman's correlation of estimate and truth is said to be low.
AGREES = 0.8


def component_figures(results: Results, name: str) -> Iterator[CaptionedFigure]:
    """Component x layer, for one fine-tune against its start and the base, in both directions."""
    for of in results["components"]:
        if of["model"] != name:
            continue
        for way, said in (
            ("into", f"how much surer of right moves {of['reference']} becomes with what each adds in {name}"),
            ("out", f"how much less sure {name} becomes with what each adds in {of['reference']}"),
        ):
            low, high = of["gap_ci"]
            caption = (
                f"Heads and MLPs one by one: {said}, in nats of log odds at decisions, mean of {of['mazes']} mazes. "
                f"The whole difference is {of['gap']:.2f} (95 %: {low:.2f} to {high:.2f}); single effects need not "
                f"add up to it. {agreement_in_words(of, way)}"
            )
            yield CaptionedFigure(f"components_{way}_{of['reference']}", name, caption, _component_map(of, way))


def agreement_in_words(of: Components, way: str) -> str:
    """Whether attribution patching ranks components as patching does."""
    rho, patched = of["agreement"][way], of["patched"]
    words = "Each was patched."
    if patched < len(of["parts"]):
        words = (
            f"The {patched} of the largest estimates were patched; the others are estimates (attribution patching)."
        )
    if rho is None:
        return words
    judged = "" if rho >= AGREES else ": it is not to be relied on here"
    return f"{words} Attribution patching ranks what was patched alike with a correlation of {rho:.2f}{judged}."


def largest(of: Components) -> ComponentEffect:
    """The component that, patched, moves the reference most."""
    patched = [part for part in of["parts"] if part["into"]["exact"] is not None]
    return max(patched, key=lambda part: abs(part["into"]["exact"] or 0.0))


def _component_map(of: Components, way: str):
    heads = max(part["head"] or 0 for part in of["parts"]) + 1
    layers = max(part["layer"] for part in of["parts"])
    values = np.full((heads + 1, layers), np.nan)
    for part in of["parts"]:
        effect: Effect = part[way]  # type: ignore[literal-required]
        row = heads if part["head"] is None else part["head"]
        values[row, part["layer"] - 1] = effect["estimate"] if effect["exact"] is None else effect["exact"]
    rows = [*(f"head {head}" for head in range(heads)), "MLP"]
    return heatmap(values, rows, range(1, layers + 1), signed=True, axis="layer")
