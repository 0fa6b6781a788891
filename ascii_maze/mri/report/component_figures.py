"""Figures of heads and MLPs that were patched one by one."""

from collections.abc import Iterator, Sequence

import numpy as np

from ...templating.language import Say
from ..layer_effects import PREFIX, SINGLE, SUFFIX
from ..schema import Results
from ..schema.causes import ComponentEffect, Components, Effect
from .charts import CaptionedFigure, heatmap, lines

# Below this, Spearman's correlation of estimate and truth is said to be low.
AGREES = 0.8


def layer_figures(results: Results, name: str, say: Say) -> Iterator[CaptionedFigure]:
    """By layer, the effect of one fine-tune's change in some layers on the model that it started from."""
    names = {PREFIX: say("up to the layer"), SUFFIX: say("from the layer on"), SINGLE: say("the layer alone")}
    for of in results["layer_effects"]:
        if of["model"] != name:
            continue

        def by_layer(values: Sequence, layers: Sequence[int] = of["layers"]) -> list:
            known = dict(zip(layers, values))
            return [known.get(layer) for layer in range(results["layers"])]

        low, high = of["gap_ci"]
        caption = say(
            "How much surer of right moves {reference} becomes with the change of {model} in some layers only, in "
            "nats of log odds at decisions, mean of {mazes} mazes with 95 % intervals; the whole fine-tune is surer "
            "by {gap:.2f} ({low:.2f} to {high:.2f})."
        ).format(reference=of["reference"], model=name, mazes=of["mazes"], gap=of["gap"], low=low, high=high)
        dashed = {}
        if of["random"]:
            caption += " " + say(
                "Dotted: random updates of the same norm, up to the layer; the table has them for the layer alone too."
            )
            dashed = {say("random update"): by_layer(of["random"][PREFIX]["effect"])}
        else:
            caption += " " + say(
                "There is no random update for comparison: one is drawn only if the updates are products of LoRA's "
                "two factors and nothing else."
            )
        drawn = lines(
            {names[part]: by_layer(curve["effect"]) for part, curve in of["change"].items()},
            "nats",
            intervals={names[part]: by_layer(curve["ci"]) for part, curve in of["change"].items()},
            dashed=dashed,
            level=(of["gap"], say("whole fine-tune")),
        )
        yield CaptionedFigure(f"layers_into_{of['reference']}", name, caption, drawn)


def component_figures(results: Results, name: str, say: Say) -> Iterator[CaptionedFigure]:
    """Component x layer, for one fine-tune against its start and the base, in both directions."""
    for of in results["components"]:
        if of["model"] != name:
            continue
        for way, said in (
            ("into", say("how much surer of right moves {reference} becomes with what each adds in {model}")),
            ("out", say("how much less sure {model} becomes with what each adds in {reference}")),
        ):
            low, high = of["gap_ci"]
            caption = say(
                "Heads and MLPs one by one: {said}, in nats of log odds at decisions, mean of {mazes} mazes. The "
                "whole difference is {gap:.2f} (95 %: {low:.2f} to {high:.2f}); single effects need not add up to it."
            ).format(said=said.format(**of), mazes=of["mazes"], gap=of["gap"], low=low, high=high)
            caption += f" {agreement_in_words(of, way, say)}"
            yield CaptionedFigure(f"components_{way}_{of['reference']}", name, caption, _component_map(of, way))


def agreement_in_words(of: Components, way: str, say: Say) -> str:
    """Whether attribution patching ranks components as patching does."""
    rho, patched = of["agreement"][way], of["patched"]
    words = say("Each was patched.")
    if patched < len(of["parts"]):
        words = say(
            "The {patched} of the largest estimates were patched; the others are estimates (attribution patching)."
        ).format(patched=patched)
    if rho is None:
        return words
    ranks = say("Attribution patching ranks what was patched alike with a correlation of {rho:.2f}.").format(rho=rho)
    return " ".join([words, ranks, *([] if rho >= AGREES else [say("It is not to be relied on here.")])])


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
