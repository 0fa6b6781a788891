"""build.json, the record of a built dataset: its type, its one writer and its one reader.

A folder may be untrusted, so the reader checks what other modules rely on: no key is missing, and every file named
is in the folder of a config.
"""

import json
import re
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from ascii_maze.errors import UsageError
from ascii_maze.files import write_text

RECORD = "build.json"
# The configs of every dataset, each a folder of parquet files, and an optional one.
CONFIGS = ("mazes", "sft", "preference", "prompts")
STEPS = "steps"
_FILE = re.compile(rf"(?:{'|'.join((*CONFIGS, STEPS))})/\w+-\d+-of-\d+\.parquet", re.ASCII)
_SHA256 = re.compile("[0-9a-f]{64}")


class PreferencesSource(TypedDict):
    """The source of the pairs of config `preference`, if they are a model's answers and not synthetic.

    Attributes:
        model: as it was named.
        model_sha256: of its commits or files, including those of an adapter's base, and how it was loaded; 12 digits.
        samples: answers per maze.
        chat: how conversations were formatted for it, if not with its tokenizer's own template.
    """

    model: str
    model_sha256: NotRequired[str]
    samples: int
    temperature: float
    seed: int
    chat: NotRequired[dict[str, Any]]


class BuildRecord(TypedDict):
    """The content of build.json.

    Attributes:
        config: the fields of `BuildConfig`.
        versions: package -> version, of those that affect the files' bytes.
        rows: "CONFIG/SPLIT" -> number of rows.
        files: path in the folder -> sha256 in hexadecimal.
        shared_between_splits: "A/B" -> mazes that both hold.
        layouts_shared_between_splits: "A/B" -> wall layouts that both hold, of a dataset that is split by layout.
    """

    config: dict[str, Any]
    seed: int
    versions: dict[str, str]
    rows: dict[str, int]
    files: dict[str, str]
    shared_between_splits: dict[str, int]
    layouts_shared_between_splits: NotRequired[dict[str, int]]
    preferences_from: NotRequired[PreferencesSource]


def write_record(folder: Path, record: BuildRecord) -> None:
    """Write build.json."""
    write_text(folder / RECORD, json.dumps(record, indent=2))


def read_record(folder: Path) -> BuildRecord:
    """Read the build.json of a folder.

    Raises:
        UsageError: it cannot be read, or a build did not write it.
    """
    path = folder / RECORD
    try:
        return parse_record(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def parse_record(content: bytes, where: str) -> BuildRecord:
    """The record in the bytes of a build.json.

    Args:
        where: the file's name, for errors.

    Raises:
        UsageError: a build did not write it.
    """
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not JSON: {str(error)[:200]}; build the dataset again elsewhere") from error
    fault = _fault(record)
    if fault:
        raise UsageError(f"{where} {fault}; build the dataset again elsewhere")
    return record


def _fault(record: Any) -> str | None:
    """The reason why a value is not a record, or None if it is one."""
    if not isinstance(record, dict):
        return "is not an object"
    for key in ("files", "config", "versions", "rows", "shared_between_splits"):
        if not isinstance(record.get(key), dict):
            return f"has no '{key}'"
    if not _is_count(record.get("seed"), least=None):
        return "has no 'seed'"
    if not isinstance(record["config"].get("name"), str):
        return "has no name in 'config'"
    layouts = record.get("layouts_shared_between_splits", {})
    if not isinstance(layouts, dict):
        return "has no counts in 'layouts_shared_between_splits'"
    counted = {key: record[key] for key in ("rows", "shared_between_splits")}
    for key, counts in (counted | {"layouts_shared_between_splits": layouts}).items():
        for name, count in counts.items():
            if not _is_count(count):
                return f"says {str(count)[:40]!r} of {name!r} in '{key}', not a count"
    for path, digest in record["files"].items():
        if not _FILE.fullmatch(path):
            return f"names a file that no build makes: {path[:200]!r}"
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            return f"gives no sha256 of {path}"
    return None


def _is_count(value: Any, least: int | None = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least)
