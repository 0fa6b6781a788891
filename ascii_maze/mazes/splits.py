"""Which split a maze belongs to: decided by the hash of its canonical form, and by nothing else.

So no maze, turned, mirrored or walked backwards, is in two splits of a dataset; and since the rule does not depend on
a dataset's configuration, no maze that any build holds out is in the training split of another.
"""

import hashlib

import numpy as np

# Upper ends of the hash's range in tenths: eight of ten mazes are for training.
SPLIT_TENTHS = (("train", 8), ("validation", 9), ("test", 10))


def fingerprint(canonical: str) -> int:
    """64-bit BLAKE2b of a maze's canonical form (`Maze.canonical`); equal for all its rotations and reflections."""
    return int.from_bytes(hashlib.blake2b(canonical.encode("ascii"), digest_size=8).digest(), "big")


def fingerprints(canonical: np.ndarray) -> np.ndarray:
    """`fingerprint` of many: uint8 (n, characters) from `kernels.canonicalise` -> uint64 (n,)."""
    text, size = canonical.tobytes(), canonical.shape[1]
    hashes = [hashlib.blake2b(text[k : k + size], digest_size=8).digest() for k in range(0, len(text), size)]
    return np.frombuffer(b"".join(hashes), dtype=">u8").astype(np.uint64)


def split_range(split: str) -> tuple[int, int]:
    """The fingerprints of `train`, `validation` or `test`: from the first number to below the second."""
    names = [name for name, _ in SPLIT_TENTHS]
    ends = [0, *(tenths * 2**64 // 10 for _, tenths in SPLIT_TENTHS)]
    return ends[names.index(split)], ends[names.index(split) + 1]


def split_of(maze_fingerprint: int) -> str:
    """`train`, `validation` or `test`."""
    return next(split for split, _ in SPLIT_TENTHS if maze_fingerprint < split_range(split)[1])
