"""Errors for the user: one line that says what was wrong, where, and what to do."""

import difflib
import os
import sys
import time
from collections.abc import Iterable


class AsciiMazeError(Exception):
    """An error that the user can fix; the command ends with `exit_code` and without a traceback."""

    exit_code = 1


class UsageError(AsciiMazeError):
    """A wrong argument, key, value or file name."""

    exit_code = 2


class Interrupted(AsciiMazeError):
    """Stopped by Ctrl-C; the message says how to resume."""

    exit_code = 130


LONGEST = 1_000  # most characters of an error
ALONE = 30.0  # seconds after which a process that the launcher has not ended has failed alone


def reason(error: BaseException) -> str:
    """The first line of a library's error message, and the next if it announces one; without any, the error's type."""
    first, *others = list(filter(None, (line.strip() for line in str(error).splitlines()))) or [type(error).__name__]
    return f"{first} {others[0]}" if first.endswith(":") and others else first


def one_line(error: BaseException) -> str:
    """An error as shown on the terminal: one printable line, with the middle of a very long message left out.

    For errors of the operating system (a name too long, no permission to read), the line has the file and the reason.
    """
    said = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        said = f"{error.filename}: {error.strerror}"
    text = printable(" ".join(said.split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"


def complain(program: str, error: BaseException) -> None:
    """Print an error on stderr, once for all processes of a launcher such as torchrun, since they mostly fail alike.

    The first process prints it. The others wait, and the launcher ends them meanwhile; one that is left has failed
    by itself, and says so. Ctrl-C reaches all of them.
    """
    line, rank = f"{program}: {one_line(error)}", os.environ.get("RANK", "0")
    if rank != "0":
        if isinstance(error, Interrupted):
            return
        time.sleep(ALONE)
        line += f" (process {rank})"
    print(printable(line), file=sys.stderr, flush=True)


def is_first_here() -> bool:
    """Whether this is the only process of a command, or the first that its launcher started on this machine."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def printable(text: str) -> str:
    """The text with unprintable characters made visible, since escape sequences would control the terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean 'learning_rate'?` for a near miss, else an empty string."""
    near = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
