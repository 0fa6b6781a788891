"""Build a dataset folder: choose mazes, then write them as parquet.

1. *Choose.* Blocks of each endless sequence (seed, generator, size) are hashed, by any number of workers, and read in
   order: a maze is taken if no earlier one has its canonical form and the split that its hash decides still wants it.
2. *Order.* The rows of a split are sorted by that hash, which mixes sizes and generators and depends on nothing else.
3. *Write.* A shard is a list of (generator, size, index), from which any worker makes its mazes anew: what passes
   between processes is hashes and indices, never mazes.

Same config and seed: the same bytes, with any number of workers.
"""

import hashlib
import importlib.metadata
import json
import multiprocessing
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import replacing, write_text
from ascii_maze.generation import mazes_at
from ascii_maze.splits import fingerprint, split_of

from .card import render_card
from .config import SPLIT_SOURCES, BuildConfig, Quota, quotas
from .rows import CONFIG_ROWS, SCHEMAS

BLOCK = 4096
SHARD_ROWS = 100_000
# A sequence that yields nothing wanted for so many blocks has no more to give.
BARREN_BLOCKS = 60
UNFINISHED = ".unfinished"


class Choice(NamedTuple):
    """A chosen maze: where it stands in its sequence, and the hash of its canonical form."""

    fingerprint: int
    generator: str
    width: int
    height: int
    index: int


def build(
    config: BuildConfig, out: Path, workers: int = 1, report: Callable[[str, int, int], None] | None = None
) -> dict:
    """Build the dataset in `out`, which is then a folder that `load_dataset` reads, and return build.json.

    Args:
        workers: processes.
        report: called with a stage, the steps done and the steps in all.

    Raises:
        UsageError: `out` holds something else.
        AsciiMazeError: a size has too few distinct mazes, or the folder cannot be written.
    """
    done = _claim(out, config)
    if done:
        return done
    report = report or (lambda stage, step, steps: None)
    with _process_map(workers) as process_map:
        chosen = choose(config, process_map, report)
        shared = shared_between_splits(chosen)
        if any(shared.values()):
            raise AssertionError(f"splits share mazes: {shared}")
        files = write_shards(config, chosen, out, process_map, report)
    record = {
        "config": asdict(config),
        "seed": config.seed,
        "versions": {name: importlib.metadata.version(name) for name in ("ascii-maze", "numpy", "numba", "pyarrow")},
        "rows": {f"{name}/{split}": len(rows) for name in CONFIG_ROWS for split, rows in chosen.items()},
        "files": files,
        "shared_between_splits": shared,
    }
    write_text(out / "README.md", render_card(config, record))
    write_text(out / "build.json", json.dumps(record, indent=2))
    (out / UNFINISHED).unlink()
    return record


def _claim(out: Path, config: BuildConfig) -> dict | None:
    """Make the folder this build's own, or return the record of the same build if it is there already."""
    wanted = json.dumps(asdict(config), sort_keys=True)
    if (out / "build.json").is_file():
        record = json.loads((out / "build.json").read_text())
        if json.dumps(record["config"], sort_keys=True) == wanted:
            return record
        raise UsageError(f"{out} holds a dataset of another config or seed; remove it or give another --out")
    marker = out / UNFINISHED
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not marker.is_file():
            raise UsageError(f"{out} is not empty and is no dataset of ours; give another --out")
        if marker.read_text() != wanted:
            for name in CONFIG_ROWS:
                shutil.rmtree(out / name, ignore_errors=True)
    write_text(marker, wanted)
    return None


@contextmanager
def _process_map(workers: int) -> Iterator[Callable]:
    """An ordered, lazy `map` over so many processes; the plain one for a single worker."""
    if workers < 1:
        raise UsageError(f"--workers must be at least 1, not {workers}")
    if workers == 1:
        yield map
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:

        def ordered(function, items):
            items = iter(items)
            waiting = [pool.submit(function, item) for item in islice(items, 2 * workers)]
            while waiting:
                result = waiting.pop(0).result()
                waiting += [pool.submit(function, item) for item in islice(items, 1)]
                yield result

        yield ordered


def choose(config: BuildConfig, process_map: Callable, report: Callable) -> dict[str, list[Choice]]:
    """The mazes of every split, sorted by hash; see the module for the rule.

    Raises:
        AsciiMazeError: a generator has too few distinct mazes of a size for what was asked.
    """
    wanted: dict[tuple[str, int, int], dict[str, Quota]] = defaultdict(dict)
    for quota in quotas(config):
        wanted[quota.generator, quota.width, quota.height][quota.split] = quota
    chosen: dict[str, list[Choice]] = {split: [] for split in config.splits}
    seen: dict[tuple[int, int], set[int]] = defaultdict(set)
    for step, ((generator, width, height), by_split) in enumerate(wanted.items()):
        report("choosing mazes", step, len(wanted))
        blocks = ((config.seed, generator, width, height, block * BLOCK) for block in count())
        taken = _fill(by_split, process_map(fingerprints_of, blocks), seen[width, height])
        for split, picks in taken.items():
            chosen[split] += [Choice(mark, generator, width, height, index) for index, mark in picks]
    report("choosing mazes", len(wanted), len(wanted))
    return {split: sorted(choices) for split, choices in chosen.items()}


def _fill(
    by_split: dict[str, Quota], blocks: Iterator[np.ndarray], seen: set[int]
) -> dict[str, list[tuple[int, int]]]:
    """Read blocks of hashes in order until every quota is full: split -> (index, fingerprint)."""
    taken: dict[str, list[tuple[int, int]]] = {split: [] for split in by_split}
    barren = 0
    for number, block in enumerate(blocks):
        before = sum(map(len, taken.values()))
        for offset, mark in enumerate(block.tolist()):
            if mark in seen:
                continue
            source = split_of(mark)
            for split, quota in by_split.items():
                if SPLIT_SOURCES[split] == source and len(taken[split]) < quota.count:
                    taken[split].append((number * BLOCK + offset, mark))
                    seen.add(mark)
                    break
        short = {split: quota for split, quota in by_split.items() if len(taken[split]) < quota.count}
        if not short:
            return taken
        barren = 0 if sum(map(len, taken.values())) > before else barren + 1
        if barren == BARREN_BLOCKS:
            split, quota = next(iter(short.items()))
            raise AsciiMazeError(
                f"{quota.generator} {quota.width}x{quota.height} has only {len(taken[split])} distinct mazes for "
                f"'{split}', {quota.count} were asked for; lower the weight of this size or the rows of the split"
            )
    raise AssertionError("the sequence of blocks is endless")


def fingerprints_of(block: tuple[int, str, int, int, int]) -> np.ndarray:
    """Hashes of the canonical forms of one block (seed, generator, width, height, first index), uint64 (BLOCK,)."""
    seed, generator, width, height, first = block
    mazes = mazes_at(generator, width, height, np.arange(first, first + BLOCK), seed)
    return np.fromiter(map(fingerprint, mazes.canonical()), dtype=np.uint64, count=BLOCK)


def shared_between_splits(chosen: dict[str, list[Choice]]) -> dict[str, int]:
    """How many mazes each pair of splits shares, turned, mirrored or walked backwards."""
    marks = {split: {choice.fingerprint for choice in choices} for split, choices in chosen.items()}
    names = list(marks)
    return {f"{a}/{b}": len(marks[a] & marks[b]) for k, a in enumerate(names) for b in names[k + 1 :]}


def write_shards(
    config: BuildConfig, chosen: dict, out: Path, process_map: Callable, report: Callable
) -> dict[str, str]:
    """Write every config's parquet files and return the sha256 of each by its path."""
    jobs = []
    for split, choices in chosen.items():
        shards = max(1, -(-len(choices) // SHARD_ROWS))
        for shard in range(shards):
            part = choices[shard * SHARD_ROWS : (shard + 1) * SHARD_ROWS]
            jobs.append((config.seed, part, out, f"{split}-{shard:05d}-of-{shards:05d}.parquet"))
    files: dict[str, str] = {}
    for step, hashes in enumerate(process_map(write_shard, jobs)):
        files.update(hashes)
        report("writing parquet", step + 1, len(jobs))
    return dict(sorted(files.items()))


def write_shard(job: tuple[int, list[Choice], Path, str]) -> dict[str, str]:
    """Make the mazes of one shard anew and write them for every config; returns path -> sha256."""
    import pyarrow
    import pyarrow.parquet

    seed, choices, out, name = job
    facts = _maze_rows(seed, choices)
    hashes = {}
    for config, rows_of in CONFIG_ROWS.items():
        table = pyarrow.Table.from_pylist(rows_of(facts), schema=SCHEMAS[config])
        path = out / config / name
        with replacing(path) as temporary:
            pyarrow.parquet.write_table(table, temporary, compression="zstd")
        hashes[f"{config}/{name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashes


def _maze_rows(seed: int, choices: list[Choice]) -> list[dict]:
    """The rows of config `mazes`, in the order of the choices."""
    rows: list[dict] = [{}] * len(choices)
    groups: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    for position, choice in enumerate(choices):
        groups[choice.generator, choice.width, choice.height].append(position)
    for (generator, width, height), positions in groups.items():
        mazes = mazes_at(generator, width, height, np.array([choices[p].index for p in positions]), seed)
        for position, text, path, facts in zip(positions, mazes.to_ascii(), mazes.solve(), mazes.facts()):
            rows[position] = {
                "id": f"{choices[position].fingerprint:016x}",
                "maze": text,
                "solution": " ".join(path),
                "generator": generator,
                "width": width,
                "height": height,
                **facts._asdict(),
            }
    return rows
