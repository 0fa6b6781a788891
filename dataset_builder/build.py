"""Builds a dataset folder in stages, each of which can be divided over any number of workers:

1. *Plan.* A sample of each kind's mazes determines how many to hash, and whether there are enough.
2. *Hash.* Chunks of each sequence (seed, kind) become candidates, sorted by mark, one file each.
3. *Write.* Each part of the marks chooses its mazes among the candidates (`choose`), generates them again from
   (seed, kind, index), and writes one parquet file per split and config. Rows are in the order of marks,
   which mixes sizes and generators and depends on nothing else, so there is no shuffle.
4. *Finish.* Every pair of splits is checked for shared mazes and layouts; card and build.json are written, and the
   dataset is moved from its staging folder into place (`staging`).

The same config and seed give the same bytes, with any number of workers, on one machine or many (`distributed`). The
same command resumes an interrupted build and redoes only what is missing.
"""

import io
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import output_folder, read_value, replacing, sha256_of, write_text
from ascii_maze.mazes.splits import layout_fingerprints
from ascii_maze.metrics.path_validity.maze import Facts
from ascii_maze.packages import versions
from ascii_maze.terminal import OnProgress

from .choose import (
    CHUNK,
    Part,
    by_kind,
    candidates,
    check_mazes,
    choose,
    parts,
    within,
)
from .config import BuildConfig, Kind
from .rows import PLANNING_FACTS, tables
from .schema import BuildRecord
from .staging import (
    VERSIONED,
    complete_interrupted,
    complete_record,
    publish,
    record_of,
    staged_dataset,
    staging_folder,
)
from .survey import check_crowded, survey
from .workers import process_map

LARGEST_CHUNK = 2**20
WORKERS_PER_CORE = 16  # more only take memory, and minutes to start
ROW_GROUP = 10_000
# Columns with few values; a dictionary of any other would be larger than the column.
DICTIONARY = (
    *("generator", "width", "height", *Facts._fields, *PLANNING_FACTS, "rejected_kind"),
    *("observation", "walker", "tools", "completion.list.element.name"),
    *(f"{messages}.list.element.role" for messages in ("prompt", "completion", "chosen", "rejected")),
)


def build(config: BuildConfig, out: Path, workers: int = 1, on_progress: OnProgress | None = None) -> BuildRecord:
    """Build the dataset in `out`, as a folder that `load_dataset` reads, and return build.json.

    An existing dataset of the same config is kept if its files are unchanged; missing files are built again.

    Args:
        workers: processes, at most `WORKERS_PER_CORE` for each core.
        on_progress: called with the stage, the steps done and the total number of steps.

    Raises:
        UsageError: `out` holds something else, or a file that has changed since it was built.
        AsciiMazeError: a kind has too few distinct mazes, another process writes to the folder, or it cannot be
            written.
    """
    most = WORKERS_PER_CORE * (os.cpu_count() or 1)
    if not 1 <= workers <= most:
        raise UsageError(f"--workers must be 1 to {most}, {WORKERS_PER_CORE} for each core, not {workers}")
    record = complete_record(config, out)
    if record:
        return record
    check_mazes(config, workers)
    on_progress = on_progress or (lambda stage, step, steps: None)

    def run(stage: str, function: Callable, jobs: list) -> None:
        for step, _ in enumerate(mapped(function, jobs)):
            on_progress(stage, step + 1, len(jobs))

    with output_folder(out, kind="dataset"):
        record = begin(config, out)
        if record:
            return record
        with process_map(workers, config) as mapped:
            hashed = plan(config, out, on_progress)
            run("hashing mazes", hash_mazes, [(config, out, *job) for job in hash_jobs(hashed)])
            run("writing parquet", write_part, [(config, out, hashed, part) for part in parts(config)])
        return finish(config, out)


def begin(config: BuildConfig, out: Path) -> BuildRecord | None:
    """Prepare a locked folder for a build, or return the record if the same build is complete in it.

    Raises:
        UsageError: it holds something else.
    """
    record_of(config, out)
    complete_interrupted(out)
    return complete_record(config, out)


def plan(config: BuildConfig, out: Path, on_progress: OnProgress | None = None) -> dict[Kind, int]:
    """How many mazes of each kind to hash.

    Raises:
        AsciiMazeError: a kind has too few distinct mazes.
    """
    kinds = by_kind(config)
    path = staging_folder(config, out) / "plan.json"
    if path.is_file():
        return dict(zip(kinds, read_value(path)))
    surveyed = []
    for asked in kinds.values():
        surveyed.append(survey(config, asked))
        if on_progress:
            on_progress("surveying", len(surveyed), len(kinds))
    crowded = {(kind.width, kind.height) for kind, (_, is_crowded) in zip(kinds, surveyed) if is_crowded}
    hashed = {kind: count for kind, (count, _) in zip(kinds, surveyed)}
    for size in sorted(crowded):
        of_size = {kind: asked for kind, asked in kinds.items() if (kind.width, kind.height) == size}
        hashed |= check_crowded(config, of_size, {kind: hashed[kind] for kind in of_size})
    write_text(path, json.dumps(list(hashed.values())))
    return hashed


def hash_jobs(hashed: dict[Kind, int]) -> list[tuple[Kind, int, int]]:
    """Chunks (kind, first index, count) of all sequences; long sequences get larger chunks, since every part reads
    the file of every chunk.
    """
    return [
        (kind, first, min(size, count - first))
        for kind, count in hashed.items()
        for size in [min(max(CHUNK, count // 8), LARGEST_CHUNK)]
        for first in range(0, count, size)
    ]


def hash_mazes(job: tuple[BuildConfig, Path, Kind, int, int]) -> None:
    """Write the candidates of one chunk, unless the file exists."""
    config, out, kind, first, count = job
    path = _candidates_path(config, out, kind, first)
    if not path.is_file():
        buffer = io.BytesIO()  # writing to a file, `np.save` reports a full disk only as a count of bytes
        np.save(buffer, candidates(config, kind, first, count))
        with replacing(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())


def _candidates_path(config: BuildConfig, out: Path, kind: Kind, first: int) -> Path:
    return staging_folder(config, out) / "candidates" / str(kind).replace(" ", "-") / f"{first:012d}.npy"


def write_part(job: tuple[BuildConfig, Path, dict[Kind, int], Part]) -> None:
    """Choose the mazes of one part and write them for every config, unless they are already written."""
    config, out, hashed, part = job
    record, staged = _record_path(config, out, part), staged_dataset(staging_folder(config, out))
    if record.is_file():
        return
    kinds = by_kind(config)

    def read(kind: Kind) -> np.ndarray:
        files = [_candidates_path(config, out, kind, first) for _, first, _ in hash_jobs({kind: hashed[kind]})]
        return np.concatenate([within(np.load(file, mmap_mode="r"), part) for file in files], axis=1)

    files: dict[str, str] = {}
    splits: dict[str, list[int]] = {}
    for split, chosen in choose(config, part, kinds, hashed, read).items():
        if not len(chosen.fingerprints):
            continue
        name = f"{split}-{part.number:05d}-of-{part.of:05d}.parquet"
        for table_name, table in tables(config, list(kinds), chosen):
            files[f"{table_name}/{name}"] = write_table(table, staged / table_name / name)
        splits[split] = [len(chosen.fingerprints), *map(int, chosen.fingerprints[[0, -1]])]
    write_text(record, json.dumps({"files": files, "splits": splits}))


def _record_path(config: BuildConfig, out: Path, part: Part) -> Path:
    return staging_folder(config, out) / "parts" / f"{part.source}-{part.number:05d}.json"


def write_table(table, path: Path) -> str:
    """Write parquet and return its sha256."""
    import pyarrow.parquet

    with replacing(path) as temporary:
        pyarrow.parquet.write_table(
            table,
            temporary,
            compression="zstd",
            row_group_size=ROW_GROUP,
            use_dictionary=list(DICTIONARY),
        )
        digest = sha256_of(temporary)
    return digest


def finish(config: BuildConfig, out: Path) -> BuildRecord:
    """Check all parts together, write card and build.json, and move the dataset into place.

    Raises:
        AsciiMazeError: a part is missing.
    """
    records = []
    for part in parts(config):
        path = _record_path(config, out, part)
        if not path.is_file():
            raise AsciiMazeError(f"{part.source}, part {part.number + 1} of {part.of}, has not been written: {path}")
        records.append((part, read_value(path)))
    staging = staging_folder(config, out)
    shared = shared_between_splits(config, staged_dataset(staging), records, _ids)
    if any(shared.values()):
        raise AsciiMazeError(f"splits share mazes, which is a fault of the program, not yours: {shared}")
    rows = {
        split: sum(record["splits"][split][0] for _, record in records if split in record["splits"])
        for split in config.splits
    }
    record: BuildRecord = {
        "config": asdict(config),
        "seed": config.seed,
        "versions": versions(VERSIONED),
        "rows": {f"{name}/{split}": count for name in config.configs for split, count in rows.items()},
        "files": {path: sha for _, part_record in records for path, sha in sorted(part_record["files"].items())},
        "shared_between_splits": shared,
    }
    if config.split_by == "layout":
        layouts = shared_between_splits(config, staged_dataset(staging), records, _layouts)
        if any(layouts.values()):
            raise AsciiMazeError(f"splits share layouts, which is a fault of the program, not yours: {layouts}")
        record["layouts_shared_between_splits"] = layouts
    return publish(config, staging, out, record)


def shared_between_splits(
    config: BuildConfig, folder: Path, records: list[tuple[Part, dict]], marks_of: Callable[[Path], np.ndarray]
) -> dict[str, int]:
    """The number of mazes, or layouts, that each pair of splits shares up to rotation and reflection, from the files.

    Only files whose ranges of marks overlap are read, two at a time.

    Args:
        marks_of: a file -> the values to compare.
    """
    spans = {
        split: [
            (first, last, folder / "mazes" / f"{split}-{part.number:05d}-of-{part.of:05d}.parquet")
            for part, record in records
            for _, first, last in [record["splits"].get(split, (0, 1, 0))]
            if first <= last
        ]
        for split in config.splits
    }
    return {
        f"{one}/{two}": sum(
            len(np.intersect1d(marks_of(file), marks_of(other)))
            for first, last, file in spans[one]
            for other_first, other_last, other in spans[two]
            if first <= other_last and other_first <= last
        )
        for one, two in combinations(config.splits, 2)
    }


def _ids(path: Path) -> np.ndarray:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path, columns=["id"])["id"].to_numpy()


def _layouts(path: Path) -> np.ndarray:
    """Fingerprints of the layouts in a file, computed from its maps, uint64 (n,)."""
    import pyarrow.compute
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path, columns=["maze", "width", "height"])
    found = []
    for width, height in set(zip(table["width"].to_pylist(), table["height"].to_pylist())):
        of_size = pyarrow.compute.and_(
            pyarrow.compute.equal(table["width"], width), pyarrow.compute.equal(table["height"], height)
        )
        maps = table["maze"].filter(of_size).to_pylist()
        text = np.frombuffer("".join(maps).encode("ascii"), dtype=np.uint8).reshape(len(maps), -1)
        found.append(layout_fingerprints(text, 2 * height + 1, 2 * width + 1))
    return np.concatenate(found)
