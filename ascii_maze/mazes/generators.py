"""Generators by name: (seed, generator, size, index) -> maze, a pure function.

mazes = generate_mazes("depth_first", 5, 5, count=1000, seed=0)
mazes[3], mazes.to_ascii(), mazes.solve()
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import did_you_mean
from ..metrics.path_validity.maze import GOAL, OPEN, START, WALL, Facts, Maze
from ..metrics.path_validity.writing import write
from . import carvers, kernels, loops, placing

# A generator carves `open` from (keys, height, width).
GENERATORS: MappingProxyType[str, Callable[[np.ndarray, int, int], np.ndarray]] = MappingProxyType(
    {
        "depth_first": carvers.carve_depth_first,
        "prim": carvers.carve_prim,
        "kruskal": carvers.carve_kruskal,
        "wilson": carvers.carve_wilson,
        "aldous_broder": carvers.carve_aldous_broder,
        "hunt_and_kill": carvers.carve_hunt_and_kill,
        "recursive_division": carvers.carve_recursive_division,
        "binary_tree": carvers.carve_binary_tree,
        "sidewinder": carvers.carve_sidewinder,
        "percolation": loops.carve_percolation,
        "open_rooms": loops.carve_open_rooms,
    }
)
# Each places start and goal, from (keys, open).
ENDPOINTS: MappingProxyType[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = MappingProxyType(
    {"random": placing.place_random, "far": placing.place_far, "corners": placing.place_corners}
)

MOST_CHARACTERS = 2**24  # of a map: 2,047x2,047 cells


@dataclass(frozen=True)
class MazeBatch(Sequence):
    """Mazes of one size, held as arrays; an item is a `Maze`, a slice a `MazeBatch`.

    Attributes:
        open: uint8 (n, rows, columns), 1 where a walker may stand.
        ends: int32 (n, 2), flat character positions of start and goal.
    """

    open: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.open)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return MazeBatch(self.open[index], self.ends[index])
        index = range(len(self))[index]  # raises IndexError, accepts negative numbers
        return Maze.from_ascii(self[index : index + 1].to_ascii()[0])

    def __iter__(self) -> Iterator[Maze]:
        return map(Maze.from_ascii, self.to_ascii())

    def maps(self) -> np.ndarray:
        """The characters of every maze in style `hash`, uint8 (n, rows, columns)."""
        maps = np.where(self.open, np.uint8(ord(OPEN)), np.uint8(ord(WALL)))
        flat = maps.reshape(len(maps), -1)
        for end, symbol in enumerate((START, GOAL)):
            flat[np.arange(len(flat)), self.ends[:, end]] = ord(symbol)
        return maps

    def to_ascii(self, style: str = "hash") -> list[str]:
        """The text of every maze, as `Maze.to_ascii` gives it, from arrays.

        Raises:
            ValueError: there is no such style.
            MazeError: a maze cannot be written in it.
        """
        if style == "hash":
            return _strings(kernels.render(self.open, self.ends))
        return _strings(*write(self.maps(), style))

    def canonical(self) -> list[str]:
        """The canonical form of every maze, as `Maze.canonical` gives it, from the kernels."""
        _, rows, columns = self.open.shape
        return _strings(kernels.canonicalise(kernels.render(self.open, self.ends), rows, columns))

    def solve(self) -> list[str]:
        """A shortest path for every maze in letters without spaces, as `Maze.solve` gives it, from the kernels."""
        return _strings(*kernels.solve(self.open, self.ends))

    def facts(self) -> list[Facts]:
        """The facts of every maze, as `Maze.facts` gives them, from the kernels."""
        return [Facts(*row) for row in kernels.facts(self.open, *kernels.solve(self.open, self.ends)).tolist()]


def _strings(codes: np.ndarray, offsets: np.ndarray | None = None) -> list[str]:
    """ASCII codes as Python strings: rows of one length, or texts end to end with their offsets."""
    import pyarrow  # makes them twice as fast as slicing does

    if offsets is None:
        offsets = np.arange(len(codes) + 1) * codes.shape[1]
    if not len(codes):
        return [""] * (len(offsets) - 1)
    buffers = [None, pyarrow.py_buffer(offsets.astype(np.int64)), pyarrow.py_buffer(np.ascontiguousarray(codes))]
    return pyarrow.Array.from_buffers(pyarrow.large_string(), len(offsets) - 1, buffers).to_pylist()


def generate_mazes(
    generator: str, width: int, height: int, count: int, seed: int, braid: float = 0.0, endpoints: str = "random"
) -> MazeBatch:
    """The first `count` mazes of an endless sequence.

    Args:
        generator: one of `GENERATORS`.
        width: size in cells; at least two cells in all.
        height: likewise.
        count: number of mazes.
        seed: any integer; the sequences of different seeds are independent.
        braid: share of dead ends opened, 0-1, so that there are loops.
        endpoints: where start and goal go, one of `ENDPOINTS`.

    Raises:
        ValueError: unknown generator or endpoints, a size, count or share out of range, or more than memory holds.
    """
    _check_size(width, height, count)
    return mazes_at(generator, width, height, np.arange(count), seed, braid, endpoints)


def mazes_at(
    generator: str,
    width: int,
    height: int,
    indices: np.ndarray,
    seed: int,
    braid: float = 0.0,
    endpoints: str = "random",
) -> MazeBatch:
    """The mazes of `generate_mazes` at any indices of the sequence, so that workers can divide it.

    Args:
        indices: integers (n,), not negative.

    Raises:
        ValueError: as `generate_mazes`.
    """
    for what, name, known in (("generator", generator, GENERATORS), ("endpoints", endpoints, ENDPOINTS)):
        if not isinstance(name, str) or name not in known:
            hint = did_you_mean(str(name), known)
            raise ValueError(f"unknown {what} '{name}'; expected one of {', '.join(known)}{hint}")
    _check_size(width, height, len(indices))
    _check_whole("seed", seed)
    if not isinstance(braid, Real) or not 0 <= braid <= 1:
        raise ValueError(f"braid is a share of dead ends, 0-1, not {braid!r}")
    # These are part of the stream: else a maze and its twin with one wall less could be in different splits.
    plain = not braid and endpoints == "random"
    stream = generator if plain else f"{generator}/braid {braid:g}/{endpoints}"
    keys = kernels.item_keys(seed, stream, width, height, indices)
    open_ = GENERATORS[generator](keys, height, width)
    if braid:
        loops.braid(keys, open_, braid)
    return MazeBatch(open_, ENDPOINTS[endpoints](keys, open_))


def memory_bytes() -> float:
    """The memory of this machine; infinite if the system does not report it."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def characters(width: int, height: int) -> int:
    """Characters of a map of `width` x `height` cells, without its line breaks."""
    return (2 * width + 1) * (2 * height + 1)


def _check_whole(name: str, value: Any) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, not {value!r}")


def _check_size(width: int, height: int, count: int) -> None:
    """Refuse what the kernels cannot make, or not in memory.

    Raises:
        ValueError: a number is not whole or out of range, or there is no room for so many mazes.
    """
    for name, value in (("width", width), ("height", height), ("count", count)):
        _check_whole(name, value)
    width, height, count = int(width), int(height), int(count)  # NumPy's would overflow below
    if count < 0:
        raise ValueError(f"count cannot be negative, got {count}")
    if width < 1 or height < 1 or width * height < 2:
        raise ValueError(f"a maze needs at least two cells for its start and goal, not {width}x{height}")
    if (size := characters(width, height)) > MOST_CHARACTERS:
        raise ValueError(f"a map of {width}x{height} cells has {size:,} characters, more than {MOST_CHARACTERS:,}")
    # One byte per character for the map and the text of every maze; four each for one maze's distances and queue.
    needed = size * (2 * count + 8)
    if needed > memory_bytes():
        raise ValueError(
            f"{count:,} mazes of {width}x{height} cells take {needed / 2**30:,.0f} GiB, more than this machine has"
        )
