"""The page of an evaluation: its table, and some mazes as each model walked them.

One file, from which no request goes out; everything that a model wrote is escaped. However many predictions there are,
they are read as a stream, and no more of them is kept than is shown.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path

from .failures import FAILURES, failure_of
from .files import write_text
from .metrics.path_validity.scoring import parse_moves, read_maze
from .metrics.path_validity.svg import to_svg
from .report import TABLE_HEADER, table_rows

# What is read of a prediction to show it.
COLUMNS = ("id", "model", "split", "maze", "completion", "valid", "excess_moves")
SHOWN_CHARACTERS = 400
MAZES = 12
# Walks shown of each kind.
EXAMPLES = 8
# Of each split so many mazes are searched for those on which the models differ.
SEARCHED = 10_000


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


def names_in(path: Path, column: str) -> list[str]:
    """The different values of a column of predictions.parquet, in the order of the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no parquet, or has no such column.
    """
    from pyarrow.dataset import dataset

    batches = dataset(path).to_batches(columns=[column])
    return list(dict.fromkeys(name for batch in batches for name in batch[column].unique().to_pylist()))


def pick_mazes(path: Path, models: Sequence[str], count: int) -> list[list[dict]]:
    """Mazes of every split, first those on which the models differ: for each maze, one row per model.

    Of several samples it is the one that speaks for the majority.

    Args:
        path: predictions.parquet, in which every model walks the same mazes in the same order.
        count: mazes in all.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no parquet, or lacks a column.
    """
    splits = names_in(path, "split")
    picked: list[list[dict]] = []
    for number, split in enumerate(splits):
        wanted = -(-(count - len(picked)) // (len(splits) - number))
        differ: list[list[dict]] = []
        alike: list[list[dict]] = []
        for rows in islice(zip(*(_votes(path, model, split) for model in models)), SEARCHED):
            if len({row["valid"] for row in rows}) > 1:
                differ.append(list(rows))
            elif len(alike) < wanted:
                alike.append(list(rows))
            if len(differ) == wanted:
                break
        picked += [*differ, *alike][:wanted]
    return picked


def _votes(path: Path, model: str, split: str) -> Iterator[dict]:
    """The rows of one model in one split, maze by maze; of several samples the one that has the vote."""
    from pyarrow.dataset import dataset, field

    chosen = (field("model") == model) & (field("split") == split) & field("vote")
    batches = dataset(path).to_batches(
        columns=list(COLUMNS), filter=chosen, batch_size=100, batch_readahead=1, fragment_readahead=1
    )
    for batch in batches:
        yield from batch.to_pylist()


def group_by_failure(path: Path, models: Sequence[str]) -> list[dict]:
    """For shortest paths and for each kind of failure that occurs: what it is, how often each model does it, examples.

    The examples go round the models, so that each that has any is seen.

    Args:
        path: predictions.parquet.
    """
    from pyarrow.dataset import dataset, field

    predictions, groups = dataset(path), []
    for kind in (None, *FAILURES):
        failed = field("failure").is_null() if kind is None else field("failure") == kind
        chosen = {model: failed & (field("model") == model) for model in models}
        counts = {model: predictions.count_rows(filter=mine) for model, mine in chosen.items()}
        examples = [
            predictions.head(EXAMPLES, columns=list(COLUMNS), filter=mine).to_pylist()
            for model, mine in chosen.items()
            if counts[model]
        ]
        turns = [row for turn in zip_longest(*examples) for row in turn if row]
        if turns:
            title = "a shortest path" if kind is None else FAILURES[kind]
            said = ", ".join(f"{model} {count:,}" for model, count in counts.items())
            groups.append({"title": title, "counts": said, "walks": [walk_of(row) for row in turns[:EXAMPLES]]})
    return groups


def walk_of(row: dict) -> dict:
    """One answer as a page shows it.

    Args:
        row: of predictions.parquet.
    """
    from markupsafe import Markup

    maze = read_maze(row["maze"])
    moves = parse_moves(row["completion"], maze.start) or ""
    return {
        "svg": Markup(to_svg(maze, moves)),  # noqa: S704, numbers alone come from the row
        "model": row["model"],
        "split": row["split"],
        "valid": row["valid"],
        "verdict": verdict(row),
        "completion": row["completion"][:SHOWN_CHARACTERS],
    }


def walks_side_by_side(path: Path, models: Sequence[str], count: int) -> list[list[dict]]:
    """The mazes of `pick_mazes` as a page shows them: for each, the walk of every model."""
    return [[walk_of(row) for row in rows] for rows in pick_mazes(path, models, count)]


def write_gallery(out: Path, results: dict) -> None:
    """Write gallery.html, on which every model but the trivial policies is seen.

    Args:
        out: where `evaluate` has put predictions.parquet.
        results: what it returned.
    """
    from jinja2 import PackageLoader
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=PackageLoader("ascii_maze", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    predictions, models = out / "predictions.parquet", list(results["settings"]["models"])
    page = environment.get_template("gallery.html.jinja").render(
        settings=results["settings"],
        models=models,
        header=TABLE_HEADER,
        table=table_rows(results),
        mazes=walks_side_by_side(predictions, models, MAZES),
        kinds=group_by_failure(predictions, models),
    )
    write_text(out / "gallery.html", page)
