"""Estimates whether there are as many mazes as a config asks for, and how many to hash to find them."""

import functools
import math

import numpy as np

from ascii_maze.errors import AsciiMazeError
from ascii_maze.mazes.splits import layouts_of, split_range

from .choose import BARREN, FINGERPRINT, Part, asks_for_lengths, candidates, choose, fit, parts, within
from .config import BuildConfig, Kind, Quota
from .config_values import SPLIT_SOURCES

# Mazes generated per kind to estimate how many there are, and the same where path lengths are asked for.
SURVEY, LONG_SURVEY = 2_048, 16_384
# Path lengths rarer than this among a kind's mazes are refused: looking for them would take most of the build.
RAREST = 1 / 1000


def survey(config: BuildConfig, asked: list[Quota]) -> tuple[int, bool]:
    """How many mazes of a kind to hash for its quotas, and whether the kind may run out of mazes.

    Estimated from the first mazes of the sequence: the share of distinct ones, the share of each path length, and
    how many distinct ones there are in all (A. Chao, "Nonparametric estimation of the number of classes in a
    population", Scand. J. Statist. 1984).

    Raises:
        AsciiMazeError: the path lengths asked for are too rare, or a held-out split has too few layouts.
    """
    ranges = [split_range(SPLIT_SOURCES[quota.split], config.split_by) for quota in asked]
    shares = [(high - low) / 2**64 for low, high in ranges]
    demand = math.ceil(max(quota.count / share for quota, share in zip(asked, shares)))
    # The first duplicates appear after about sqrt(n) draws from a population of n.
    drawn = max(LONG_SURVEY if asks_for_lengths(config) else SURVEY, math.isqrt(32 * demand))
    found = candidates(config, asked[0].kind, 0, drawn)
    distinct, population = _population(found[FINGERPRINT])
    if config.split_by == "layout":
        check_layouts(asked, shares, _population(layouts_of(found[FINGERPRINT]))[1])
    of_source = {part.source: part.of for part in parts(config)}
    needed = [SURVEY]
    for quota, share in zip(asked, shares):
        fitting = fit(found, quota).mean()
        if fitting < RAREST:
            raise AsciiMazeError(
                f"{quota}: they are rarer than one in {1 / RAREST:,.0f} there; "
                "change path_lengths, difficulty, endpoints, sizes or generators"
            )
        rows = quota.count / of_source[SPLIT_SOURCES[quota.split]]
        # A margin of five standard deviations of a Poisson count: almost no part then finds too few.
        spare = (rows + 5 * math.sqrt(rows) + 8) / rows
        needed.append(quota.count * spare / share / fitting * drawn / distinct)
    crowded = demand > population / 4
    return min(math.ceil(max(needed)), BARREN) if crowded else math.ceil(max(needed)), crowded


def _population(marks: np.ndarray) -> tuple[int, float]:
    """The number of distinct marks in a sample, and the estimated number in its population (Chao, 1984)."""
    _, copies = np.unique(marks, return_counts=True)
    once, twice = int((copies == 1).sum()), int((copies == 2).sum())
    return len(copies), len(copies) + once * (once - 1) / (2 * twice + 2)


def check_layouts(asked: list[Quota], shares: list[float], layouts: float) -> None:
    """Check that held-out splits have at least as many wall layouts of a kind as rows.

    Args:
        shares: of the range of marks that each quota's split takes from.
        layouts: of the kind, in all.

    Raises:
        AsciiMazeError: one has fewer; most of its rows would repeat a few layouts with other starts and goals.
    """
    wanted: dict[str, int] = {}
    for quota in asked:
        wanted[quota.split] = wanted.get(quota.split, 0) + quota.count
    for quota, share in zip(asked, shares):
        rows, kind = wanted[quota.split], quota.kind
        if quota.split != "train" and rows > layouts * share:
            raise AsciiMazeError(
                f"{kind} has about {layouts:,.0f} wall layouts in all, {layouts * share:,.0f} of them for "
                f"'{quota.split}', too few for {rows:,} rows; put '{kind.generator} {kind.width}x{kind.height}' into "
                "'train_only' to train on it alone, or ask for fewer rows or larger mazes"
            )


def check_crowded(config: BuildConfig, kinds: dict[Kind, list[Quota]], hashed: dict[Kind, int]) -> dict[Kind, int]:
    """Try to choose the mazes of some kinds, all of one size; return how many must be hashed for that.

    Args:
        hashed: the survey's estimate of it.

    Raises:
        AsciiMazeError: there are too few.
    """
    found = {kind: candidates(config, kind, 0, hashed[kind]) for kind in kinds}
    reached = dict(hashed)

    @functools.cache  # every part reads on in the same steps
    def read_on(kind: Kind, first: int, count: int) -> np.ndarray:
        reached[kind] = max(reached[kind], first + count)
        return candidates(config, kind, first, count)

    def found_within(part: Part, kind: Kind) -> np.ndarray:
        return within(found[kind], part)

    for part in parts(config):
        choose(config, part, kinds, hashed, functools.partial(found_within, part), read_on)
    return reached
