import pytest

from ascii_maze import errors
from ascii_maze.errors import LONGEST, AsciiMazeError, Interrupted, complain, one_line, reason


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
    ("error", "shown"),
    [
        (OSError("a library's own words"), "a library's own words"),
        (OSError(36, "File name too long", "x" * 9), "xxxxxxxxx: File name too long"),
        (PermissionError(13, "Permission denied", b"x"), "b'x': Permission denied"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
    ],
)
def test_what_the_system_refuses_is_the_file_and_the_reason(error, shown):
    assert one_line(error) == shown


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("\n  \n late"), "late"),
        (ValueError("one of:\n\n (1) a file,\n (2) a list"), "one of: (1) a file,"),
        (ValueError("nothing:"), "nothing:"),
        (KeyError(), "KeyError"),
    ],
)
def test_a_library_s_reason_is_its_first_line_or_its_type(error, said):
    assert reason(error) == said


@pytest.mark.parametrize(
    ("rank", "error", "said", "waited"),
    [
        (None, AsciiMazeError("no"), "ascii-maze: no\n", False),
        ("0", AsciiMazeError("no"), "ascii-maze: no\n", False),
        ("1", AsciiMazeError("no"), "ascii-maze: no (process 1)\n", True),
        ("1", Interrupted("stopped"), "", False),
    ],
)
def test_of_several_processes_the_first_complains_and_the_others_only_if_they_are_left(
    rank, error, said, waited, monkeypatch, capsys
):
    slept = []
    monkeypatch.setattr(errors.time, "sleep", slept.append)
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    complain("ascii-maze", error)
    assert capsys.readouterr().err == said
    assert bool(slept) == waited
