import hashlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascii_maze import Maze, MazeError, generate_mazes
from ascii_maze.mazes import kernels
from ascii_maze.mazes.generators import ENDPOINTS, GENERATORS, mazes_at
from ascii_maze.metrics.path_validity.styles import STYLES

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda size: size[0] * size[1] > 1)


@settings(max_examples=40)
@given(st.sampled_from(sorted(GENERATORS)), sizes, st.integers(0, 2**63), st.sampled_from([0, 0.5]))
def test_batches_agree_with_mazes_one_by_one(generator, size, seed, braid):
    batch = generate_mazes(generator, *size, 8, seed, braid)
    for style in STYLES:
        try:
            one_by_one = [maze.to_ascii(style) for maze in batch]
        except MazeError as error:
            with pytest.raises(MazeError, match=re.escape(str(error))):
                batch.to_ascii(style)
        else:
            assert batch.to_ascii(style) == one_by_one
    assert batch.solve() == [maze.solve() for maze in batch]
    assert batch.facts() == [maze.facts() for maze in batch]
    assert batch.canonical() == [maze.canonical() for maze in batch]


def test_a_maze_is_a_pure_function_of_seed_generator_size_and_index():
    whole = generate_mazes("depth_first", 5, 5, 100, seed=3).to_ascii()
    assert mazes_at("depth_first", 5, 5, np.array([70, 3, 70]), seed=3).to_ascii() == [whole[70], whole[3], whole[70]]
    digest = hashlib.sha256("\n".join(whole).encode()).hexdigest()
    assert digest == "2cf7ef649631595528c87a96fb41894b773c445b359d6005caf7d5bc77e5a847"


def test_neighbouring_seeds_and_sizes_share_nothing():
    keys = [
        kernels.item_keys(seed, generator, width, 5, np.arange(1000))
        for seed, generator, width in ((0, "a", 5), (1, "a", 5), (0, "b", 5), (0, "a", 6))
    ]
    assert len(np.unique(np.concatenate(keys))) == 4000


def test_a_maze_has_no_twin_in_another_sequence():
    """With a wall less, or with start and goal elsewhere: those would leak from one split into another."""
    plain = generate_mazes("wilson", 6, 6, 100, seed=0)
    for options in ({"braid": 0.1}, {"endpoints": "corners"}, {"braid": 0.1, "endpoints": "corners"}):
        other = generate_mazes("wilson", 6, 6, 100, seed=0, **options)
        assert (plain.open != other.open).mean(axis=(1, 2)).min() > 0.02


def test_carving_is_not_biased_to_a_direction():
    """Each of the 4 walls of the middle cell of 3x3 is open equally often, within 5 standard deviations."""
    mazes = generate_mazes("depth_first", 3, 3, 20_000, seed=0)
    opened = [mazes.open[:, row, column].mean() for row, column in ((2, 3), (4, 3), (3, 2), (3, 4))]
    assert np.ptp(opened) < 5 * np.sqrt(0.25 / 20_000) * np.sqrt(2)


def test_start_and_goal_are_uniform_and_different():
    mazes = generate_mazes("depth_first", 2, 2, 24_000, seed=1)
    pairs, counts = np.unique(mazes.ends, axis=0, return_counts=True)
    assert len(pairs) == 12
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(2000)


@settings(max_examples=40)
@given(st.sampled_from(sorted(GENERATORS)), sizes, st.integers(0, 2**63), st.sampled_from(sorted(ENDPOINTS)))
def test_start_and_goal_are_two_open_cells_with_a_way(generator, size, seed, endpoints):
    for maze in generate_mazes(generator, *size, 4, seed, endpoints=endpoints):
        assert maze.solve()
        assert all(place % 2 for place in (*maze.start, *maze.goal))


@settings(max_examples=20)
@given(sizes, st.integers(0, 2**63))
def test_far_ends_of_a_perfect_maze_are_its_diameter(size, seed):
    maze = generate_mazes("prim", *size, 1, seed, endpoints="far")[0]
    cells = [(row, column) for row, column in maze.distances if row % 2 and column % 2]
    diameter = max(max(Maze(maze.rows, maze.start, cell).distances[other] for other in cells) for cell in cells)
    assert len(maze.solve()) == diameter


def test_corners_are_opposite_and_all_four_ways_round():
    pairs = {(maze.start, maze.goal) for maze in generate_mazes("wilson", 4, 3, 100, 0, endpoints="corners")}
    top_left, top_right, bottom_left, bottom_right = (1, 1), (1, 7), (5, 1), (5, 7)
    diagonals = [(top_left, bottom_right), (top_right, bottom_left)]
    assert pairs == {*diagonals, *((goal, start) for start, goal in diagonals)}


def test_batch_is_a_sequence():
    batch = generate_mazes("depth_first", 3, 2, 5, seed=0)
    assert len(batch) == 5
    assert len(batch[1:3]) == 2
    assert batch[1:3][0] == batch[1]
    assert batch[-1] == list(batch)[4]
    assert isinstance(batch[0], Maze)
    with pytest.raises(IndexError):
        batch[5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("depth_frist", 3, 3, 1, 0), "unknown generator 'depth_frist'.*did you mean 'depth_first'"),
        (("depth_first", 1, 1, 1, 0), "at least two cells"),
        (("depth_first", 0, 5, 1, 0), "at least two cells"),
        (("depth_first", 3, 3, -1, 0), "count cannot be negative"),
        (("depth_first", 3, 3, 1, 0, 1.5), "braid is a share of dead ends, 0-1, not 1.5"),
        (("depth_first", 3, 3, 1, 0, 0.0, "corner"), "unknown endpoints 'corner'.*did you mean 'corners'"),
        ((7, 3, 3, 1, 0), "unknown generator '7'"),
        (("depth_first", 5.0, 3, 1, 0), "width must be a whole number, not 5.0"),
        (("depth_first", 3, "3", 1, 0), "height must be a whole number, not '3'"),
        (("depth_first", 3, True, 1, 0), "height must be a whole number, not True"),
        (("depth_first", 3, 3, 1.0, 0), "count must be a whole number, not 1.0"),
        (("depth_first", 3, 3, 1, None), "seed must be a whole number, not None"),
        (("depth_first", 3, 3, 1, 0, "0.5"), "braid is a share of dead ends, 0-1, not '0.5'"),
        (
            ("depth_first", 10**8, 1, 1, 0),
            "a map of 100000000x1 cells has 600,000,003 characters, more than 16,777,216",
        ),
        (("depth_first", np.int64(2**62), 3, 1, 0), "cells has .* characters, more than"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        generate_mazes(*arguments)


def test_solving_a_map_without_a_way():
    open_ = np.zeros((1, 3, 5), dtype=np.uint8)
    open_[0, 1, [1, 3]] = 1
    letters, offsets = kernels.solve(open_, np.array([[6, 8]], dtype=np.int32))
    assert letters.size == 0
    assert offsets.tolist() == [0, 0]
    assert kernels.facts(open_, letters, offsets)[0, 0] == -1
