"""Mazes by seed, for training in environments without a dataset."""

import numpy as np

from ..mazes.generators import mazes_at
from ..mazes.splits import mark_of, split_of


def maze_of_seed(
    seed: int, generator: str = "depth_first", width: int = 5, height: int = 5, split: str = "train"
) -> str:
    """The maze of a seed as text, the same on all machines; datasets split by layout have its layout in no other
    split.

    Args:
        seed: any integer.
        generator, width, height: as `generate_mazes` takes them.
        split: `train`, `validation` or `test`; see `mazes.splits`.

    Raises:
        ValueError: as `generate_mazes`, or an unknown split.
    """
    if split not in ("train", "validation", "test"):
        raise ValueError(f"unknown split '{split}'; expected train, validation or test")
    # Small sizes have few layouts, which may all be in other splits.
    for index in range(1_000):
        (maze,) = mazes_at(generator, width, height, np.array([index]), seed)
        if split_of(mark_of(maze, "layout"), "layout") == split:
            return maze.to_ascii()
    raise ValueError(f"no {width}x{height} maze by {generator} is in split '{split}'; take larger ones")
