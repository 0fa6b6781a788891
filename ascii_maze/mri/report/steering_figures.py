"""Figures of steered states: a fine-tune's mean change in doses, and walls that exist only in the states."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...plots import GREY, colours_of
from ...templating.language import Say
from ..schema import Results
from ..schema.causes import Steering
from .charts import TIP, CaptionedFigure, lines, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def wall_figures(results: Results, say: Say) -> Iterator[CaptionedFigure]:
    """By layer, whether the base acts on a wall added to or removed from its states."""
    of = results["walls"]
    if of is None:
        return
    yield CaptionedFigure(
        "walls",
        None,
        say(
            "A wall that is there only inside: at a decision, what wall places have more than open ones is added to "
            "the next place's state after one layer, or taken from it where the wall is there. Share of the {cases} "
            "of {asked} cases where a true wall changes the base's move in which it does so too; dotted, random "
            "directions of the same norm."
        ).format(cases=of["cases"], asked=of["asked"]),
        lines(
            {"put in": of["added"], "taken out": of["removed"]},
            "moves as the wall says, share",
            dashed={"random, put in": of["added_random"], "random, taken out": of["removed_random"]},
            low=0,
        ),
    )


def steering_figures(results: Results, name: str, say: Say) -> Iterator[CaptionedFigure]:
    """Response by dose, a line for each layer."""
    for of in results["steering"]:
        if of["model"] == name:
            yield CaptionedFigure(
                "steering",
                name,
                say(
                    "Steering: the mean change from {reference} to {model} where moves are decided, added to "
                    "{reference} after one layer in doses of it; how much surer of right moves it becomes, in nats of "
                    "log odds at decisions, on {mazes} mazes, with 95 % intervals. Dotted: random directions of the "
                    "same norm."
                ).format(reference=of["reference"], model=name, mazes=of["mazes"]),
                _doses(of),
            )


def _doses(of: Steering) -> "Figure":
    figure, panel = new_figure(2.7)
    names = [f"layer {layer}" for layer in of["layers"]]
    colours = colours_of(names, set())
    for name, response, bounds, random in zip(names, of["response"], of["ci"], of["random"]):
        panel.plot([0, *of["doses"]], [0, *response], color=colours[name], linewidth=1.4, label=name)
        panel.plot([0, *of["doses"]], [0, *random], color=colours[name], linewidth=1.1, linestyle=":")
        for dose, value, (low, high) in zip(of["doses"], response, bounds):
            tip = f"{TIP}{name}, dose {dose:g}: {value:.4g}"
            panel.plot([dose], [value], color=colours[name], marker="o", markersize=4, gid=tip)
            panel.plot([dose, dose], [low, high], color=colours[name], linewidth=0.9)
    panel.axhline(0, color=GREY, linewidth=0.8)
    panel.set(xlabel="dose", ylabel="nats")
    panel.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return figure
