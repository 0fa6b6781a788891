import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze, MazeError, PathScore, score_path
from ascii_maze.metrics.path_validity.bulk import CHUNK, LONGEST, score_columns, score_paths
from ascii_maze.metrics.path_validity.maze import STYLES
from ascii_maze.training.rewards import judge

from .test_maze import maps

LOOP = "#####\n#S  #\n# # #\n#  G#\n#####"
PATHS = st.text("UDLR ,\n", max_size=30)
TEXTS = st.text(st.characters(), max_size=12)
ANSWERS = st.one_of(
    PATHS, TEXTS, st.sampled_from(["<answer>R</answer>", "→ ↓", "right", "\0", "R\0R", "\ud800", "", " "])
)
PIECES = st.sampled_from(
    [
        "<think>",
        "</think>",
        "[THINK]",
        "[/THINK]",
        "<answer>",
        "</answer>",
        "R",
        "D R",
        "→",
        "↓",
        "right",
        "(1,1)",
        " ",
        ",",
    ]
)
MIXED = st.lists(PIECES, max_size=8).map("".join)
FORMS = st.sampled_from(
    [str, lambda text: [text], lambda text: [{"role": "assistant", "content": text}], lambda _: None]
)


@given(st.lists(st.tuples(maps(), ANSWERS), max_size=12), st.lists(st.sampled_from([None, 7, b"R"]), max_size=2))
def test_of_any_maps_and_answers_it_says_what_score_path_says(pairs, others):
    mazes = [maze for maze, _ in pairs] + [LOOP] * len(others)
    answers = [answer for _, answer in pairs] + others
    assert score_paths(mazes, answers) == [
        score_path(maze, answer) for maze, answer in zip(mazes, answers, strict=True)
    ]


@given(st.lists(st.tuples(maps(), ANSWERS | MIXED, FORMS), max_size=6))
def test_all_readers_agree_on_thoughts_answers_arrows_and_messages(cases):
    mazes, answers = [maze for maze, _, _ in cases], [form(answer) for _, answer, form in cases]
    scores = score_paths(mazes, answers)
    assert scores == [score_path(maze, answer) for maze, answer in zip(mazes, answers, strict=True)]
    earned = [judge(maze, answer) for maze, answer in zip(mazes, answers, strict=True)]
    assert [score.valid for score in scores] == [terms.validity == 1 for terms in earned]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_every_way_to_write_a_map_is_taken(style, end):
    text = Maze.from_ascii(LOOP).to_ascii(style).replace("\n", "\r\n" if end == "\r\n" else "\n") + end
    answers = ["R R D D", "D D R", "R D"]
    assert score_paths([text] * 3, answers) == [score_path(LOOP, answer) for answer in answers]


def test_a_map_of_one_row_and_one_with_its_break_in_front():
    assert score_paths(["S G", "SG"], ["R R", "R"]) == [score_path("S G", "R R"), score_path("SG", "R")]
    assert score_paths(["\nSG"], ["R"]) == [score_path("SG", "R")]


def test_more_answers_than_a_chunk_and_longer_ones_than_most():
    answers = ["R R D D", "R L " * LONGEST, "U" * (LONGEST + 1), "D D R R D"] * (CHUNK // 2)
    few = [score_path(LOOP, answer) for answer in answers[:4]]
    assert score_paths([LOOP] * len(answers), answers) == few * (CHUNK // 2)


@given(st.lists(maps(), max_size=4), TEXTS, st.lists(maps(), max_size=4))
def test_the_first_text_that_is_no_maze_is_named(before, bad, after):
    with pytest.raises(MazeError) as alone:
        score_path(bad, "R")
    mazes = [*before, bad, *after, bad]
    with pytest.raises(MazeError) as together:
        score_paths(mazes, ["R"] * len(mazes))
    assert (together.value.index, str(together.value)) == (len(before), str(alone.value))


def test_columns_are_typed():
    columns = score_columns([LOOP, LOOP], ["R R D D", "no idea"])
    assert set(columns) == set(PathScore.__dataclass_fields__)
    kinds = {name: column.dtype.kind for name, column in columns.items()}
    assert (kinds["valid"], kinds["wall_hits"], kinds["progress"]) == ("b", "i", "f")
    assert columns["excess_moves"].tolist() == [0, -1]
    assert score_paths([], []) == []
