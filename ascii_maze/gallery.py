"""A page with the table of results and some mazes as each model walked them. Self-contained; everything is escaped."""

from collections.abc import Sequence
from pathlib import Path

from .evaluation import TABLE_HEADER, table_rows
from .files import write_text
from .metrics.path_validity.maze import Maze
from .metrics.path_validity.scoring import parse_moves
from .metrics.path_validity.svg import to_svg

SHOWN_CHARACTERS = 400


def verdict(row: dict) -> str:
    """What became of one answer, in a few words.

    Args:
        row: of predictions.parquet.
    """
    if row["valid"]:
        return "shortest path" if row["optimal"] else f"arrives, {row['excess_moves']} moves more than needed"
    if not row["parsed"]:
        return "not a path"
    return "runs into a wall" if not row["legal"] else f"does not arrive, {row['progress']:.0%} of the way"


def pick_mazes(predictions: Sequence[dict], models: Sequence[str], count: int) -> list[list[dict]]:
    """The first mazes on which the models differ, then any others: for each, one row per model."""
    by_maze: dict[tuple[str, str], dict[str, dict]] = {}
    for row in predictions:
        if row["model"] in models:
            by_maze.setdefault((row["split"], row["id"]), {})[row["model"]] = row
    groups = [[rows[model] for model in models if model in rows] for rows in by_maze.values()]
    return sorted(groups, key=lambda rows: len({row["valid"] for row in rows}) < 2)[:count]


def write_gallery(
    path: Path, title: str, results: dict, predictions: Sequence[dict], models: Sequence[str], count: int = 12
) -> None:
    """Write the page.

    Args:
        results: what `evaluate` returned.
        predictions: rows of predictions.parquet.
        models: whose walks are drawn, side by side.
    """
    from jinja2 import PackageLoader
    from jinja2.sandbox import SandboxedEnvironment
    from markupsafe import Markup

    environment = SandboxedEnvironment(
        loader=PackageLoader("ascii_maze", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    mazes = [
        [
            {
                "svg": Markup(to_svg(Maze.from_ascii(row["maze"]), parse_moves(row["completion"]) or "")),
                "model": row["model"],
                "valid": row["valid"],
                "verdict": verdict(row),
                "completion": row["completion"][:SHOWN_CHARACTERS],
            }
            for row in rows
        ]
        for rows in pick_mazes(predictions, models, count)
    ]
    settings = results["settings"]
    page = environment.get_template("gallery.html.jinja").render(
        title=title,
        subtitle=f"{settings['dataset']}, {settings['decoding']} decoding. Rates in per cent with Wilson's intervals.",
        header=TABLE_HEADER,
        table=table_rows(results),
        mazes=mazes,
    )
    write_text(path, page)
