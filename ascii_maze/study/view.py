"""The stages of a study as they go: a table that is redrawn in a terminal, a line for each change elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .plan import Stage
from .runner import Progress

MARKS = {"waiting": " ", "running": ">", "done": "+", "kept": "=", "failed": "!", "left out": "-"}
COLOURS = {"running": "bold", "done": "green", "kept": "green", "failed": "red", "left out": "yellow"}


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
                    print(line_of(mine), file=sys.stderr, flush=True)

        yield tell
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda progress: live.update(table_of(progress), refresh=True)


def line_of(mine: Progress) -> str:
    """One stage in one line."""
    took = "" if mine.state == "running" else f" {clock(mine.seconds)}"
    return f"{mine.stage.name}: {mine.state}{took}" + (f"; {mine.note}" if mine.note else "")


def table_of(progress: list[Progress]):
    """All stages as a table of rich, with the time left under it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        "", "stage", "state", "time", "", box=SIMPLE_HEAD, caption=time_left(progress), caption_justify="left"
    )
    for mine in progress:
        style = COLOURS.get(mine.state, "dim")
        took = clock(mine.seconds) if mine.seconds else ""
        cells = (MARKS[mine.state], mine.stage.name, mine.state, took, mine.note[-60:])
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


def time_left(progress: list[Progress]) -> str:
    """What the stages that are still to run are known to take."""
    rest = [mine for mine in progress if mine.state in ("waiting", "running")]
    known = [max(0.0, 60 * mine.stage.minutes - mine.seconds) for mine in rest if mine.stage.minutes is not None]
    if not rest:
        return ""
    unknown = len(rest) - len(known)
    text = f"about {clock(sum(known))} left" if known else ""
    return text + (f"{' and ' if text else ''}{unknown} stages of unknown length" if unknown else "")


def clock(seconds: float) -> str:
    """Seconds as 1:05, or 2:01:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def plan_lines(stages: list[Stage]) -> list[str]:
    """The plan: every stage with its time, what it is known to need, and its command."""
    everything = {stage.name for stage in stages}
    lines = []
    for stage in stages:
        time = f"about {clock(60 * stage.minutes)}" if stage.minutes is not None else "time unknown"
        after = ", ".join(stage.needs) or "nothing"
        lines += [f"{stage.name}: {time}; after {after}" + (f"; {stage.note}" if stage.note else "")]
        lines += [f"    {stage.shell(everything)}", ""]
    known = [stage.minutes for stage in stages if stage.minutes is not None]
    unknown = len(stages) - len(known)
    return [
        *lines,
        f"{len(stages)} stages, about {clock(60 * sum(known))}" + (f" and {unknown} unknown" if unknown else ""),
    ]
