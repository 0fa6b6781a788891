"""Predictions made elsewhere, in a file: JSONL, JSON or parquet, with `id` or `maze`, and `completion`.

JSON may instead hold conversations (`messages`, the last one the assistant's) or what OpenAI's batch API returns.

Rows may be in any order and have more columns. They go to a temporary database on disk, so that a file of millions of
rows needs no more memory than one of hundreds (JSON alone is read whole).
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError, reason
from ..files import encoding_of, sha256_of
from ..metrics.path_validity.maze import Maze, MazeError
from ..metrics.path_validity.scoring import completion_text, opened_thought
from ..models.gguf import find_gguf

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")
KEYS = ("id", "maze")
NAMED = 3  # wrong ids in an error
MOST_BLANK = 1_000  # characters before the list of a file of JSON
HINT = 'a line like {"id": "...", "completion": "R R D D"} for each answer'


class Predictions(NamedTuple):
    """A file of answers.

    Attributes:
        answers: rows of the dataset -> the completions of each, in the order of the file.
        sha256: of the file.
    """

    answers: Callable[[list[dict]], list[list[str]]]
    sha256: str


def is_predictions(name: str) -> bool:
    """Whether a MODEL of the command line is such a file.

    Raises:
        UsageError: it is a file of another kind.
    """
    if name.lower().endswith(SUFFIXES) and not Path(name).is_dir():
        if Path(name).exists() and not Path(name).is_file():
            raise UsageError(f"{name} is a pipe or a device, and answers are read more than once; save them in a file")
        return True
    if Path(name).is_file() and find_gguf(name) is None:
        raise UsageError(f"{name}: a file of answers is {', '.join(SUFFIXES)}, with {HINT}")
    return False


def open_predictions(path: Path, asked: dict[str, tuple], samples: int) -> Predictions:
    """Read a file of answers.

    Args:
        asked: split -> the rows of its config `prompts`, and how many of the first of them are asked.
        samples: completions of each maze.

    Raises:
        UsageError: the file cannot be read, lacks a column, names mazes that are in no split, shows another maze than
            the one that it names, or does not hold so many completions of each maze that is asked.
    """
    import pyarrow

    digest = sha256_of(path)
    database = sqlite3.connect("")  # a temporary file of SQLite's
    database.execute("CREATE TABLE given (key TEXT, completion TEXT, maze TEXT)")
    database.execute("CREATE TABLE asked (key TEXT, wanted INTEGER, maze TEXT)")
    try:
        key, answered = _answered(_read(path), path)
        database.executemany("INSERT INTO given VALUES (?, ?, ?)", answered)
    except (OSError, ValueError, RecursionError, sqlite3.Error, pyarrow.ArrowException) as error:
        hint = "; save it as UTF-8" if isinstance(error, UnicodeError) else ""
        raise UsageError(f"cannot read {path}: {reason(error)}{hint}") from error
    for rows, wanted in asked.values():
        batches = rows.select_columns(list({key, "maze"})).iter(batch_size=1000)
        found = (pair for batch in batches for pair in zip(batch[key], batch["maze"]))
        numbered = ((value, n < wanted, maze) for n, (value, maze) in enumerate(found))
        database.executemany("INSERT INTO asked VALUES (?, ?, ?)", numbered)
    database.execute("CREATE INDEX given_keys ON given (key)")
    database.execute("CREATE INDEX asked_keys ON asked (key)")
    where = ", ".join(f"'{split}'" for split in asked)
    unknown = database.execute(
        "SELECT DISTINCT key FROM given WHERE NOT EXISTS (SELECT 1 FROM asked WHERE asked.key = given.key)"
    )
    _refuse(unknown, f"{path}: there is no such maze in split {where}:")
    wrong_number = database.execute(
        "SELECT DISTINCT key, (SELECT COUNT(*) FROM given WHERE given.key = asked.key) AS found FROM asked "
        f"WHERE wanted AND found != {samples:d}"
    )
    fewer = "to answer fewer mazes, give `prompts` and `evaluate` the same --limit"
    expected = f"{path}: expected {samples} of each maze of split {where} ({fewer}); another number of completions:"
    _refuse(wrong_number, expected)
    others = database.execute(
        "SELECT given.key, given.maze, asked.maze FROM given JOIN asked ON asked.key = given.key "
        "WHERE given.maze != asked.maze"
    )
    differing = ((name,) for name, given, maze in others if not _is_same(given, maze))
    _refuse(differing, f"{path}: these answers are to other mazes than the dataset's of the same 'id':")

    def answers(rows: list[dict]) -> list[list[str]]:
        query = "SELECT completion FROM given WHERE key = ? ORDER BY rowid"
        return [[completion for (completion,) in database.execute(query, (row[key],))] for row in rows]

    return Predictions(answers, digest)


def _refuse(wrong: Iterable[tuple], message: str) -> None:
    """Raise if anything is wrong, naming the first ids and the number of the others."""
    rows = iter(wrong)
    first = [" ".join([repr(key)[:60], *(f"({count})" for count in counts)]) for key, *counts in islice(rows, NAMED)]
    if first:
        more = sum(1 for _ in rows)
        raise UsageError(f"{message} {', '.join(first)}" + (f" and {more} more" if more else ""))


def _is_same(given: str, maze: str) -> bool:
    """Whether a text in a file of answers is this maze, in any style that can be told."""
    try:
        return Maze.from_text(given) == Maze.from_text(maze)
    except MazeError:
        return False


def _answered(rows: Iterator[tuple[str, Any]], path: Path) -> tuple[str, Iterator[tuple[str, str, str | None]]]:
    """The column that identifies the mazes; and of each row that column, the completion, and the maze if it has it.

    Args:
        rows: the position of each in the file, and the row.
    """
    where, first = next(rows, ("", None))
    if not where:
        raise UsageError(f"{path}: no predictions in it; expected {HINT}")
    columns = list(first) if isinstance(first, Mapping) else []
    key = next((key for key in KEYS if key in columns), None)
    if key is None or "completion" not in columns:
        found = ", ".join(map(str, columns)) or "nothing of the kind"
        raise UsageError(f"{where}: expected 'id' or 'maze', and 'completion'; found {found}")

    def answered() -> Iterator[tuple[str, str, str | None]]:
        has_text, unknown = False, ""
        for place, row in chain([(where, first)], rows):
            if not isinstance(row, Mapping):
                raise UsageError(f"{place}: expected an object with '{key}' and 'completion'")
            if missing := [name for name in (key, "completion") if name not in row]:
                raise UsageError(f"{place}: no '{missing[0]}'")
            if not isinstance(row[key], str):
                raise UsageError(f"{place}: expected an object with a text as '{key}', found {str(row[key])[:40]}")
            said = completion_text(row["completion"])
            has_text |= said is not None
            if said is None and not unknown and _is_unknown(row["completion"]):
                unknown = f"{place}: found {str(row['completion'])[:40]}"
            # A value that is not text is not a path; lone surrogates cannot be written to a file.
            text = _with_thought(row.get("prompt"), said or "")
            maze = row.get("maze")
            name = row[key] if key == "id" else row[key].replace("\r\n", "\n").strip("\n")
            yield name, text.encode(errors="replace").decode(), maze if isinstance(maze, str) else None
        if unknown and not has_text:
            raise UsageError(f"{unknown}, and no text in any row; expected a text or messages as 'completion'")

    return key, answered()


def _is_unknown(completion: Any) -> bool:
    """Whether a completion without a text is of no known form: not null, NaN, or messages."""
    last = completion[-1] if isinstance(completion, list) and completion else completion
    nothing = last is None or last == [] or last != last
    return not nothing and not (isinstance(last, Mapping) and "content" in last)


def _with_thought(prompt: Any, completion: str) -> str:
    """A completion, with the reasoning tag that its prompt opens put before it, if the row has its prompt."""
    opened = opened_thought(prompt) if isinstance(prompt, str) else ""
    return completion if completion.lstrip().startswith(opened) else opened + completion


def _read(path: Path) -> Iterator[tuple[str, Any]]:
    """Each row of a file, and its position there."""
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    with path.open(encoding=encoding_of(path)) as file:
        is_list = file.read(MOST_BLANK).lstrip().startswith("[")
    rows = _read_json(path) if is_list or path.suffix.lower() == ".json" else _read_lines(path)
    return ((where, one) for where, row in rows for one in with_completions(where, row))


def with_completions(where: str, row: Any) -> list[Any]:
    """A row of JSON with `id` and `completion`, converted from other known forms; unchanged in an unknown one. A row
    with several answers to one prompt becomes several.

    Args:
        where: the row's position, for errors.

    Raises:
        UsageError: it holds the error of a request, and no answer.
    """
    if not isinstance(row, Mapping) or row.get("completion") is not None:
        return [row]
    if "messages" in row and completion_text(row["messages"]) is not None:
        return [{**row, "completion": row["messages"]}]
    response = row.get("response")
    body = response.get("body") if isinstance(response, Mapping) else None
    if "completion" in row or "custom_id" not in row:
        return [row]
    if error := row.get("error") or (isinstance(body, Mapping) and body.get("error")):
        said = error.get("message") if isinstance(error, Mapping) else error
        raise UsageError(f"{where}: the request of {row['custom_id']!r} failed ({str(said)[:100]}); ask it again")
    if not isinstance(body, Mapping):
        return [row]
    if isinstance(choices := body.get("choices"), list) and choices:  # chat completions
        messages = [choice.get("message") if isinstance(choice, Mapping) else None for choice in choices]
    else:  # responses, where thoughts and calls of tools stand beside the message
        output = body.get("output")
        said = [item for item in output if isinstance(item, Mapping)] if isinstance(output, list) else []
        messages = [
            next((item for item in reversed(said) if item.get("type") == "message"), said[-1] if said else None)
        ]
    return [{"id": row["custom_id"], "completion": message} for message in messages]


def _read_parquet(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(path)
    names = [name for name in (*KEYS, "completion", "prompt") if name in file.schema_arrow.names]
    if not set(KEYS) & set(names) or "completion" not in names:
        yield str(path), dict.fromkeys(file.schema_arrow.names)  # missing columns are reported as for any other file
        return
    for start, batch in enumerate(file.iter_batches(batch_size=1000, columns=names)):
        for number, row in enumerate(batch.to_pylist()):
            yield f"{path}, row {1000 * start + number} (from 0)", row


def _read_lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding=encoding_of(path)) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield f"{path}, line {number}", json.loads(line, object_pairs_hook=once_each)
                except (ValueError, RecursionError) as error:
                    raise UsageError(f"{path}, line {number}: not JSON: {reason(error)}") from error


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of JSON that has these keys and values.

    Raises:
        ValueError: a key stands twice, of which the last would win in silence.
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"{twice!r} stands twice in one object")
    return values


def _read_json(path: Path) -> Iterator[tuple[str, Any]]:
    """A list of objects, or one object per line; the suffix of the file does not matter."""
    try:
        rows = json.loads(path.read_text(encoding=encoding_of(path)), object_pairs_hook=once_each)
    except json.JSONDecodeError:
        yield from _read_lines(path)
        return
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {reason(error)}") from error
    if not isinstance(rows, list):
        rows = [rows]
    for number, row in enumerate(rows):
        yield f"{path}, entry {number} (from 0)", row
