"""gallery.html, the page of an evaluation: its table, and some mazes as each model walked them.

One self-contained file, in which everything that a model wrote is escaped. Predictions are streamed, and only those
that are shown are kept in memory.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from ..errors import reason
from ..files import write_text
from ..mazes.failures import FAILURES, failure_of
from ..mazes.reasoning import check_thought, thought_of
from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.scoring import after_thought, parse_moves, read_maze
from ..metrics.path_validity.svg import to_svg
from ..templating import PAGES, render
from .predictions import arrow_schema
from .schema import Results
from .tables import STEP_HEADER, TABLE_HEADER, loading_rows, step_rows, table_rows
from .walks import STEP_COLUMNS, is_walk, step_verdict, walk_svg

# The columns of predictions.parquet that are needed to show a prediction.
COLUMNS = ("id", "model", "split", "maze", "completion", "valid", "excess_moves")
SHOWN_CHARACTERS, THOUGHT_CHARACTERS = 400, 4_000
MAZES = 12
# Walks shown per kind.
EXAMPLES = 8
# Mazes of each split that are searched for those on which the models differ.
SEARCHED = 1_000


def verdict(row: dict) -> str:
    """The outcome of one answer, in a few words.

    Args:
        row: of predictions.parquet.

    Raises:
        MazeError: the row has no maze.
    """
    if is_walk(row):
        return step_verdict(row)
    failure = failure_of(read_maze(row["maze"]), row["completion"])
    if failure is None:
        return "shortest path"
    if failure.kind == "loops":
        return f"arrives, {row['excess_moves']} moves more than needed"
    place = "" if failure.move is None else f", move {failure.move}"
    return FAILURES[failure.kind] + place + ("" if failure.junction is None else f", junction {failure.junction}")


def names_in(path: Path, column: str) -> list[str]:
    """The different values of a column of predictions.parquet, in the order of the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not Parquet, or has no such column.
    """
    return list(
        dict.fromkeys(name for batch in _batches(path, (column,)) for name in batch[column].unique().to_pylist())
    )


def _batches(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator:
    """Some columns of predictions.parquet, a thousand rows at a time; missing optional columns are left out."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        columns = [*columns, *(name for name in optional if name in file.schema_arrow.names)]
        wanted = pyarrow.schema([arrow_schema().field(name) for name in columns])
        if missing := [name for name in columns if name not in file.schema_arrow.names]:
            raise ValueError(f"no column {', '.join(missing)}")
        for batch in file.iter_batches(batch_size=1000, columns=list(columns)):
            try:
                yield batch.select(list(columns)).cast(wanted)
            except (ValueError, pyarrow.ArrowException) as error:
                raise ValueError(f"a column is not as `evaluate` writes it: {reason(error)}") from error


def pick_mazes(path: Path, models: Sequence[str], count: int) -> list[list[dict]]:
    """Mazes of every split, first those on which the models differ: for each maze, one row per model.

    Of several samples of a maze, the one with the majority's vote is taken.

    Args:
        path: predictions.parquet, in which every model walks the same mazes in the same order.
        count: mazes in all.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not Parquet, or lacks a column.
    """
    walked: dict[str, dict[str, list[dict]]] = {}
    for batch in _batches(path, (*COLUMNS, "vote"), STEP_COLUMNS):
        columns = (batch[name].to_pylist() for name in ("split", "model", "vote"))
        for place, (split, model, vote) in enumerate(zip(*columns)):
            rows = walked.setdefault(split, {name: [] for name in models}).get(model)
            if vote and rows is not None and len(rows) < SEARCHED:
                rows += batch.slice(place, 1).to_pylist()
    picked: list[list[dict]] = []
    for number, by_model in enumerate(walked.values()):
        wanted = -(-(count - len(picked)) // (len(walked) - number))
        groups = [list(rows) for rows in zip(*by_model.values())]
        picked += sorted(groups, key=lambda rows: len({row["valid"] for row in rows}) < 2)[:wanted]
    return picked


def group_by_failure(path: Path, models: Sequence[str]) -> list[dict]:
    """For shortest paths and each kind of failure that occurs: what it is, how often each model does it, and examples.

    Examples are taken from the models in turn.

    Args:
        path: predictions.parquet.
    """
    counts: Counter[tuple[str, str | None]] = Counter()
    first: dict[tuple[str, str | None], list[dict]] = {}
    for batch in _batches(path, (*COLUMNS, "failure"), STEP_COLUMNS):
        for place, key in enumerate(zip(batch["model"].to_pylist(), batch["failure"].to_pylist())):
            counts[key] += 1
            if counts[key] <= EXAMPLES:
                first.setdefault(key, []).extend(batch.slice(place, 1).to_pylist())
    groups = []
    for kind in (None, *FAILURES):
        turns = zip_longest(*(first.get((model, kind), ()) for model in models))
        walks = [walk_of(row) for turn in turns for row in turn if row][:EXAMPLES]
        if walks:
            title = "a shortest path" if kind is None else FAILURES[kind]
            said = ", ".join(f"{model} {counts[model, kind]:,}" for model in models)
            groups.append({"title": title, "counts": said, "walks": walks})
    return groups


def walk_of(row: dict) -> dict:
    """One answer as a page shows it.

    Args:
        row: of predictions.parquet.
    """
    from markupsafe import Markup

    maze, stepwise = read_maze(row["maze"]), is_walk(row)
    moves = parse_moves(row["completion"], maze.start) or ""
    svg = walk_svg(row) if stepwise else to_svg(maze, moves)
    return {
        "svg": Markup(svg),  # noqa: S704, numbers alone come from the row
        "model": row["model"],
        "split": row["split"],
        "valid": row["reaches_goal"] if stepwise else row["valid"],
        "verdict": verdict(row),
        **said(maze, row["completion"]),
    }


def said(maze: Maze, completion: str) -> dict[str, str]:
    """What a page shows of an answer's text: the answer, and the reasoning before it with its checked statements."""
    checked = check_thought(maze, completion)
    if checked is None:
        return {"completion": completion[:SHOWN_CHARACTERS], "thought": "", "thought_title": ""}
    true = "" if checked.share is None else f", {100 * checked.share:.0f} % of {checked.statements} statements true"
    return {
        "completion": (after_thought(completion) or "").strip()[:SHOWN_CHARACTERS],
        "thought": (thought_of(completion) or "")[:THOUGHT_CHARACTERS],
        "thought_title": f"thought: {checked.length:,} characters{true}",
    }


def walks_side_by_side(path: Path, models: Sequence[str], count: int) -> list[list[dict]]:
    """The mazes of `pick_mazes` as a page shows them: for each, the walk of every model."""
    return [[walk_of(row) for row in rows] for rows in pick_mazes(path, models, count)]


def write_gallery(out: Path, results: Results) -> None:
    """Write gallery.html, with walks of every model but the baselines.

    Args:
        out: folder that holds predictions.parquet, and takes gallery.html.
        results: of the same evaluation.
    """
    predictions, models = out / "predictions.parquet", list(results["settings"]["models"])
    context = {
        "settings": results["settings"],
        "models": models,
        "header": (TABLE_HEADER[0], *TABLE_HEADER[2:]),
        "table": [(split, *cells) for split, size, *cells in table_rows(results) if size == "all"],
        "loading": loading_rows(results),
        "step_header": (STEP_HEADER[0], *STEP_HEADER[2:]),
        "steps": [(split, *cells) for split, size, *cells in step_rows(results) if size == "all"],
        "mazes": walks_side_by_side(predictions, models, MAZES),
        "kinds": group_by_failure(predictions, models),
    }
    write_text(out / "gallery.html", render(PAGES / "gallery.html.jinja", context))
