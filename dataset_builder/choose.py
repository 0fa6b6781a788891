"""Chooses the mazes of a dataset, part by part, by a rule that depends on the config alone.

A *part* is a range of marks (`mazes.splits`) within what the hash gives to training, validation or test. It holds
every copy of a maze (rotated, reflected or reversed) and, with a split by layout, every maze of a layout. So
parts are independent: each settles duplicates and quotas by itself, in memory bounded by its size, on any worker.

The rule: kinds in the order of the config, mazes in the order of their sequence. A maze is taken if no maze of its
canonical form has been, no other split has its layout (where layouts are split), and its split still wants one of this
kind, path length and difficulty. To find a part's mazes without
reading all sequences once for every part, they are first hashed into *candidates*, sorted by fingerprint. How many
are hashed changes nothing: a part that finds too few reads on by itself.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.mazes import kernels
from ascii_maze.mazes.generators import characters, mazes_at, memory_bytes
from ascii_maze.mazes.planning import decisions_along, rules_of
from ascii_maze.mazes.splits import layouts_of, marks_of, split_range, whole_layouts

from .config import ANY_DIFFICULTY, BuildConfig, Kind, Quota, quotas
from .config_values import ANY_LENGTH, SPLIT_SOURCES
from .strata import ANY, inside
from .styled import check_styles, text_bytes

# Rows of a split in one part, and in one of a thousand or more parts.
PART_ROWS, LARGE_PART_ROWS = 50_000, 500_000
# Bytes of memory per character of a part's maps while its tables are made, measured from 20x20 to 60x60 cells.
PART_BYTES = 10
# Mazes generated at once, and the most characters that their maps may have together.
CHUNK, CHUNK_CHARACTERS = 32_768, 2**27
# A sequence counts as exhausted after this many mazes in a row of which none is wanted.
BARREN = 262_144


class Part(NamedTuple):
    """Range `number`, from 0, of `of` equal ranges of the marks of `source`: train, validation or test."""

    source: str
    number: int
    of: int
    split_by: str

    @property
    def range(self) -> tuple[int, int]:
        """The first mark, and the end of the range (exclusive)."""
        low, high = split_range(self.source, self.split_by)
        bounds = [low + (high - low) * number // self.of for number in (self.number, self.number + 1)]
        first, end = (whole_layouts(bound, self.split_by) for bound in bounds)
        return first, end

    def share_of(self, count: int) -> int:
        """The number of `count` rows that fall to this part."""
        return count * (self.number + 1) // self.of - count * self.number // self.of


# Candidates are uint64 (3, n): marks in ascending order, indices in the sequence, path lengths. Where the config asks
# for a difficulty or for strata they are (5, n), with the rules of `planning.rules_of`, and decisions.
FINGERPRINT, INDEX, PATH_LENGTH, RULES, DECISIONS = range(5)


def parts(config: BuildConfig) -> list[Part]:
    """The parts of a dataset, such that no split has more than about `PART_ROWS` rows in one.

    Beyond a thousand of them they grow, up to `LARGE_PART_ROWS`: the Hub takes no folder of very many files.
    """
    found = []
    for source in dict.fromkeys(SPLIT_SOURCES[split] for split in config.splits):
        rows = max(count for split, count in config.splits.items() if SPLIT_SOURCES[split] == source)
        of = math.ceil(rows / max(PART_ROWS, min(rows // 1000, LARGE_PART_ROWS)))
        found += [Part(source, number, of, config.split_by) for number in range(of)]
    return found


def check_mazes(config: BuildConfig, workers: int) -> None:
    """Check that every worker can hold the rows of one part in memory, and that every style can show the mazes.

    Raises:
        UsageError: the rows do not fit, or a style cannot show a kind of maze.
    """
    check_styles(config)
    of_source = {part.source: part.of for part in parts(config)}
    text: dict[str, int] = {}  # split -> characters in the maps of a part
    for quota in quotas(config):
        rows = math.ceil(quota.count / of_source[SPLIT_SOURCES[quota.split]])
        size = characters(quota.kind.width, quota.kind.height)
        if list(config.shown) != ["hash"]:
            size = max(size, text_bytes(tuple(config.shown), config.seed, quota.kind))
        text[quota.split] = text.get(quota.split, 0) + rows * size
    for split, size in text.items():
        needed = PART_BYTES * size * workers
        if size >= 2**31 or needed > memory_bytes():
            raise UsageError(
                f"the mazes of '{split}' take {needed / 2**30:,.0f} GiB of memory in {workers} worker(s), more than "
                "there is, or than one parquet file can hold; ask for fewer rows, smaller sizes or fewer workers"
            )


def by_kind(config: BuildConfig) -> dict[Kind, list[Quota]]:
    """The quotas of each kind, kinds in the order of the config."""
    found: dict[Kind, list[Quota]] = {}
    for quota in quotas(config):
        found.setdefault(quota.kind, []).append(quota)
    return found


def asks_for_lengths(config: BuildConfig) -> bool:
    """Whether the config asks for certain path lengths."""
    return list(config.path_lengths) != [ANY_LENGTH] or bool(config.strata)


def candidates(config: BuildConfig, kind: Kind, first: int, count: int) -> np.ndarray:
    """Hash `count` mazes of a sequence from index `first` on; path lengths are 0 if the config asks for none."""
    blocks = []
    size = max(1, min(CHUNK, CHUNK_CHARACTERS // characters(kind.width, kind.height)))
    for start in range(first, first + count, size):
        indices = np.arange(start, min(start + size, first + count))
        mazes = mazes_at(kind.generator, kind.width, kind.height, indices, config.seed, kind.braid, kind.endpoints)
        found = np.zeros((5 if config.difficulty or config.strata else 3, len(indices)), dtype=np.uint64)
        found[FINGERPRINT] = marks_of(mazes.open, mazes.ends, config.split_by)
        found[INDEX] = indices
        if asks_for_lengths(config):
            letters, offsets = kernels.solve(mazes.open, mazes.ends)
            found[PATH_LENGTH] = np.diff(offsets)
            if config.strata:
                found[DECISIONS] = decisions_along(mazes.open, mazes.ends, letters, offsets)[:, 0]
        if config.difficulty:
            found[RULES] = rules_of(mazes.open, mazes.ends)
        blocks.append(found)
    found = np.concatenate(blocks, axis=1)
    return found[:, np.argsort(found[FINGERPRINT], kind="stable")]


def within(found: np.ndarray, part: Part) -> np.ndarray:
    """The candidates that fall to a part."""
    low, high = part.range
    start = np.searchsorted(found[FINGERPRINT], np.uint64(low))
    end = found.shape[1] if high == 2**64 else np.searchsorted(found[FINGERPRINT], np.uint64(high))
    return found[:, start:end]


class Chosen(NamedTuple):
    """The mazes of one split in one part, in the order of their marks.

    Attributes:
        fingerprints: uint64 (n,), the marks.
        kinds: uint16 (n,), positions in `by_kind`.
        indices: uint64 (n,), places in the kinds' sequences.
    """

    fingerprints: np.ndarray
    kinds: np.ndarray
    indices: np.ndarray


def choose(
    config: BuildConfig,
    part: Part,
    kinds: dict[Kind, list[Quota]],
    hashed: dict[Kind, int],
    read: Callable[[Kind], np.ndarray],
    read_on: Callable[[Kind, int, int], np.ndarray] | None = None,
) -> dict[str, Chosen]:
    """The mazes of a part, by split; see the module for the rule.

    Args:
        kinds: from `by_kind`.
        hashed: the number of mazes hashed from the start of each kind's sequence.
        read: a kind -> its candidates that fall to the part.
        read_on: (kind, first index, count) -> more candidates, if those do not suffice; `candidates` by default.

    Raises:
        AsciiMazeError: a kind has fewer distinct mazes than its quotas ask for.
    """
    read_on = read_on or functools.partial(candidates, config)
    taken: dict[tuple[int, int], list[tuple[str, np.ndarray]]] = {}
    picks: dict[str, list[Chosen]] = {split: [] for split in config.splits if SPLIT_SOURCES[split] == part.source}
    for number, (kind, asked) in enumerate(kinds.items()):
        wanted = [
            quota._replace(count=part.share_of(quota.count))
            for quota in asked
            if SPLIT_SOURCES[quota.split] == part.source and part.share_of(quota.count)
        ]
        if not wanted:
            continue
        before = taken.setdefault((kind.width, kind.height), [])
        # All quotas of a kind in one part belong to one split: the other splits have other sizes or generators.
        foreign = [layouts_of(marks) for split, marks in before if split != wanted[0].split]
        marks = [marks for _, marks in before]
        own = Taken(marks, foreign if config.split_by == "layout" else [])
        for quota, found in _fill(part, wanted, own, hashed[kind], read(kind), read_on):
            before.append((quota.split, found[FINGERPRINT]))
            numbers = np.full(found.shape[1], number, dtype=np.uint16)
            picks[quota.split].append(Chosen(found[FINGERPRINT], numbers, found[INDEX]))
    return {split: _sorted(chosen) for split, chosen in picks.items()}


class Taken(NamedTuple):
    """Marks of the mazes that earlier kinds of a size took in a part, and layouts that belong to other splits."""

    marks: list[np.ndarray]
    layouts: list[np.ndarray]


def _fill(
    part: Part,
    wanted: list[Quota],
    taken: Taken,
    hashed: int,
    found: np.ndarray,
    read_on: Callable[[Kind, int, int], np.ndarray],
) -> Iterator[tuple[Quota, np.ndarray]]:
    """Candidates for every quota of one kind, reading on in the sequence until there are enough."""
    barren, most = 0, -1
    while True:
        fresh = _first_copies(found, taken)
        filled = []
        for quota in wanted:
            fits = np.flatnonzero(fit(fresh, quota))[: quota.count]
            filled.append((quota, fresh[:, fits]))
            fresh = np.delete(fresh, fits, axis=1)
        short = [(quota, part_of) for quota, part_of in filled if part_of.shape[1] < quota.count]
        if not short:
            return iter(filled)
        total = sum(part_of.shape[1] for _, part_of in filled)
        barren, most = (0, total) if total > most else (barren, most)
        if barren >= BARREN:
            quota, part_of = short[0]
            where = f" (part {part.number + 1} of {part.of})" if part.of > 1 else ""
            raise AsciiMazeError(
                f"{quota} has only {part_of.shape[1]} distinct mazes for '{quota.split}'{where}, "
                f"{quota.count} were asked for; lower its weight, or the rows of the split"
            )
        more = max(CHUNK // 8, min(hashed, BARREN))
        found = np.concatenate([found, within(read_on(wanted[0].kind, hashed, more), part)], axis=1)
        hashed, barren = hashed + more, barren + more


def fit(found: np.ndarray, quota: Quota) -> np.ndarray:
    """Which candidates have the path length, the difficulty and the decisions that a quota asks for, bool (n,)."""
    fits = inside(found[PATH_LENGTH], (quota.least, quota.most))
    if quota.decisions != ANY:
        fits &= inside(found[DECISIONS], quota.decisions)
    return fits if quota.difficulty == ANY_DIFFICULTY else fits & ((found[RULES] == 0) == (quota.difficulty == "hard"))


def _first_copies(found: np.ndarray, taken: Taken) -> np.ndarray:
    """The first of each mark in the order of the sequence, without those taken already."""
    found = found[:, np.argsort(found[INDEX], kind="stable")]
    found = found[:, np.sort(np.unique(found[FINGERPRINT], return_index=True)[1])]
    found = found[:, ~_among(found[FINGERPRINT], taken.marks)]
    return found[:, ~_among(layouts_of(found[FINGERPRINT]), taken.layouts)] if taken.layouts else found


def _among(hashes: np.ndarray, taken: list[np.ndarray]) -> np.ndarray:
    """Which hashes are in any of the arrays, bool (n,)."""
    # kind="sort": a lookup table over the range of uint64 does not fit in memory, and NumPy 2.0 fails in the attempt.
    return np.isin(hashes, np.concatenate([*taken, np.empty(0, np.uint64)]), kind="sort")


def _sorted(chosen: list[Chosen]) -> Chosen:
    if not chosen:
        return Chosen(np.empty(0, np.uint64), np.empty(0, np.uint16), np.empty(0, np.uint64))
    columns = [np.concatenate(column) for column in zip(*chosen)]
    order = np.argsort(columns[0], kind="stable")
    return Chosen(*(column[order] for column in columns))
