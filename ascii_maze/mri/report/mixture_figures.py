"""Figures of mixtures of adapters: along the line between two, and merged."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...plots import colours_of
from ...templating.language import Say
from ..schema import Results
from ..schema.weights import Mixture
from .charts import TIP, CaptionedFigure, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def mixture_figures(results: Results, say: Say) -> Iterator[CaptionedFigure]:
    """Log odds of right moves, and validity, along the lines between adapters."""
    mixtures = results["mixtures"]
    if not mixtures:
        return
    sunk = "; ".join(
        f"{_pair(of)} {of['barrier']:.2f} ({of['barrier_ci'][0]:.2f} - {of['barrier_ci'][1]:.2f})" for of in mixtures
    )
    yield CaptionedFigure(
        "mixtures",
        None,
        say(
            "From one fine-tune's update to another's, in a straight line: log odds of right moves at decisions, in "
            "nats, mean of {mazes} mazes, with 95 % intervals over mazes. The middle is the average of the two; "
            "crosses are the two merged by TIES. How far the line sinks below the straight one between its ends: "
            "{sunk}."
        ).format(mazes=mixtures[0]["mazes"], sunk=sunk),
        _along(mixtures, "log_odds", "nats"),
    )
    yield CaptionedFigure(
        "mixtures_valid",
        None,
        say("The same by validity, the share of those mazes whose answer is valid, with Wilson's 95 % intervals."),
        _along(mixtures, "valid", "valid, share"),
    )


def _pair(of: Mixture) -> str:
    return f"{of['a']} to {of['b']}"


def _along(mixtures: Sequence[Mixture], key: str, measure: str) -> "Figure":
    figure, panel = new_figure(2.9)
    colours = colours_of(map(_pair, mixtures), set())
    for rank, of in enumerate(mixtures):
        name, shift = _pair(of), 0.006 * (rank - (len(mixtures) - 1) / 2)
        points = [*zip(of["parts"], of["line"]), (0.5, of["ties"])]
        places = [part + shift for part, _ in points]
        values = [point[key] for _, point in points]  # type: ignore[literal-required]
        panel.plot(places[:-1], values[:-1], color=colours[name], linewidth=1.4, label=name)
        for place, value, (part, point) in zip(places, values, points):
            how = "TIES" if point is of["ties"] else f"{part:.3g} of {of['b']}"
            tip = f"{TIP}{name}, {how}: {value:.4g}"
            marker, size = ("X", 8) if point is of["ties"] else ("o", 4)
            panel.plot([place], [value], color=colours[name], marker=marker, markersize=size, gid=tip)
            low, high = point[f"{key}_ci"]  # type: ignore[literal-required]
            panel.plot([place, place], [low, high], color=colours[name], linewidth=0.9)
    panel.set(xlabel="share of the second fine-tune", ylabel=measure)
    panel.legend(frameon=False, fontsize=8, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return figure
