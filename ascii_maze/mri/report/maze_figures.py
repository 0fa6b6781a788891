"""Figures of one maze from inside: moves by layer as arrows, attention of heads, walls and path read by probes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...metrics.path_validity.styles import GOAL, MOVES, START, WALL
from ...plots import COLOURS, DARK, GREY, LIGHT
from ...templating.language import Say
from ..schema import Results
from ..schema.maze import OneMaze
from .charts import CaptionedFigure
from .panels import STYLE, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE = COLOURS[:2]
SHADES = 12
DARKEST = 0.75  # of the colour map, so that letters are legible on it


def maze_figures(results: Results, say: Say) -> Iterator[CaptionedFigure]:
    """Model x layer, or model x head, each panel the map of the maze."""
    of = results["one_maze"]
    layers = [f"layer {layer}" for layer in of["layers"]]
    yield CaptionedFigure(
        "maze_moves",
        None,
        say(
            "Maze {id}, step by step: at each place of the solution the probability of the four moves if the layer "
            "were the last (logit lens), as strokes of that length; blue is the solution's move, orange are others. "
            "A ring is a decision: some way onward is right and some is not."
        ).format(id=of["id"]),
        _panels(of, list(of["moves"]), layers, _arrows),
    )
    if of["heads"]:
        yield CaptionedFigure(
            "maze_attention",
            None,
            say(
                "Where heads look in maze {id} when a decision is made: mean attention over its decisions, darker is "
                "more, each panel up to its own most; below it, how much of the head's attention is on the map at "
                "all; small squares are walls. The heads are those that do most when patched, or else those that look "
                "at the map most."
            ).format(id=of["id"]),
            _panels(of, list(of["moves"]), [f"head {h['head']}, layer {h['layer']}" for h in of["heads"]], _looks),
        )
    for key, drawn, said in (
        ("walls", _walls, say("a wall to the north of each place, at the place's own token")),
        (
            "route",
            _route,
            say("the way from S to G, at the last token of the prompt, when the whole map has been read"),
        ),
    ):
        seen = [name for name, values in of[key].items() if values is not None]  # type: ignore[literal-required]
        if seen:
            yield CaptionedFigure(
                f"maze_{key}",
                None,
                say(
                    "Where linear probes see {said}, in maze {id}; darker is more likely. They were trained on the "
                    "other mazes of this report."
                ).format(said=said, id=of["id"]),
                _panels(of, seen, layers, drawn),
            )


def _panels(of: OneMaze, names: Sequence[str], columns: Sequence[str], draw) -> "Figure":
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    height, width = len(of["maze"]), len(of["maze"][0])
    with rc_context(STYLE):
        side = (WIDTH - 0.6) / len(columns)
        tall = len(names) * (side * height / width + 0.16) + 0.4
        figure = Figure(figsize=(WIDTH, tall), layout="constrained", facecolor="white")
        panels = figure.subplots(len(names), len(columns), squeeze=False)
        for line, name in enumerate(names):
            for column, title in enumerate(columns):
                panel = panels[line][column]
                draw(panel, of, name, column)
                if draw is not _arrows:  # darker is more, also on a dark page
                    panel.set_facecolor(LIGHT)
                _ground(panel, of, 0.35 if draw is _looks else 1.0, None if draw is _arrows else DARK)
                panel.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[], aspect="equal")
                panel.spines[:].set_visible(False)
                if not line:
                    panel.set_title(title, fontsize=8)
                if not column:
                    panel.set_ylabel(name)
    return figure


def _ground(panel: "Axes", of: OneMaze, size: float, ink: str | None) -> None:
    """Walls, S and G.

    Args:
        size: of the square at a wall, in cells: small where there is shade below it.
        ink: of letters, and of walls over a shade; the page's by default.
    """
    walls = [
        (row, column) for row, line in enumerate(of["maze"]) for column, symbol in enumerate(line) if symbol == WALL
    ]
    _squares(panel, walls, GREY if ink is None or size == 1 else ink, size)
    for row, line in enumerate(of["maze"]):
        for column, symbol in enumerate(line):
            if symbol in (START, GOAL):
                panel.text(column, row, symbol, ha="center", va="center", color=ink, fontsize=5.5, zorder=4)


def _squares(panel: "Axes", places: Sequence[tuple[int, int]], colour, size: float = 1.0) -> None:
    """Squares at rows and columns as one shape, which keeps the page small."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if places:
        half = size / 2
        corners = ((-half, -half), (half, -half), (half, half), (-half, half), (-half, -half))
        squares = [Path([(column + x, row + y) for x, y in corners], closed=True) for row, column in places]
        shape = Path.make_compound_path(*squares)
        panel.add_artist(PathPatch(shape, facecolor=colour, edgecolor="none"))


def _arrows(panel: "Axes", of: OneMaze, name: str, column: int) -> None:
    chances = np.array(of["moves"][name][column])
    for right, colour in ((False, ORANGE), (True, BLUE)):
        lines = [
            [(c, r), (c + 0.95 * p * across, r + 0.95 * p * down), (np.nan, np.nan)]
            for (r, c), taken, row in zip(of["places"], of["path"], chances)
            for (move, (down, across)), p in zip(MOVES.items(), row)
            if (move == taken) is right and p > 0.03
        ]
        if lines:
            x, y = zip(*(point for line in lines for point in line))
            panel.plot(x, y, color=colour, linewidth=1.3, solid_capstyle="butt", zorder=3)
    rings = [place for place, one in zip(of["places"], of["decisions"]) if one]
    if rings:
        rows, columns = zip(*rings)
        panel.scatter(columns, rows, s=9, facecolors="none", edgecolors="black", linewidths=0.5, zorder=4)


def _shade(panel: "Axes", values: np.ndarray, high: float) -> None:
    from matplotlib import colormaps

    places = [(row, column) for row, column in np.argwhere(np.isfinite(values)).tolist()]
    level = {place: round(SHADES * min(1.0, values[place] / high)) if high else 0 for place in places}
    for shade in range(1, SHADES + 1):
        _squares(panel, [p for p in places if level[p] == shade], colormaps["Oranges"](DARKEST * shade / SHADES))


def _looks(panel: "Axes", of: OneMaze, name: str, column: int) -> None:
    values = np.array(of["heads"][column]["maps"][name], dtype=float)
    _shade(panel, values, float(values.max()))
    panel.set_xlabel(f"{values.sum():.0%} on the map", fontsize=6, labelpad=1)


def _walls(panel: "Axes", of: OneMaze, name: str, column: int) -> None:
    _shade(panel, np.array((of["walls"][name] or [])[column], dtype=float), 1.0)


def _route(panel: "Axes", of: OneMaze, name: str, column: int) -> None:
    _shade(panel, np.array((of["route"][name] or [])[column], dtype=float), 1.0)
