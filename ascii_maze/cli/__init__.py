"""The `ascii-maze` command line, a file for each command: options and output only.

Heavy imports stay inside the commands.
"""

import os
import sys
from typing import Annotated

import typer

from .. import __version__
from ..errors import AsciiMazeError, Interrupted, complain, printable
from ..metrics.path_validity.maze import MazeError
from ..terminal import plain_app
from . import (
    agreement,
    annotate,
    build,
    convert,
    doctor,
    evaluate,
    forgetting,
    merge,
    mri,
    play,
    prompts,
    push,
    show,
    study,
    sweep,
    tokens,
    train,
)

# In the order of `--help`.
COMMANDS = (
    *(build, train, sweep, merge, evaluate, prompts, tokens, mri, forgetting, annotate, agreement, play),
    *(study, show, convert, push, doctor),
)

app = plain_app(
    help="Find out what each fine-tuning method teaches a language model that walks through ASCII mazes.\n\n"
    "Start with: ascii-maze study",
    no_args_is_help=True,
)


def print_version(wanted: bool) -> None:
    """Print the version and exit, where it is asked for."""
    if wanted:
        print(printable(f"ascii-maze {__version__}"))
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


for command in COMMANDS:
    app.registered_commands += command.app.registered_commands


def main() -> None:
    """Run the command line; exits with 2 on bad usage, 1 on failure. Errors are one line without `--debug`."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    if "ASCII_MAZE_FOLLOW_PARENT" in os.environ:
        from ..study.runner import follow_parent

        follow_parent()
    try:
        app()
    except SystemExit as end:
        if end.code == Interrupted.exit_code:  # Typer exits without a message
            print("ascii-maze: interrupted", file=sys.stderr)
        raise
    except (AsciiMazeError, MazeError, OSError, UnicodeEncodeError) as error:
        if debug:
            raise
        if isinstance(error, UnicodeEncodeError):
            sign = error.object[error.start]
            error = AsciiMazeError(
                f"the output has {sign!r}, which is not in {error.encoding}: set PYTHONIOENCODING=utf-8"
            )
        complain("ascii-maze", error)
        sys.exit(2 if isinstance(error, MazeError) else getattr(error, "exit_code", 1))
