"""Assigns mazes to splits, by a hash of their canonical form alone.

Two rules, by name (`SPLIT_BY`). `layout` hashes the map without start and goal, so that no layout, up to rotation
and reflection, is in two splits, regardless of start and goal. `maze`, the older rule, includes start and goal: no
maze, up to rotation, reflection and reversal, is in two splits, but the same walls with another start or goal may be.
Small mazes have few layouts, and a model that has seen a layout has seen most of the maze.

A maze's *mark* is 64 bits that all its variants share and that determine its split. Since neither rule depends on a
dataset's configuration, no maze that a build holds out is in the training split of another one of the same rule.
"""

import hashlib

import numpy as np

from ..metrics.path_validity.maze import GOAL, OPEN, START, Maze
from . import kernels

# Upper ends of the splits' hash ranges, in tenths: eight tenths of the mazes, or layouts, are for training.
SPLIT_TENTHS = (("train", 8), ("validation", 9), ("test", 10))
SPLIT_BY = ("layout", "maze")
# By `layout` a mark is the first half of the layout's hash and the second half of the maze's.
_HALF = 32


def fingerprint(canonical: str) -> int:
    """64-bit BLAKE2b of a canonical form (`Maze.canonical`, `Maze.layout`); equal for all its variants."""
    return int.from_bytes(hashlib.blake2b(canonical.encode("ascii"), digest_size=8).digest(), "big")


def fingerprints(canonical: np.ndarray) -> np.ndarray:
    """Batched `fingerprint`: uint8 (n, characters) from `kernels.canonicalise` -> uint64 (n,)."""
    text, size = canonical.tobytes(), canonical.shape[1]
    hashes = [hashlib.blake2b(text[k : k + size], digest_size=8).digest() for k in range(0, len(text), size)]
    return np.frombuffer(b"".join(hashes), dtype=">u8").astype(np.uint64)


def mark_of(maze: Maze, split_by: str) -> int:
    """The mark of a maze by one of `SPLIT_BY`."""
    mark = fingerprint(maze.canonical())
    if split_by == "maze":
        return mark
    return fingerprint(maze.layout()) >> _HALF << _HALF | mark & (2**_HALF - 1)


def marks_of(open_: np.ndarray, ends: np.ndarray, split_by: str) -> np.ndarray:
    """Batched `mark_of`.

    Args:
        open_: uint8 (n, rows, columns), 1 where a walker may stand.
        ends: int32 (n, 2), flat positions of start and goal.

    Returns:
        uint64 (n,).
    """
    _, rows, columns = open_.shape
    text = kernels.render(open_, ends)
    marks = fingerprints(kernels.canonicalise(text, rows, columns))
    if split_by == "maze":
        return marks
    layouts = layouts_of(layout_fingerprints(text, rows, columns))
    return layouts << np.uint64(_HALF) | marks & np.uint64(2**_HALF - 1)


def layout_fingerprints(text: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Batched `fingerprint` of `Maze.layout`: uint8 (n, characters) from `kernels.render` -> uint64 (n,)."""
    ends = (text == ord(START)) | (text == ord(GOAL))
    return fingerprints(kernels.canonicalise(np.where(ends, np.uint8(ord(OPEN)), text), rows, columns))


def layouts_of(marks: np.ndarray) -> np.ndarray:
    """The part of marks by `layout`, or of fingerprints of layouts, that identifies the layout, uint64 (n,)."""
    return marks >> np.uint64(_HALF)


def split_range(split: str, split_by: str) -> tuple[int, int]:
    """The marks of `train`, `validation` or `test`: from the first number up to the second, exclusive."""
    names = [name for name, _ in SPLIT_TENTHS]
    ends = [0, *(whole_layouts(tenths * 2**64 // 10, split_by) for _, tenths in SPLIT_TENTHS)]
    return ends[names.index(split)], ends[names.index(split) + 1]


def whole_layouts(mark: int, split_by: str) -> int:
    """A bound among marks, lowered so that no layout has marks on both sides of it; unchanged for `maze`."""
    return mark >> _HALF << _HALF if split_by == "layout" else mark


def split_of(mark: int, split_by: str) -> str:
    """`train`, `validation` or `test`."""
    return next(split for split, _ in SPLIT_TENTHS if mark < split_range(split, split_by)[1])
