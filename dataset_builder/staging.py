"""The staging folder of a build: files are written there, and moved into the dataset when complete.

    OUT/.unfinished/build-KEY/           one build's work; KEY is a hash of its whole configuration
    OUT/.unfinished/build-KEY/dataset/   its files, laid out as in OUT
    OUT/.unfinished/preferences-KEY/     likewise for pairs of a model's own answers

Once build.json is among the staged files only renames are left, which the next command completes. So a process may
be killed at any moment: the folder then holds the old dataset, or the next command completes the new one.
"""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from ascii_maze.errors import UsageError
from ascii_maze.files import MARK, UNFINISHED, is_ours, move_inside, remove_inside, sha256_of, write_text
from ascii_maze.packages import versions

from .card import render_card, render_config, render_samples
from .config import BuildConfig
from .schema import RECORD, BuildRecord, read_record, write_record

# The packages that affect the bytes of the files.
VERSIONED = ("ascii-maze", "numpy", "numba", "pyarrow")
PAGES = ("README.md", "config.yaml", "samples.svg")


def staging_folder(config: BuildConfig, out: Path) -> Path:
    """Where a build keeps its work until the dataset is complete."""
    return out / UNFINISHED / f"build-{short_hash({'config': asdict(config), 'versions': versions(VERSIONED)})}"


def short_hash(value) -> str:
    """12 hexadecimal digits of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def staged_dataset(staging: Path) -> Path:
    """The folder of the files that go to the dataset, with the same layout."""
    return staging / "dataset"


def record_of(config: BuildConfig, out: Path) -> BuildRecord | None:
    """The record of this very build if `out` holds it; None if a build may be made there. Its files are not checked.

    Raises:
        UsageError: `out` holds something else, or its build.json is broken.
    """
    if (out / RECORD).is_file():
        record = read_record(out)
        if _of_today(record["config"]) == json.loads(json.dumps(asdict(config))):
            return record
        raise UsageError(f"{out} holds a dataset of another config or seed; remove it or give another --out")
    if out.is_dir() and not _interrupted(out) and set(os.listdir(out)) - {MARK, UNFINISHED}:
        raise UsageError(f"{out} is not empty and is not a dataset made by `ascii-maze build`; give another --out")
    return None


def _of_today(config: dict) -> dict:
    """A recorded config with the keys added since, whose defaults describe what was built then."""
    defaults = BuildConfig(name="", sizes={}, generators={}, splits={})
    return json.loads(json.dumps(asdict(defaults))) | config


def complete_record(config: BuildConfig, out: Path) -> BuildRecord | None:
    """The record of this very build if `out` holds all its files unchanged; None if something is left to build.

    Raises:
        UsageError: `out` holds something else, or a file has changed since it was built.
    """
    record = record_of(config, out)
    if record is None or _interrupted(out) or _leftovers(out, ("build",)):
        return None
    missing = missing_files(record, out)
    if missing and not is_ours(out):
        raise UsageError(
            f"{out / missing[0]} is missing, and {out} was not made here (or is a copy); build into another --out"
        )
    return None if missing else record


def missing_files(record: BuildRecord, out: Path) -> list[str]:
    """The files that are missing from a dataset.

    Raises:
        UsageError: a file exists but has changed since it was built.
    """
    missing = [path for path in ("README.md", *record["files"]) if not (out / path).is_file()]
    for path, digest in record["files"].items():
        if path not in missing and sha256_of(out / path) != digest:
            raise UsageError(
                f"{out / path} has changed since it was built; remove it, and the same command makes it again"
            )
    return missing


def publish(config: BuildConfig, staging: Path, out: Path, record: BuildRecord) -> BuildRecord:
    """Write the card and its picture to the staged files, then move everything into place; returns the record."""
    staged = staged_dataset(staging)

    def locate(path: str) -> Path:
        return staged / path if (staged / path).is_file() else out / path

    write_text(staged / "config.yaml", render_config(config))
    write_text(staged / "samples.svg", render_samples(config))
    write_text(staged / "README.md", render_card(config, record, locate))
    write_record(staged, record)
    complete_interrupted(out)
    return record


def complete_interrupted(out: Path) -> None:
    """Move complete staging folders into place, and remove what is no longer needed. The caller holds the lock."""
    interrupted = _interrupted(out)
    for staging in interrupted:
        _move_into_place(staging, out)
    if (out / RECORD).is_file():
        # Pairs sampled from a model are kept until a dataset with pairs is in place.
        remove_leftovers(out, ("build", "preferences") if interrupted else ("build",))


def remove_leftovers(out: Path, of: tuple[str, ...] = ("build", "preferences")) -> None:
    """Remove staging folders that were never completed, if the folder was made by this package."""
    for staging in _leftovers(out, of):
        remove_inside(staging, out)
    if is_ours(out) and (out / UNFINISHED).is_dir() and not os.listdir(out / UNFINISHED):
        remove_inside(out / UNFINISHED, out)


def _move_into_place(staging: Path, out: Path) -> None:
    """Move the files, the record last; an earlier process may have been killed after any of these steps."""
    staged = staged_dataset(staging)
    record = read_record(staged)
    before = read_record(out)["files"] if (out / RECORD).is_file() else {}
    for path in (*PAGES, *record["files"]):
        if (staged / path).is_file():
            move_inside(staged / path, out / path, out)
    for path in sorted(set(before) - set(record["files"])):
        remove_inside(out / path, out)
    move_inside(staged / RECORD, out / RECORD, out)


def _interrupted(out: Path) -> list[Path]:
    """Staging folders that are complete but not fully moved into place."""
    if not is_ours(out):
        return []
    return sorted(record.parents[1] for record in (out / UNFINISHED).glob(f"*-*/dataset/{RECORD}"))


def _leftovers(out: Path, of: tuple[str, ...]) -> list[Path]:
    return sorted(path for name in of for path in (out / UNFINISHED).glob(f"{name}-*")) if is_ours(out) else []
