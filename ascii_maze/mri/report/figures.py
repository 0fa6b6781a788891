"""The figures of the report. Each is drawn once, for the page and for the files; its numbers show under the pointer.

A mark's numbers are its id, behind `TIP`: matplotlib writes ids into the SVG, and `page.with_titles` makes titles of
them, which a browser shows with or without JavaScript.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...plots import GREY, SETTINGS, colours_of
from ..analysis import DRIFT_POSITIONS, QUESTIONS
from ..models import BASE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIP = "tip: "
WIDTH = 5.4  # inches
NAMES = {
    "last_prompt": "last token of the prompt",
    "start": "start",
    "goal": "goal",
    "maze_mean": "mean over the map",
    "moves": "moves of the answer",
}


@dataclass(frozen=True)
class CaptionedFigure:
    """A figure, with one sentence on how to read it.

    Attributes:
        kind: what it shows, fit for the name of a file.
        model: whose section it belongs to; None for the overview and the appendix.
    """

    kind: str
    model: str | None
    caption: str
    figure: "Figure"


def overview_figures(results: dict) -> Iterator[CaptionedFigure]:
    """Layer x model, what each fine-tune changed and where it does its work."""
    adapters, layers = results["models"][1:], range(results["layers"])
    yield CaptionedFigure(
        "drift",
        None,
        "Drift: how far each layer's state at the last token of the prompt has moved, as a share of the base's norm; "
        "0 is unchanged, brighter is further.",
        heatmap(np.array([results["drift"][name] for name in adapters]), adapters, layers, low=0),
    )
    yield CaptionedFigure(
        "cka",
        None,
        "Likeness of each layer to the base's (debiased linear CKA); 1 is the same up to rotation and scale, brighter "
        "is less alike.",
        heatmap(np.array([results["cka"][name] for name in adapters]), adapters, layers, high=1, reverse=True),
    )
    yield CaptionedFigure("weights", None, *_weights_overview(results))
    yield CaptionedFigure(
        "patching",
        None,
        f"Validity on {results['patching'][adapters[0]]['mazes']} mazes of the base with a fine-tune's states put "
        "in after one layer: it rises at the layers whose change does the work; bars are Wilson's 95 % intervals.",
        lines(
            {name: results["patching"][name]["valid"] for name in adapters},
            "valid, share",
            intervals={name: results["patching"][name]["valid_ci"] for name in adapters},
            low=0,
            level=(results["patching"][adapters[0]]["base"], "base"),
        ),
    )
    yield CaptionedFigure(
        "logit_lens",
        None,
        "Probability of the right next move if each layer were the last (logit lens), mean over the moves of the "
        "solutions: where it rises the move is being settled.",
        lines({name: of["probability"] for name, of in results["lens"].items()}, "probability", low=0),
    )
    yield CaptionedFigure(
        "next_token_kl",
        None,
        "Divergence of the next token where moves are decided on, KL(fine-tune || base) in nats: what the fine-tune "
        "would pay in RLHF's penalty for each move.",
        bars({name: results["kl"][name]["from_base"] for name in adapters}, "nats per move"),
    )
    for question in QUESTIONS:
        if question in results["probes"][BASE]:
            yield CaptionedFigure(f"probe_{question.replace(' ', '_')}", None, *_probe(results, question))
    if results["overlaps"]:
        yield CaptionedFigure("subspace_overlap", None, *_overlap(results))


def method_figures(results: dict, name: str) -> Iterator[CaptionedFigure]:
    """What one fine-tune changed."""
    layers = range(results["layers"])
    by_position = results["drift_by_position"][name]
    yield CaptionedFigure(
        "drift",
        name,
        "Drift by what the token stands for, relative to the base's norm: where in the text the states have moved.",
        heatmap(
            np.array([by_position[position]["relative"] for position in DRIFT_POSITIONS]),
            [NAMES[position] for position in DRIFT_POSITIONS],
            layers,
            low=0,
        ),
    )
    yield CaptionedFigure(
        "cka_layers",
        name,
        f"Likeness of every layer of the base (rows) to every layer of {name} (columns): off the diagonal, brightness "
        "means that a stage has moved to another layer.",
        heatmap(np.array(results["cka_layers"][name]), [f"base {layer}" for layer in layers], layers, low=0, high=1),
    )
    yield CaptionedFigure("weights", name, *_weights(results, name))
    accuracy = results["patching"][name]["accuracy"]
    yield CaptionedFigure(
        "patching_by_role",
        name,
        "Right next moves along the solution, of the base that is given this fine-tune's states after one layer, at "
        "the prompt alone or from its last token on: which of the two carries the change.",
        lines(
            {"at the prompt": accuracy["prompt"], "at the answer": accuracy["answer"]},
            "right moves, share",
            level=(accuracy[BASE][0], "base"),
        ),
    )
    questions = [question for question in QUESTIONS if question in results["probes"][name]]
    if questions:
        gain = [
            [mine["score"] - base["score"] for mine, base in zip(*(results["probes"][m][q] for m in (name, BASE)))]
            for q in questions
        ]
        yield CaptionedFigure(
            "probe_gain",
            name,
            "How much better (orange) or worse (blue) a linear probe does on this fine-tune's layers than on the "
            "base's, in accuracy or r2 on held-out mazes.",
            heatmap(np.array(gain), questions, layers, signed=True),
        )


def appendix_figures(results: dict) -> Iterator[CaptionedFigure]:
    """Further measures of likeness."""
    adapters, layers = results["models"][1:], range(results["layers"])
    yield CaptionedFigure(
        "procrustes",
        None,
        "Orthogonal Procrustes distance to the base's layer, 0 (alike up to rotation and scale) to 2: unlike CKA it "
        "also counts directions of little variance.",
        heatmap(np.array([results["procrustes"][name] for name in adapters]), adapters, layers, low=0),
    )
    yield CaptionedFigure(
        "rsa",
        None,
        "Representational similarity: rank correlation of the distances between every two mazes with those in the "
        "base; brighter is less alike.",
        heatmap(np.array([results["rsa"][name] for name in adapters]), adapters, layers, high=1, reverse=True),
    )
    yield CaptionedFigure(
        "effective_rank",
        None,
        "Effective rank: how many directions the states of different mazes fill at the last token of the prompt.",
        lines(results["effective_rank"], "directions", low=0),
    )


def heatmap(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence,
    *,
    low: float | None = None,
    high: float | None = None,
    reverse: bool = False,
    signed: bool = False,
    axis: str = "layer (0: embedding)",
) -> "Figure":
    """One cell per number, float (rows, columns); NaN stays empty.

    Args:
        low: of the colours; 0.9 or the least number, if that is less, by default.
        high: of the colours; the greatest number by default.
        reverse: brighter is less.
        signed: orange is above 0, blue below.
    """
    from matplotlib import colormaps
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    numbers = values[np.isfinite(values)]
    if signed:
        high = max(abs(numbers).max(initial=0), 1e-9)
        low = -high
    if low is None:  # of likenesses: differences in the last digits are to look small
        low = numbers.min(initial=0.9)
    high = max(numbers.max(initial=-np.inf) if high is None else high, low + 1e-9)
    colour = colormaps["PuOr_r" if signed else "viridis_r" if reverse else "viridis"]
    scale = Normalize(low, high)
    figure, panel = _figure(0.8 + 0.32 * len(rows), frame=False)
    for row, column in np.ndindex(values.shape):
        value = float(values[row, column])
        if not np.isfinite(value):
            continue
        fill = colour(scale(value))
        tip = f"{TIP}{rows[row]}, layer {columns[column]}: {value:.4g}"
        panel.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=fill, edgecolor="none", gid=tip))
        if len(columns) <= 12:
            # Not quite black: the page turns black into the colour of its text, which here must stay.
            ink = "#fefefe" if np.dot(fill[:3], (0.299, 0.587, 0.114)) < 0.55 else "#010101"
            panel.text(column, row, _short(value), ha="center", va="center", color=ink, fontsize=7.5)
    panel.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5), xlabel=axis)
    panel.set_yticks(range(len(rows)), rows)
    step = max(1, len(columns) // 12)
    panel.set_xticks(range(0, len(columns), step), [str(column) for column in columns][::step])
    panel.tick_params(length=0)
    return figure


def lines(
    series: Mapping[str, Sequence[float]],
    measure: str,
    *,
    intervals: Mapping[str, Sequence[Sequence[float]]] | None = None,
    dashed: Mapping[str, Sequence[float]] | None = None,
    level: tuple[float, str] | None = None,
    low: float | None = None,
) -> "Figure":
    """One line per name over the layers; the base, and what is dashed, in grey.

    Args:
        intervals: of the points, from and to.
        level: a horizontal line, and its name.
    """
    figure, panel = _figure(2.7)
    colours = colours_of(series, {BASE})
    for rank, (name, values) in enumerate(series.items()):
        # A hair to the side of each other, so that bars and equal values are seen.
        places = np.arange(len(values)) + (0.06 * (rank - (len(series) - 1) / 2) if intervals else 0)
        panel.plot(places, values, color=colours[name], linewidth=1.4, label=name)
        for place, value in zip(places, values):
            tip = f"{TIP}{name}, layer {round(place)}: {value:.4g}"
            panel.plot([place], [value], color=colours[name], marker="o", markersize=4, gid=tip)
        for place, (bottom, top) in zip(places, (intervals or {}).get(name, ())):
            panel.plot([place, place], [bottom, top], color=colours[name], linewidth=0.9)
    for name, values in (dashed or {}).items():
        panel.plot(range(len(values)), values, color=GREY, linewidth=1.1, linestyle=":", label=name)
    if level is not None:
        panel.axhline(level[0], color=GREY, linewidth=1.1, linestyle="--", label=level[1])
    panel.set(xlabel="layer (0: embedding)", ylabel=measure)
    count_in_wholes(panel)
    if low is not None:
        panel.set_ylim(bottom=low)
    panel.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return figure


def count_in_wholes(panel: "Axes") -> None:
    """Let only whole numbers stand at the ticks of the horizontal axis, at matplotlib's usual steps."""
    from matplotlib.ticker import MaxNLocator

    panel.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))


def bars(values: Mapping[str, float], measure: str) -> "Figure":
    """One bar per name, its number beside it."""
    figure, panel = _figure(0.7 + 0.32 * len(values), frame=False)
    colours = colours_of(values, {BASE})
    for row, (name, value) in enumerate(values.items()):
        panel.barh(row, value, color=colours[name], height=0.6)[0].set_gid(f"{TIP}{name}: {value:.4g}")
        panel.text(value, row, f" {value:.2g}", va="center", fontsize=8)
    panel.set_yticks(range(len(values)), list(values))
    panel.set(xlabel=measure, ylim=(len(values) - 0.5, -0.5), xlim=(0, 1.15 * max([*values.values(), 1e-9])))
    panel.tick_params(axis="y", length=0)
    return figure


def _probe(results: dict, question: str) -> tuple[str, "Figure"]:
    by_model = {name: of[question] for name, of in results["probes"].items()}
    measure = by_model[BASE][0]["measure"]
    control = np.mean([[cell["control"] for cell in cells] for cells in by_model.values()], axis=0)
    scores = {name: [cell["score"] for cell in cells] for name, cells in by_model.items()}
    intervals = {name: [cell["ci"] for cell in cells] for name, cells in by_model.items()}
    caption = (
        f"Probe, {question}: {measure} of a linear probe on held-out mazes, with bootstrapped 95 % intervals; what "
        "lies above the dotted control, trained on shuffled labels, is known at that layer."
    )
    figure = lines(scores, measure, intervals=intervals, dashed={"control": control})
    if measure == "r2":
        figure.axes[0].set_ylim(bottom=max(-0.5, figure.axes[0].get_ylim()[0]))
    return caption, figure


def _weights_overview(results: dict) -> tuple[str, "Figure"]:
    """Adapter x layer."""
    layers = range(1, results["layers"])
    norms = [
        [_root([update["norm"] for update in results["weights"][name] if update["layer"] == n]) for n in layers]
        for name in results["models"][1:]
    ]
    caption = (
        "Size of the update of each layer's weights, the Frobenius norm over all of its modules; brighter is larger."
    )
    return caption, heatmap(np.array(norms), results["models"][1:], layers, low=0, axis="layer")


def _weights(results: dict, name: str) -> tuple[str, "Figure"]:
    """Module x layer."""
    updates, layers = results["weights"][name], range(1, results["layers"])
    kinds = list(dict.fromkeys(update["kind"] for update in updates))
    cells = {(update["kind"], update["layer"]): update["relative"] for update in updates}
    values = np.array([[cells.get((kind, layer), np.nan) for layer in layers] for kind in kinds])
    caption = "Size of each module's update as a share of the weights that it is added to: where the training went."
    return caption, heatmap(values.reshape(len(kinds), len(layers)), kinds, layers, low=0, axis="layer")


def _overlap(results: dict) -> tuple[str, "Figure"]:
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
    caption = (
        "How much of one update's column space lies in another's, mean over the modules of a layer: 1 is the same "
        f"directions, random ones of this rank share {chance:.2f}."
    )
    return caption, heatmap(np.array(values), [f"{a}, {b}" for a, b in pairs], layers, low=0, high=1, axis="layer")


def _root(norms: Sequence[float]) -> float:
    return float(np.sqrt(np.sum(np.square(norms)))) if norms else float("nan")


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _short(value: float) -> str:
    return "0" if value == 0 else f"{value:.2f}" if abs(value) < 99.5 else f"{value:.0f}"


def _figure(height: float, frame: bool = True) -> tuple["Figure", "Axes"]:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panel = figure.subplots()
        if not frame:
            panel.spines[:].set_visible(False)
    return figure, panel
