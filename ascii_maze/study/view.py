"""Progress of a study: a table that is redrawn in a terminal; elsewhere a line for each change of state."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import printable
from .plan import Stage
from .runner import Progress

MARKS = {"waiting": " ", "running": ">", "done": "+", "kept": "=", "failed": "!", "left out": "-"}
COLOURS = {"running": "bold", "done": "green", "kept": "green", "failed": "red", "left out": "yellow"}

TO_RUN = ("waiting", "running")
FRAME = 6  # lines of the table beside its rows, and the cursor's


@contextmanager
def live_view() -> Iterator[Callable[[list[Progress]], None]]:
    """Show what it is called with on stderr."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if not console.is_terminal:
        told: dict[str, str] = {}

        def tell(progress: list[Progress]) -> None:
            for mine in progress:
                if mine.state != "waiting" and told.get(mine.stage.name) != mine.state:
                    told[mine.stage.name] = mine.state
                    print(printable(line_of(mine)), file=sys.stderr, flush=True)

        yield tell
        return
    newest: list[Progress] = []
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:

        def show(progress: list[Progress]) -> None:
            newest[:] = progress
            live.update(table_of(progress, max(3, console.height - FRAME)), refresh=True)

        try:
            yield show
        finally:
            live.update(table_of(newest), refresh=True)


def line_of(mine: Progress) -> str:
    """One stage in one line."""
    took = "" if mine.state == "running" else f" {clock(mine.seconds)}"
    return f"{mine.stage.name}: {mine.state}{took}" + (f"; {mine.note}" if mine.note else "")


def table_of(progress: list[Progress], rows: int | None = None):
    """The stages as a table of rich, as wide as the terminal, with the time left under it.

    Args:
        rows: how many fit, centred on the one that is running; all by default.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table
    from rich.text import Text

    shown = around(progress, rows)
    hidden = f"{len(shown)} of {len(progress)} stages; " if len(shown) < len(progress) else ""
    note = Column("", ratio=1, no_wrap=True, overflow="ellipsis")
    columns = [Column(name, no_wrap=True) for name in ("", "stage", "state", "time")]
    caption = hidden + time_left(progress)
    table = Table(*columns, note, box=SIMPLE_HEAD, caption=caption, caption_justify="left", expand=True)
    for mine in shown:
        style = COLOURS.get(mine.state, "dim")
        took = clock(mine.seconds) if mine.seconds else ""
        cells = (MARKS[mine.state], mine.stage.name, mine.state, took, mine.note)
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


def around(progress: list[Progress], rows: int | None) -> list[Progress]:
    """At most `rows` stages, centred on the first that is still to run."""
    if rows is None or len(progress) <= rows:
        return progress
    now = next((place for place, mine in enumerate(progress) if mine.state in TO_RUN), len(progress))
    first = min(max(0, now - rows // 2), len(progress) - rows)
    return progress[first : first + rows]


def time_left(progress: list[Progress]) -> str:
    """Estimated time of the stages still to run, scaled by how long the finished ones took."""
    rest = [mine for mine in progress if mine.state in TO_RUN]
    if not rest:
        return ""
    done = [
        (mine.seconds, 60 * mine.stage.minutes) for mine in progress if mine.state == "done" and mine.stage.minutes
    ]
    pace = sum(took for took, _ in done) / sum(known for _, known in done) if done else 1.0
    times = [(60 * mine.stage.minutes, mine.seconds) for mine in rest if mine.stage.minutes is not None]
    known = [max(0.0, pace * whole - spent) for whole, spent in times]
    unknown = len(rest) - len(known)
    text = f"about {clock(sum(known))} left" if known else ""
    stages = f"{unknown} stage{'s' * (unknown > 1)} of unknown length"
    return text + (f"{' and ' if text else ''}{stages}" if unknown else "")


def clock(seconds: float) -> str:
    """Seconds as 1:05, or 2:01:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def plan_lines(stages: list[Stage]) -> list[str]:
    """The plan: every stage with its time, what it needs, and its command."""
    everything = {stage.name for stage in stages}
    lines = []
    for stage in stages:
        # It uses those that succeed, so a scheduler must wait for all of them to end.
        ends = f"the end of {', '.join(stage.uses)}" if stage.uses else ""
        after = ", and ".join(filter(None, (", ".join(stage.needs), ends)))
        known = f"about {clock(60 * stage.minutes)}" if stage.minutes is not None else ""
        said = "; ".join(filter(None, (known, f"after {after}" if after else "", stage.note)))
        lines += [f"{stage.name}: {said}" if said else stage.name]
        lines += [f"    {stage.shell(everything)}", ""]
    minutes = [stage.minutes for stage in stages if stage.minutes is not None]
    unknown = len(stages) - len(minutes)
    times = [f"about {clock(60 * sum(minutes))}"] * bool(minutes) + [f"{unknown} of unknown time"] * bool(unknown)
    return [*lines, f"{len(stages)} stages, {' and '.join(times)}"]
