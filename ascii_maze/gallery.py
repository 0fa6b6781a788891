"""A page with the table of results and some mazes as each model walked them. Self-contained; everything is escaped."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from .failures import FAILURES, failure_of
from .files import write_text
from .metrics.path_validity.scoring import parse_moves, read_maze
from .metrics.path_validity.svg import to_svg
from .report import TABLE_HEADER, table_rows

SHOWN_CHARACTERS = 400
# Walks shown of each kind.
EXAMPLES = 8


def verdict(row: dict) -> str:
    """What became of one answer, in a few words.

    Args:
        row: of predictions.parquet.
    """
    failure = failure_of(read_maze(row["maze"]), row["completion"])
    if failure is None:
        return "shortest path"
    if failure.kind == "loops":
        return f"arrives, {row['excess_moves']} moves more than needed"
    place = "" if failure.move is None else f", move {failure.move}"
    return FAILURES[failure.kind] + place + ("" if failure.junction is None else f", junction {failure.junction}")


def pick_mazes(predictions: Sequence[dict], models: Sequence[str], count: int) -> list[list[dict]]:
    """The first mazes on which the models differ, then any others: for each, one row per model.

    Of several samples it is the one that speaks for the majority.
    """
    by_maze: dict[tuple[str, str], dict[str, dict]] = {}
    for row in predictions:
        if row["model"] in models and row["vote"]:
            by_maze.setdefault((row["split"], row["id"]), {})[row["model"]] = row
    groups = [[rows[model] for model in models if model in rows] for rows in by_maze.values()]
    return sorted(groups, key=lambda rows: len({row["valid"] for row in rows}) < 2)[:count]


def group_by_failure(predictions: Sequence[dict], models: Sequence[str]) -> list[dict]:
    """For shortest paths and for each kind of failure that occurs: what it is, how often each model does it, examples.

    The examples go round the models, so that each that has any is seen.
    """
    groups = []
    for kind in (None, *FAILURES):
        rows = {
            model: [row for row in predictions if row["model"] == model and row["failure"] == kind] for model in models
        }
        turns = [row for turn in zip_longest(*(rows[model][:EXAMPLES] for model in models)) for row in turn if row]
        if turns:
            counts = ", ".join(f"{model} {len(of_model)}" for model, of_model in rows.items())
            title = "a shortest path" if kind is None else FAILURES[kind]
            groups.append({"title": title, "counts": counts, "walks": [_walk(row) for row in turns[:EXAMPLES]]})
    return groups


def _walk(row: dict) -> dict:
    """One answer as the page shows it."""
    from markupsafe import Markup

    maze = read_maze(row["maze"])
    return {
        "svg": Markup(to_svg(maze, parse_moves(row["completion"], maze.start) or "")),
        "model": row["model"],
        "valid": row["valid"],
        "verdict": verdict(row),
        "completion": row["completion"][:SHOWN_CHARACTERS],
    }


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

    environment = SandboxedEnvironment(
        loader=PackageLoader("ascii_maze", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    mazes = [[_walk(row) for row in rows] for rows in pick_mazes(predictions, models, count)]
    settings = results["settings"]
    page = environment.get_template("gallery.html.jinja").render(
        title=title,
        subtitle=f"{settings['dataset']}, {settings['decoding']} decoding. Rates in per cent with Wilson's intervals.",
        header=TABLE_HEADER,
        table=table_rows(results),
        mazes=mazes,
        kinds=group_by_failure(predictions, models),
    )
    write_text(path, page)
