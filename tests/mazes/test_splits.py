import numpy as np

from ascii_maze import generate_mazes
from ascii_maze.mazes.splits import fingerprint, split_of


def test_shares_are_as_stated():
    marks = map(fingerprint, set(generate_mazes("depth_first", 6, 6, 20_000, 0).canonical()))
    names, counts = np.unique([split_of(mark) for mark in marks], return_counts=True)
    share = dict(zip(names.tolist(), counts / counts.sum(), strict=True))
    assert abs(share["train"] - 0.8) < 0.015
    assert abs(share["test"] - 0.1) < 0.011
    assert abs(share["validation"] - 0.1) < 0.011


def test_the_ends_of_the_range_belong_to_a_split():
    assert split_of(0) == "train"
    assert split_of(2**64 - 1) == "test"


def test_the_rule_is_pinned():
    """Changing the hash would move held-out mazes into training: the embedded model has seen what is training now."""
    assert fingerprint("SG") == 7545211529227509371
