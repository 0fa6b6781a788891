"""Loads a split of a dataset: a folder that `ascii-maze build` made, or ORG/NAME[@REVISION] on the Hub."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from ascii_maze.errors import AsciiMazeError, UsageError, reason
from ascii_maze.references import HUB_FORM, find_reference, hub_answers

from .checks import check_maze, where_of

STRATA = ("generator", "width", "height", "solved_by")


def load_split(dataset: str, split: str, config: str | None = "prompts", columns: Sequence[str] = ()):
    """One split of a dataset, in the order on disk.

    Args:
        dataset: a folder or a Hub id, with a revision after `@`.
        config: `prompts` holds the messages that models are trained on, and the facts of each maze.
        columns: required columns.

    Raises:
        UsageError: the name is neither a folder nor of the form of a Hub id, or the split repeats rows.
        AsciiMazeError: there is no such config or split, or it is empty or lacks a column.
    """
    from datasets.exceptions import DatasetGenerationError, SplitsVerificationError

    what = f"cannot load split '{split}' of dataset '{dataset}'"
    out = f"--out {dataset or 'FOLDER'}`"
    build = f"build it with `ascii-maze build {out}, or a small one with `ascii-maze build demo {out}"
    reference = find_reference(dataset)
    if reference is None:
        raise UsageError(f"{what} (there is no such folder, and it is not of the form {HUB_FORM}); {build}")
    if not reference.is_local:
        hub_answers()
    # `datasets` names it after the last part of its path; `.` has none.
    place = str(Path(reference.name).resolve()) if reference.is_local else reference.name
    if reference.is_local and not Path(place).is_dir():
        raise UsageError(f"{what}: that is not a folder; give one that `ascii-maze build` made")
    try:
        cache = cache_of(Path(place)) if reference.is_local else None
        rows = load_parquet(place, config, split, reference.revision, cache)
    except SplitsVerificationError as error:
        instead = "build it again elsewhere" if reference.is_local else "name another revision of it"
        raise AsciiMazeError(f"{what}: config '{config}' is not as built: {changes(error)}; {instead}") from error
    except Exception as error:  # on untrusted files the parsers may raise anything
        cause = error.__cause__ if isinstance(error, DatasetGenerationError) else None
        raise AsciiMazeError(f"{what} ({reason(cause or error)})" + f"; {build}" * reference.is_local) from error
    if not len(rows):
        raise AsciiMazeError(f"split '{split}' of dataset '{dataset}' is empty")
    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise AsciiMazeError(
            f"dataset '{dataset}', config '{config}': no column {', '.join(missing)}; "
            f"it has {', '.join(rows.column_names)}"
        )
    check_apart({split: rows})
    return rows


def load_parquet(place: str, config: str | None, split: str | None, revision: str | None, cache: str | None):
    """`datasets.load_dataset` of Parquet files only: it would give any file to whichever of its parsers fits.

    Args:
        split: None for all splits, by name.
        cache: folder; None for the library's own.

    Raises:
        ValueError: the files are of another format; they are not read.
        Exception: as `load_dataset`.
    """
    from datasets import load_dataset_builder
    from datasets.packaged_modules.cache.cache import Cache
    from datasets.packaged_modules.parquet.parquet import Parquet

    builder = load_dataset_builder(place, config, revision=revision, cache_dir=cache)
    if not isinstance(builder, Parquet | Cache):  # `Cache` has a repository that was read before, without a network
        raise ValueError("its files are not Parquet; no other format is read")
    builder.download_and_prepare()
    return builder.as_dataset(split=split)


def changes(error: Exception) -> str:
    """How the files of a dataset differ from what its card says of them; `datasets` prints its own objects."""
    sizes = re.findall(r"'expected': \w+\(name='(\w+)'.*?num_examples=(\d+).*?num_examples=(\d+)", str(error))
    told = [f"split '{split}' has {found} rows, and {card} according to README.md" for split, card, found in sizes]
    return ", ".join(told) or f"of README.md and the files, one has no split {reason(error).strip('{}')}"


def load_splits(dataset: str, splits: Sequence[str], columns: Sequence[str] = ()) -> dict[str, Any]:
    """Splits of config `prompts` by name, no row in two of them; see `load_split`.

    Raises:
        UsageError: also if two splits share rows.
    """
    loaded = {split: load_split(dataset, split, columns=columns) for split in splits}
    check_apart(loaded)
    return loaded


def check_apart(loaded: Mapping[str, Any]) -> None:
    """Refuse splits of one dataset that share rows: `test` and `test[:10%]`, or `test+test` alone.

    Raises:
        UsageError: a row is in two of them, or one repeats it.
    """
    from datasets import ReadInstruction

    parts = []
    for split, rows in loaded.items():
        sizes = {name: info.num_examples for name, info in rows.info.splits.items()}
        # `rows.split` is the name as given, with `all` spelt out.
        parts += [(split, part) for part in ReadInstruction.from_spec(str(rows.split)).to_absolute(sizes)]
    for (one, a), (other, b) in combinations(parts, 2):
        if a.splitname == b.splitname and a.from_ < b.to and b.from_ < a.to:
            said = f"split '{one}' repeats" if one == other else f"splits '{one}' and '{other}' share"
            raise UsageError(f"{said} rows of '{a.splitname}'; name each row once")


def cache_of(folder: Path) -> str:
    """The cache folder for the current state of a local dataset.

    `datasets` identifies a folder by its base name and its card alone, so for a rebuilt dataset, or another one of the
    same name, it would return the cached rows of the first.
    """
    from datasets import config

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    state = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    key = hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]
    return str(Path(config.HF_DATASETS_CACHE) / f"local-{key}")


def first_rows(rows, limit: int | None):
    """The first `limit` rows of a split, or all of them."""
    return rows.select(range(min(limit or len(rows), len(rows))))


def limited_first(rows, limit: int | None) -> tuple[Any, int]:
    """All rows of a split, with those of `limited_places` first, and the number of these."""
    places = limited_places(rows, limit)
    if isinstance(places, range):
        return rows, len(places)
    others = sorted(set(range(len(rows))) - set(places))
    return rows.select([*places, *others]), len(places)


def limited_places(rows, limit: int | None) -> Sequence[int]:
    """The places of at most `limit` rows of a split, ascending: the first of every stratum, in proportion to its size.

    Strata are generator, size and whether a rule solves the maze. Where rows lack the last, as in datasets
    that are split by maze, the first `limit` rows are taken.
    """
    if limit is None or limit >= len(rows) or not set(STRATA) <= set(rows.column_names):
        return range(min(limit or len(rows), len(rows)))
    strata: dict[tuple, list[int]] = {}
    for place, values in enumerate(zip(*(rows[name] for name in STRATA))):
        *kind, solved_by = values
        strata.setdefault((*kind, solved_by == ""), []).append(place)
    return sorted(place for places in _shares(list(strata.values()), limit) for place in places)


def _shares(strata: list[list[int]], limit: int) -> list[list[int]]:
    """The first indices of each stratum in proportion to its size, `limit` in all; the largest remainders round up."""
    total = sum(map(len, strata))
    exact = [limit * len(places) / total for places in strata]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(strata)), key=lambda k: (counts[k] - exact[k], k))
    for k in by_remainder[: limit - sum(counts)]:
        counts[k] += 1
    return [places[:count] for places, count in zip(strata, counts)]


def load_mazes(dataset: str, split: str, limit: int | None = None) -> list[dict]:
    """At most `limit` rows of a split of config `prompts`, in memory; see `load_split` and `limited_places`.

    Raises:
        AsciiMazeError: also if a row has no maze, or states something false about it.
    """
    whole = load_split(dataset, split)
    places = limited_places(whole, limit)
    rows = whole.select(places).to_list()
    for place, row in zip(places, rows, strict=True):
        check_maze(row, where_of(dataset, split, place))
    return rows
