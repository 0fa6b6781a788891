"""Errors for the person at the keyboard: one line that says what was wrong, where, and what to do."""

import difflib
from collections.abc import Iterable


class AsciiMazeError(Exception):
    """Something that the user can fix; the command ends with `exit_code` and without a traceback."""

    exit_code = 1


class UsageError(AsciiMazeError):
    """A wrong argument, key, value or file name."""

    exit_code = 2


class Interrupted(AsciiMazeError):
    """Stopped by Ctrl-C; the message says how to resume."""

    exit_code = 130


LONGEST = 1_000  # characters of an error


def reason(error: BaseException) -> str:
    """What a library says went wrong, in its own first line; the error's type where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next(filter(None, lines), type(error).__name__)


def one_line(error: BaseException) -> str:
    """An error as the terminal shows it: a line, printable, without the middle of what is far too long.

    Of what the system refuses (a name too long, a folder that may not be read), the file and the reason.
    """
    said = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        said = f"{error.filename}: {error.strerror}"
    text = printable(" ".join(said.split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"


def printable(text: str) -> str:
    """The text with every sign that is not for reading made visible: an escape sequence would steer the terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean 'learning_rate'?` for a near miss, else nothing."""
    near = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
