"""Validity by size of the maze and by length of its shortest path, one line per model, as PNG and SVG."""

from collections.abc import Sequence
from pathlib import Path

from ..environment.explorers import ALL_BASELINES
from ..errors import printable
from ..files import replacing
from ..plots import SETTINGS, colours_of
from .schema import Rates, Results

# A point: its place on the axis; validity and the ends of its interval, in per cent.
Point = tuple[float, float, float, float]


def draw_validity(results: Results, out: Path) -> list[Path]:
    """Draw what `evaluate` returned, one panel per split; the same results give the same bytes.

    Args:
        out: folder for validity_by_size and validity_by_path_length, each as .png and .svg.

    Returns:
        The files.
    """
    # Every model walks the same mazes, so the splits and sizes of one are those of all.
    first = next(iter(results["models"].values()))
    splits = list(first)
    sizes = {split: list(first[split]["by_size"]) for split in splits}
    by_size, by_length = {}, {}
    for name, by_split in results["models"].items():
        for split in splits:
            cells = by_split[split]["by_size"]
            by_size[split, name] = [_point(sizes[split].index(size), cell) for size, cell in cells.items()]
            lengths = results["analysis"][name][split]["by"]["path_length"]
            by_length[split, name] = [_point((cell["low"] + cell["high"]) / 2, cell) for cell in lengths.values()]
    return [
        *_draw(out / "validity_by_size", "size of the maze, in cells", splits, by_size, sizes),
        *_draw(out / "validity_by_path_length", "moves of the shortest path", splits, by_length, None),
    ]


def _point(place: float, cell: Rates) -> Point:
    low, high = cell["valid_ci"]
    return place, 100 * cell["valid"], 100 * low, 100 * high


def _draw(
    path: Path,
    axis: str,
    splits: Sequence[str],
    lines: dict[tuple[str, str], list[Point]],
    ticks: dict[str, list[str]] | None,
) -> list[Path]:
    """One figure, with `ticks` by split on its axis, or without them with numbers on a scale of powers of two."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=(1.5 + 4 * len(splits), 3.6), layout="constrained")
        panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
        names = list(dict.fromkeys(name for _, name in lines))
        colours = colours_of(names, {"base", *ALL_BASELINES})
        for panel, split in zip(panels, splits):
            for rank, name in enumerate(names):
                places, rates, lows, highs = zip(*lines[split, name]) if lines[split, name] else ((), (), (), ())
                errors = [
                    [rate - low for rate, low in zip(rates, lows)],
                    [high - rate for rate, high in zip(rates, highs)],
                ]
                baseline = name in ALL_BASELINES
                panel.errorbar(
                    [place + (rank - len(names) / 2) * 0.03 * (place if ticks is None else 1) for place in places],
                    rates,
                    # Rounding may put an end of an interval a hair inside the rate.
                    [[max(0.0, error) for error in side] for side in errors],
                    color=colours[name],
                    linestyle=":" if baseline else "-",
                    marker="^s<Dx"[rank % 5] if baseline else "o",
                    markersize=4,
                    linewidth=1.2,
                    capsize=2,
                )
            panel.set(title=printable(split), xlabel=axis, ylim=(-3, 103))
            # A log scale needs a positive value, and possibly no maze here has a path.
            if ticks is None and any(lines[split, name] for name in names):
                panel.set_xscale("log", base=2)
                panel.xaxis.set_major_formatter("{x:g}")
            elif ticks is not None:
                panel.set_xticks(range(len(ticks[split])), ticks[split])
                panel.set_xlim(-0.5, len(ticks[split]) - 0.5)
        panels[0].set_ylabel("valid, per cent")
        # Set explicitly: matplotlib leaves labels that begin with an underscore out of a legend.
        figure.legend(panels[0].containers, list(map(printable, names)), loc="outside right center", frameon=False)
        files = [path.with_suffix(".png"), path.with_suffix(".svg")]
        for file in files:
            with replacing(file) as temporary:
                metadata = {"Software": None} if file.suffix == ".png" else {"Date": None}
                figure.savefig(temporary, format=file.suffix[1:], dpi=160, metadata=metadata)
    return files
