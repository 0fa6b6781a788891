import pytest

from ascii_maze.errors import LONGEST, AsciiMazeError, one_line, reason


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no file 'x'", "no file 'x'"),
        ("two\nlines\r\nand a tab\t.", "two lines and a tab ."),
        ("a name \x1b[31m", "a name \\x1b[31m"),
        ("bidi \u202e", "bidi \\u202e"),
        ("x" * 9_000, "x" * (LONGEST // 2) + " ... " + "x" * (LONGEST // 2)),
    ],
)
def test_an_error_is_one_line_that_steers_no_terminal(said, shown):
    assert one_line(AsciiMazeError(said)) == shown


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("first\nsecond"), "first"), (ValueError("\n  \n late"), "late"), (KeyError(), "KeyError")],
)
def test_a_library_s_reason_is_its_first_line_or_its_type(error, said):
    assert reason(error) == said
