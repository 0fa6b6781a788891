"""Thoughts are what the algorithms do, replayed here in another way, and what they say is true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze, generate_mazes, score_path
from ascii_maze.mazes.prompts import (
    ANSWER_STYLES,
    LANGUAGES,
    PromptStyle,
    format_completion,
    prompt_messages,
    style_of,
)
from ascii_maze.mazes.reasoning import REASONING, check_thought, longest_thought, think, thought_of, wrap
from ascii_maze.metrics.path_validity.maze import STYLES
from ascii_maze.metrics.path_validity.scoring import parse_moves

from ..metrics.test_maze import maps
from ..metrics.test_styles import lattices
from .replay import REPLAYS, some_mazes

MAZE = Maze.from_ascii("#######\n#S    #\n# # # #\n#   #G#\n#######")
THOUGHTS = {
    "steps": "1,1 DR R\n1,2 LR R\n1,3 DLR R\n1,4 LR R\n1,5 DL D\n2,5 UD D\n3,5 G",
    "search_dfs": "1,1 DR\n1,1 D D R R U U 1,3 DLR\n1,3 L L 1,1 *\n1,3 R R D D 3,5 G",
    "search_bfs": "1,1 S\nD2,1 R1,2\nD3,1 R1,3\nR3,2 D2,3 R1,4\nR3,3 R1,5\nD2,5\nD3,5\n3,5 G",
}


@pytest.mark.parametrize("reasoning", THOUGHTS)
def test_how_each_thought_looks(reasoning):
    assert think(MAZE, reasoning) == THOUGHTS[reasoning]


@pytest.mark.parametrize("reasoning", REPLAYS)
def test_every_trace_is_what_the_algorithm_did_and_all_it_says_is_true(reasoning):
    mazes = some_mazes(2_000)
    unreachable = [maze for maze in mazes if maze.shortest is None]
    assert len(unreachable) > 100
    for maze in mazes:
        thought = think(maze, reasoning)
        assert thought == REPLAYS[reasoning](maze)
        checked = check_thought(maze, wrap(thought, ""))
        assert checked.statements == checked.true > 0
        assert len(longest_thought(maze, reasoning)) >= len(thought)


def test_a_search_that_does_not_stop_goes_everywhere():
    for maze in some_mazes(300, seed=1):
        everywhere = think(maze, "search_dfs", stops=False)
        checked = check_thought(maze, wrap(everywhere, ""))
        assert checked.share == 1
        assert everywhere.count("\n") >= think(maze, "search_dfs").count("\n")


@given(
    st.integers(0, 2**32),
    st.sampled_from(LANGUAGES),
    st.sampled_from(ANSWER_STYLES),
    st.sampled_from(sorted(STYLES)),
    st.sampled_from(sorted(REASONING)),
)
def test_every_combination_of_styles_is_understood(seed, language, answer, style, reasoning):
    maze, other = generate_mazes("wilson", 4, 3, 2, seed)
    form = PromptStyle(language, style, answer, reasoning)
    text = format_completion(maze, maze.solve(), form, other)
    assert parse_moves(text, maze.start) == maze.solve()
    assert score_path(maze, text).optimal
    assert style_of(prompt_messages(maze, form)) == form
    assert (thought_of(text) is None) == (reasoning == "none")
    assert (check_thought(maze, text) or (0, 0, 0))[1] == 0 or reasoning != "none"


def test_another_mazes_search_before_the_right_answer():
    mazes = generate_mazes("depth_first", 5, 5, 100, 0)
    corrupt = PromptStyle(reasoning="corrupt")
    shares = []
    for maze, other in zip(mazes, [*list(mazes)[1:], mazes[0]]):
        text = format_completion(maze, maze.solve(), corrupt, other)
        assert score_path(maze, text).optimal
        assert check_thought(other, text).share == 1
        shares.append(check_thought(maze, text).share)
    assert max(shares) < 1
    with pytest.raises(ValueError, match="give one"):
        format_completion(mazes[0], "R", corrupt)


@pytest.mark.parametrize(
    ("thought", "statements", "true"),
    [
        ("1,1 DR", 1, 1),
        ("1,1 R", 1, 0),  # a wall where there is none
        ("1,1 UDR", 1, 0),  # none where there is one
        ("0,0 DR", 1, 0),  # not even open ground
        ("9,9 -", 1, 0),
        ("1,1 S", 1, 1),
        ("1,1 G", 1, 0),
        ("1,1 DR R", 2, 2),
        ("1,1 DR L", 2, 1),
        ("1,1 DR R\n1,2 LR R", 4, 4),
        ("1,1 DR R\n1,3 DLR R", 4, 3),  # where the move does not lead
        ("1,1 R R 1,3 DLR", 2, 2),
        ("1,1 R R 1,3 DR", 2, 1),
        ("1,1 R R R 1,3 DLR", 2, 1),
        ("1,1 U R R 1,3 DLR", 2, 1),
        ("1,1 R R 1,3 *", 2, 1),
        ("1,1 R R 1,3 DLR\n1,3 L L 1,1 *", 4, 4),
        ("3,5 U U 1,5 G", 2, 1),
        ("1,1 S\nD2,1 R1,2\nD3,1 R1,3", 5, 5),
        ("1,1 S\nD2,1 R1,3\nD3,1 D4,1", 5, 3),
        ("R1,2", 1, 0),  # from nowhere
        ("I go right, then down.\n1,1 DR\n1,1 DRX", 1, 1),
        ("well", 0, 0),
    ],
)
def test_what_a_thought_says_is_checked_line_by_line(thought, statements, true):
    found = check_thought(MAZE, f"<think>\n{thought}\n</think>\nR R D D")
    assert found == (len(thought), statements, true)
    assert found.share == (true / statements if statements else None)


@pytest.mark.parametrize(
    ("completion", "thought"),
    [
        ("R R", None),
        ("<think>\n\n</think>\n\nR R", None),
        ("<think>a</think>R", "a"),
        ("Sure. <think>\na\nb\n</think>\nR", "a\nb"),
        ("a\n</think>R", "a"),  # the prompt has opened it
        ("<think>a</think>b</think>R", "a</think>b"),
        ("<think>a", "a"),
        ("[THINK]a[/THINK]R", "a"),
        ("<Think>a</THINK>R", "a"),
        ("<THOUGHT>a", "a"),
        ("R R <Thought>: a", None),
        ([{"role": "assistant", "content": "<think>a</think>R"}], "a"),
        (None, None),
    ],
)
def test_what_is_a_thought(completion, thought):
    assert thought_of(completion) == thought


@given(maps().map(Maze.from_ascii) | lattices(), st.text("0123,. UDLRSG*-\n", max_size=80))
def test_any_thought_is_checked(maze, text):
    found = check_thought(maze, f"<think>{text}")
    assert found is None or 0 <= found.true <= found.statements
