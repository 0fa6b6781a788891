"""Terminal output of commands: progress on stderr, tables on stdout, a one-line message for Ctrl-C."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import Interrupted, printable

if TYPE_CHECKING:
    import typer

# Called with a description, the number of steps done, and the total.
OnProgress = Callable[[str, int, int], None]


def plain_app(**options: Any) -> "typer.Typer":
    """A command line that prints help and errors as plain text, without boxes; options as Typer takes them."""
    import typer

    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


@contextmanager
def progress(quiet: bool = False) -> Iterator[OnProgress]:
    """A progress bar on stderr, or a line per tenth without a terminal; yields a function (what, done, total)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield (lambda what, done, total: None) if quiet else tell_tenths()
        return
    columns = (
        TextColumn("{task.description:<18}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, TaskID] = {}

        def on_progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(printable(what), total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield on_progress


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on stderr, if that is a terminal, what is being done while the block runs."""
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def resumable(how: str = "run the same command again to resume") -> Iterator[None]:
    """Turn Ctrl-C into one line that says how to resume."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted(f"interrupted; {how}") from stop


def tell_tenths() -> OnProgress:
    """A function (what, done, total) that prints a line on stderr at every tenth."""
    told: dict[str, int] = {}

    def on_progress(what: str, done: int, total: int) -> None:
        tenth = 10 * done // max(1, total)
        if told.get(what) != tenth:
            told[what] = tenth
            print(f"{printable(what)}: {done:,} of {total:,}", file=sys.stderr, flush=True)

    return on_progress


def print_tables(rows: Iterable[tuple[str, Sequence[str], dict]], header: Sequence[str]) -> None:
    """Print tables, one per run of rows with the same title; cells are plain text, never markup.

    Args:
        rows: title, cells, and additional arguments of rich's `Table.add_row`.
    """
    from itertools import groupby

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    def plain(text: str) -> Text:
        return Text(printable(text))

    for title, group in groupby(rows, key=lambda row: row[0]):
        table = Table(
            *(Column(plain(name)) for name in header),
            title=plain(title),
            title_justify="left",
            box=SIMPLE_HEAD,
            collapse_padding=True,
        )
        for _, cells, looks in group:
            table.add_row(*map(plain, cells), **looks)
        Console().print(table)
