"""The lenient reading, on answers as models write them: `answers_in_the_wild.txt`, to which the next one is added."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze, MazeError, score_path
from ascii_maze.metrics.path_validity.bulk import lenient_columns, score_columns
from ascii_maze.metrics.path_validity.lenient import Lenient, parse_lenient, score_lenient
from ascii_maze.metrics.path_validity.scoring import parse_moves

from .test_maze import maps

LOOP = "#####\n#S  #\n# # #\n#  G#\n#####"
START = (1, 1)


def answers_in_the_wild() -> Iterator[tuple[str, str | None, bool, str]]:
    """Of each case its note, its path, whether that is found, and the answer."""
    for case in Path(__file__).with_name("answers_in_the_wild.txt").read_bytes().decode().split("\n=== ")[1:]:
        head, _, answer = case.partition("\n")
        path, _, note = head.partition(" ")
        yield note, None if path == "-" else path.removeprefix("~"), not path.startswith("~"), answer


WILD = list(answers_in_the_wild())


def test_there_are_many_answers_of_many_kinds():
    assert len(WILD) >= 600
    assert len({note for note, *_ in WILD}) == len(WILD)
    assert sum(path is None for _, path, _, _ in WILD) >= 250


@pytest.mark.parametrize(("note", "path", "found", "answer"), [pytest.param(*case, id=case[0]) for case in WILD])
def test_an_answer_in_the_wild_gives_its_path(note, path, found, answer):
    assert parse_lenient(answer, START) == (path if found else None)


def test_precision_is_one_and_recall_is_high():
    """Over the whole table: what is given is right, and nearly all that is there is given."""
    given_and_there = [(parse_lenient(answer, START), path) for _, path, _, answer in WILD]
    assert all(path == given_path for given_path, path in given_and_there if given_path)
    there = [given_path for given_path, path in given_and_there if path]
    assert sum(map(bool, there)) / len(there) >= 0.95


MOVES = ["R", "D D", "RR", "→", "↓", "right", "para cima", "(1,1)", "(1,2)", "➡️", "r"]
AROUND = [" ", ",", "\n", "**", "2", "or", "...", "1. ", "Answer:", "not", "#", "S", "[", ")"]
TAGS = ["<think>", "</think>", "<answer>", "</answer>", "\\boxed{", "}"]
PIECES = st.sampled_from(MOVES + AROUND + TAGS)
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.lists(PIECES, max_size=12).map(" ".join) | st.text()
PATHS = st.text("UDLR", min_size=1, max_size=12)
FORMS = st.sampled_from(
    ["{}", "{} \n", "<think>no</think>{}", "So <answer> {} </answer>.", "<answer>U</answer> or <answer>{}</answer>"]
)
JOINS = st.sampled_from(["", " ", ", ", "\n", " → "])


@given(PATHS, JOINS, FORMS)
def test_whatever_strict_reads_lenient_reads_alike(path, join, form):
    answer = form.format(join.join(path))
    assert parse_moves(answer) == parse_lenient(answer) == path


@given(TEXTS)
def test_any_text_has_a_reading_and_strict_ones_stay(text):
    lenient, strict = parse_lenient(text, START), parse_moves(text, START)
    assert lenient is None or set(lenient) <= set("UDLR") != set()
    assert strict in (None, lenient)


def test_names_of_the_four_moves_are_a_path_only_where_strict_reads_them():
    assert parse_lenient("U D L R") == parse_moves("U D L R") == "UDLR"
    assert parse_lenient("The moves: U D L R") is None


@given(st.lists(st.tuples(maps(), TEXTS), max_size=6))
def test_in_bulk_it_says_what_it_says_of_each(pairs):
    mazes, answers = [maze for maze, _ in pairs], [answer for _, answer in pairs]
    columns = lenient_columns(mazes, answers, score_columns(mazes, answers))
    together = list(zip(columns["parsed_lenient"].tolist(), columns["valid_lenient"].tolist()))
    assert together == [score_lenient(maze, answer) for maze, answer in pairs]
    assert together == [score_lenient(maze, answer, score_path(maze, answer)) for maze, answer in pairs]


def test_a_path_in_a_sentence_is_scored_beside_the_strict_reading():
    answer = "The shortest path is **R R D D**."
    assert not score_path(LOOP, answer).parsed
    assert score_lenient(LOOP, answer) == score_lenient(Maze.from_ascii(LOOP), answer) == Lenient(True, True)
    assert score_lenient(LOOP, "The path is **U U**.") == (True, False)
    assert score_lenient(LOOP, [{"role": "assistant", "content": answer}]) == (True, True)
    assert score_lenient(LOOP, None) == (False, False)
    with pytest.raises(MazeError):
        score_lenient("S", answer)


LONG = [
    "R ",
    "(1,1) ",
    "( 1",
    "R999 ",
    "1. R\n",
    "R\n",
    "\\boxed{",
    "<answer>",
    "path ",
    "The path is R R D D. ",
    "-=",
]
LONG += [
    "'",
    "two steps to the ",
    "np.int64(",
    "\nuser",
    "→ ",
    "e ",
    "# ",
    "\n",
    " ",
    "R or ",
    "**R** ",
    "right 2, ",
    "~~",
    "~~a",
    "<s>",
    "⇒ ",
    "1. R R\n",
    "right → ",
]


# What is looked at only after a path, or before one.
LONG += [
    ("R R D D. ", "it ends ", ""),
    ("R R D D. It ends", " at (3,2)", ", not"),
    ("R R D D", "\n ", "."),
    ("Path:", " start", " R R D D"),
    ("Path: start", " → a", " R R D D"),
    ("", "<Think>", ""),
    ("<Think>", "</THINK>", "<"),
]


@pytest.mark.parametrize("text", LONG)
def test_a_long_odd_text_takes_no_more_than_it_should(text):
    """It ends; a search that grew with the square of the text would take minutes."""
    before, again, after = ("", text, "x") if isinstance(text, str) else text
    parse_lenient(before + again * (30_000 // len(again)) + after, START)
