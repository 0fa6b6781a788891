"""Predictions that were made elsewhere, in a file: JSONL or parquet with `id` or `maze`, and `completion`.

The rows may stand in any order and hold more columns. They are put in a database on disk, so that a file of millions
takes no more memory than one of hundreds.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from ..errors import UsageError, reason

SUFFIXES = (".jsonl", ".parquet")
KEYS = ("id", "maze")
NAMED = 3  # how many of the wrong ids an error names


def is_predictions(name: str) -> bool:
    """Whether a MODEL of the command line is such a file."""
    return name.endswith(SUFFIXES)


def open_predictions(path: Path, asked: dict[str, tuple], samples: int) -> Callable[[list[dict]], list[list[str]]]:
    """A function that gives the completions for rows of the dataset, in the order of the file.

    Args:
        asked: split -> the rows of its config `prompts`, and how many of the first of them are asked.
        samples: completions of each maze.

    Raises:
        UsageError: the file cannot be read, lacks a column, names mazes that are in no split, or does not hold so
            many completions of each maze that is asked.
    """
    database = sqlite3.connect("")  # a file of its own that nobody sees
    database.execute("CREATE TABLE given (key TEXT, completion TEXT)")
    database.execute("CREATE TABLE asked (key TEXT, wanted INTEGER)")
    try:
        key, pairs = _read_parquet(path) if path.suffix == ".parquet" else _read_jsonl(path)
        database.executemany("INSERT INTO given VALUES (?, ?)", pairs)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {reason(error)}") from error
    for rows, wanted in asked.values():
        batches = rows.select_columns([key]).iter(batch_size=1000)
        keys = (value for batch in batches for value in batch[key])
        database.executemany("INSERT INTO asked VALUES (?, ?)", ((value, n < wanted) for n, value in enumerate(keys)))
    database.execute("CREATE INDEX given_keys ON given (key)")
    database.execute("CREATE INDEX asked_keys ON asked (key)")
    where = ", ".join(f"'{split}'" for split in asked)
    unknown = database.execute("SELECT DISTINCT key FROM given WHERE key NOT IN (SELECT key FROM asked)")
    _refuse(unknown, f"{path}: there is no such maze in split {where}:")
    wrong_number = database.execute(
        "SELECT key, (SELECT COUNT(*) FROM given WHERE given.key = asked.key) AS found FROM asked "
        f"WHERE wanted AND found != {samples:d}"
    )
    _refuse(wrong_number, f"{path}: expected {samples} of each maze of split {where}; another number of completions:")

    def answers(rows: list[dict]) -> list[list[str]]:
        query = "SELECT completion FROM given WHERE key = ? ORDER BY rowid"
        return [[completion for (completion,) in database.execute(query, (row[key],))] for row in rows]

    return answers


def _refuse(wrong: Iterable[tuple], message: str) -> None:
    """Raise if there is anything wrong, with the names of the first and how many more there are."""
    rows = iter(wrong)
    first = [" ".join([repr(key)[:60], *(f"({count})" for count in counts)]) for key, *counts in islice(rows, NAMED)]
    if first:
        more = sum(1 for _ in rows)
        raise UsageError(f"{message} {', '.join(first)}" + (f" and {more} more" if more else ""))


def _read_parquet(path: Path) -> tuple[str, Iterator[tuple[str, str]]]:
    """Whether the file goes by id or by maze, and its pairs of that and a completion."""
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(path)
    key = _key_of(file.schema_arrow.names, str(path))
    batches = file.iter_batches(batch_size=1000, columns=[key, "completion"])
    return key, ((row[key], _text(row["completion"])) for batch in batches for row in batch.to_pylist())


def _read_jsonl(path: Path) -> tuple[str, Iterator[tuple[str, str]]]:
    objects = _objects(path)
    first = next(objects, None)
    if first is None:
        raise UsageError(f"{path}: no predictions in it")
    key = _key_of(first, f"{path}, line 1")

    def pairs() -> Iterator[tuple[str, str]]:
        yield first[key], _text(first["completion"])
        for number, row in enumerate(objects, 2):
            if key not in row or "completion" not in row:
                raise UsageError(f"{path}, line {number}: no '{key if key not in row else 'completion'}'")
            yield row[key], _text(row["completion"])

    return key, pairs()


def _objects(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{path}, line {number}: not JSON: {error}") from error
            if not isinstance(row, dict) or not isinstance(row.get("id", row.get("maze", "")), str):
                raise UsageError(f"{path}, line {number}: expected an object with 'id' or 'maze', and 'completion'")
            yield row


def _key_of(columns: Iterable[str], where: str) -> str:
    """By which column the predictions are told apart."""
    key = next((key for key in KEYS if key in columns), None)
    if key is None or "completion" not in columns:
        raise UsageError(
            f"{where}: expected 'id' or 'maze', and 'completion'; found {', '.join(columns) or 'nothing'}"
        )
    return key


def _text(completion: object) -> str:
    """What was answered; what is no text is no path, and lone surrogates are what no file can hold."""
    return completion.encode(errors="replace").decode() if isinstance(completion, str) else ""
