"""How the rows of a dataset show their mazes: each in a style, drawn by weight.

A row's style depends on the seed and its maze alone, not on its position, so the number of workers does not matter.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pyarrow

from ascii_maze.errors import UsageError
from ascii_maze.mazes import kernels
from ascii_maze.mazes.generators import MazeBatch, mazes_at
from ascii_maze.metrics.path_validity.styles import STYLES, MazeError
from ascii_maze.metrics.path_validity.writing import write

from .config import BuildConfig, Kind, quotas

TRIED = 32  # mazes per kind on which a style is tried before the build


def draw(weights: Mapping[str, float], stream: str, seed: int, kind: Kind, fingerprints: np.ndarray) -> np.ndarray:
    """Draw a name for each row, as positions in `weights`, int64 (n,).

    Args:
        stream: the purpose of the draw; different streams are independent.
        fingerprints: uint64 (n,), of the mazes.
    """
    if len(weights) == 1:
        return np.zeros(len(fingerprints), np.int64)
    keys = kernels.item_keys(seed, stream, kind.width, kind.height, fingerprints)
    ends = np.cumsum(list(weights.values()))
    points = (keys >> np.uint64(11)) * 2.0**-53 * ends[-1]
    return np.minimum(np.searchsorted(ends, points, side="right"), len(ends) - 1)


def texts(codes: np.ndarray, offsets: np.ndarray) -> pyarrow.StringArray:
    """Strings from their concatenated bytes."""
    buffers = [None, pyarrow.py_buffer(offsets.astype(np.int32)), pyarrow.py_buffer(np.ascontiguousarray(codes))]
    return pyarrow.StringArray.from_buffers(len(offsets) - 1, buffers[1], buffers[2])


def show(mazes: MazeBatch, styles: Sequence[str], drawn: np.ndarray) -> pyarrow.StringArray:
    """The text of every maze, each in its style.

    Args:
        drawn: int64 (n,), positions in `styles`.

    Raises:
        MazeError: a maze cannot be written in its style.
    """
    maps, columns, places = mazes.maps(), [], []
    for number, style in enumerate(styles):
        here = np.flatnonzero(drawn == number)
        columns.append(texts(*write(maps[here], style)))
        places.append(here)
    if len(styles) == 1:
        return columns[0]
    return pyarrow.concat_arrays(columns).take(pyarrow.array(np.argsort(np.concatenate(places))))


def check_styles(config: BuildConfig) -> None:
    """Try the styles of cells on some mazes of every kind.

    Raises:
        UsageError: a kind has mazes that cannot be written in a style.
    """
    for style in config.shown:
        if not STYLES[style].cells:
            continue
        for kind in dict.fromkeys(quota.kind for quota in quotas(config)):
            try:
                write(_sample(config.seed, kind, TRIED).maps(), style)
            except MazeError as error:
                raise UsageError(f"{kind}: {error}; leave out the style or '{kind.generator}'") from error


@cache
def text_bytes(styles: tuple[str, ...], seed: int, kind: Kind) -> int:
    """Bytes of a maze of a kind as text, in the longest of some styles."""
    maps = _sample(seed, kind, 1).maps()
    return max(len(write(maps, style)[0]) for style in styles)


def _sample(seed: int, kind: Kind, count: int) -> MazeBatch:
    return mazes_at(kind.generator, kind.width, kind.height, np.arange(count), seed, kind.braid, kind.endpoints)
