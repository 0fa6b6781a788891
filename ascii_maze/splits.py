"""Which split a maze belongs to: decided by the hash of its canonical form, and by nothing else.

So no maze, turned, mirrored or walked backwards, is in two splits of a dataset; and since the rule does not depend on
a dataset's configuration, no maze that any build holds out is in the training split of another.
"""

import hashlib

# Upper ends of the hash's range, 0-1: eight tenths of all mazes are for training.
SPLIT_BOUNDS = (("train", 0.8), ("validation", 0.9), ("test", 1.0))


def fingerprint(canonical: str) -> int:
    """64-bit BLAKE2b of a maze's canonical form (`Maze.canonical`); equal for all its rotations and reflections."""
    return int.from_bytes(hashlib.blake2b(canonical.encode("ascii"), digest_size=8).digest(), "big")


def split_of(maze_fingerprint: int) -> str:
    """`train`, `validation` or `test`."""
    share = maze_fingerprint / 2**64
    return next(split for split, bound in SPLIT_BOUNDS if share < bound or split == "test")
