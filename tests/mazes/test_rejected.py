from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascii_maze import generate_mazes, score_path
from ascii_maze.mazes import kernels
from ascii_maze.mazes import rejected as rejections
from ascii_maze.mazes.generators import GENERATORS
from ascii_maze.mazes.rejected import KINDS, reject
from ascii_maze.metrics.path_validity.scoring import score_moves


def test_the_kernels_numbers_are_the_positions_of_the_kinds():
    assert [getattr(rejections, kind.upper()) for kind in KINDS] == list(range(len(KINDS)))


sizes = st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda size: size[0] * size[1] > 1)


def rejected(generator, width, height, count, seed, weights, braid=0.0):
    """Mazes, their rejected answers in letters, and the kinds of these."""
    mazes = generate_mazes(generator, width, height, count, seed, braid)
    keys = kernels.item_keys(seed, "rejected", width, height, np.arange(count))
    letters, offsets, kinds = reject(mazes, *kernels.solve(mazes.open, mazes.ends), keys, weights)
    text = letters.tobytes().decode()
    answers = [text[start:end] for start, end in pairwise(offsets)]
    return mazes, answers, [list(KINDS)[kind] for kind in kinds]


@settings(max_examples=150)
@given(st.sampled_from(sorted(GENERATORS)), sizes, st.integers(0, 2**63), st.sampled_from([0, 0.5]),
       st.sampled_from([*KINDS, None]))  # fmt: skip
def test_every_rejected_answer_is_worse_than_the_chosen_one(generator, size, seed, braid, only):
    weights = dict.fromkeys(KINDS, 1.0) if only is None else {only: 1.0}
    for maze, answer, kind in zip(*rejected(generator, *size, 16, seed, weights, braid)):
        assert kind in ("stops_short", *weights)
        chosen, score = score_path(maze, " ".join(maze.solve())), score_path(maze, answer)
        assert chosen.optimal
        assert not score.optimal
        assert score.valid == (kind == "loops")
        assert score.parsed == (kind != "garbage")


def test_kinds_are_what_their_names_say():
    for kind in KINDS:
        mazes, answers, kinds = rejected("prim", 5, 5, 300, 7, {kind: 1.0})
        share = np.mean([name == kind for name in kinds])
        assert share > (0.8 if kind == "dead_end" else 0.95), kind
        for maze, answer, name in zip(mazes, answers, kinds):
            if name != kind:
                continue
            path, score = maze.solve(), score_path(maze, answer)
            if kind == "wall":
                assert score.wall_hits
                parted = next(k for k, (a, b) in enumerate(zip(path + "?", answer)) if a != b)
                assert score.legal_prefix == parted / len(answer)
            elif kind == "dead_end":
                assert score.legal
                assert not score.reaches_goal
                end = walk(maze, answer)
                assert len(maze.neighbours(*end)) == 1
            elif kind == "stops_short":
                assert path.startswith(answer)
                assert len(answer) < len(path)
            elif kind == "overshoots":
                assert answer.startswith(path)
                assert len(answer) == len(path) + 2
            elif kind == "loops":
                assert score.excess_moves == 4
            elif kind == "swapped_axes":
                assert answer == path.translate(str.maketrans("UDLR", "LRUD"))
            else:
                assert answer in maze.rows


def walk(maze, moves):
    """Where a legal walk ends."""
    here = maze.start
    for move in moves:
        here = dict(maze.neighbours(*here))[move]
    return here


def test_a_cut_through_a_wall_arrives_where_walls_do_not_count():
    mazes, answers, kinds = rejected("depth_first", 6, 6, 200, 0, {"wall": 1.0})
    for maze, answer in ((maze, answer) for maze, answer, kind in zip(mazes, answers, kinds) if kind == "wall"):
        row, column = maze.start
        row += answer.count("D") - answer.count("U")
        column += answer.count("R") - answer.count("L")
        assert (row, column) == maze.goal
        assert score_moves(maze, answer).wall_hits >= 1


def test_kinds_come_as_often_as_their_weights_say():
    weights = {"wall": 3.0, "loops": 1.0, "garbage": 1.0}
    _, _, kinds = rejected("kruskal", 6, 6, 10_000, 0, weights)
    shares = {kind: kinds.count(kind) / 10_000 for kind in set(kinds)}
    assert shares.keys() == weights.keys()
    for kind, weight in weights.items():
        assert shares[kind] == pytest.approx(weight / 5, abs=0.02)


def test_wrong_turns_are_taken_at_every_junction():
    """Where the answer leaves the path is spread over it, not always the first junction."""
    mazes, answers, kinds = rejected("prim", 8, 8, 500, 0, {"dead_end": 1.0})
    places = [
        next(k for k, (a, b) in enumerate(zip(maze.solve() + "?" * 99, answer)) if a != b) / len(maze.solve())
        for maze, answer, kind in zip(mazes, answers, kinds)
        if kind == "dead_end"
    ]
    assert 0.3 < np.mean(places) < 0.6
    assert np.std(places) > 0.2
