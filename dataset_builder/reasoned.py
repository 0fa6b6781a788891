"""Answers preceded by a thought, made as whole arrays like the other columns."""

from collections.abc import Sequence

import numpy as np
import pyarrow
import pyarrow.compute

from ascii_maze.errors import UsageError
from ascii_maze.mazes import thoughts
from ascii_maze.mazes.generators import MazeBatch
from ascii_maze.mazes.reasoning import AFTER_PATH, BEFORE_PATH, BEFORE_THOUGHT

from .styled import texts

KINDS = {"steps": thoughts.STEPS, "search_dfs": thoughts.DEPTH_FIRST, "search_bfs": thoughts.BREADTH_FIRST}
# Takes the search of another row's maze, so it is filled in once all rows are together.
OTHERS = "corrupt"


def think(
    mazes: MazeBatch, letters: np.ndarray, offsets: np.ndarray, reasoning: Sequence[str], drawn: np.ndarray
) -> pyarrow.StringArray:
    """The thought of every maze, in its way of reasoning; empty for `none` and `corrupt`.

    Args:
        letters, offsets: the mazes' shortest paths, from `kernels.solve`.
        drawn: int64 (n,), positions in `reasoning`.
    """
    columns, places = [], []
    for number, name in enumerate(reasoning):
        here = np.flatnonzero(drawn == number)
        if name in KINDS:
            columns.append(_thoughts(KINDS[name], mazes, here, letters, offsets))
        else:
            columns.append(pyarrow.array([""] * len(here), pyarrow.string()))
        places.append(here)
    return pyarrow.concat_arrays(columns).take(pyarrow.array(np.argsort(np.concatenate(places))))


def search(mazes: MazeBatch) -> pyarrow.StringArray:
    """The depth-first search of every maze."""
    return _thoughts(thoughts.DEPTH_FIRST, mazes, np.arange(len(mazes)), np.empty(0, np.uint8), np.zeros(1, np.int64))


def _thoughts(kind, mazes, here, letters, offsets) -> pyarrow.StringArray:
    if kind == thoughts.STEPS:  # the paths of some mazes, end to end
        lengths = np.diff(offsets)
        letters = letters[np.repeat(np.isin(np.arange(len(lengths)), here), lengths)]
        offsets = np.concatenate([[0], lengths[here]]).cumsum()
    return texts(*thoughts.think(kind, mazes.open[here], mazes.ends[here], letters, offsets, 0, True))


def others_of(widths: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """For each row the index of another one, int64 (n,): the next of the same size, or of any size if there is none.

    Raises:
        UsageError: there is only one row.
    """
    count = len(widths)
    if count == 1:
        raise UsageError("'corrupt' needs another maze of the split, and there is only one; ask for more rows")
    sizes = widths.astype(np.int64) << 32 | heights
    order = np.argsort(sizes, kind="stable")
    ordered = sizes[order]
    following = np.roll(order, -1)
    last = ordered != np.roll(ordered, -1)
    following[last] = order[np.searchsorted(ordered, ordered[last])]
    others = np.empty(count, np.int64)
    others[order] = following
    alone = others == np.arange(count)
    others[alone] = (np.flatnonzero(alone) + 1) % count
    return others


def answers(paths: pyarrow.StringArray, thought: pyarrow.StringArray, thinks: np.ndarray) -> pyarrow.StringArray:
    """Complete answers: the paths, preceded by their thoughts in rows that have one.

    Args:
        thinks: bool (n,), the rows with a thought.
    """
    if not thinks.any():
        return paths
    whole = pyarrow.compute.binary_join_element_wise(BEFORE_THOUGHT, thought, BEFORE_PATH, paths, AFTER_PATH, "")
    return pyarrow.compute.if_else(pyarrow.array(thinks), whole, paths)
