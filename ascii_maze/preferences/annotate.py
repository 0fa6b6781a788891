"""`ascii-maze annotate`: opens a folder, collects answers of people or of a simulation, and exports them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError
from ..files import output_folder
from ..terminal import OnProgress
from .annotate_app import Exporter, annotate_page
from .collector import Collector
from .export import export, export_folder
from .extra import PAGES, STATISTICS, require
from .journal import Event, mend, read_journals
from .journal import withdraw as withdraw_answers
from .opening import Wishes, asked_for, open_collection
from .report import write_agreement
from .serving import Serving, free_port, serve, wait_until_stopped
from .simulation import annotators, simulate


class Where(NamedTuple):
    """The address of a page; see `serving.serve`."""

    host: str = "127.0.0.1"
    port: int = 7860
    share: bool = False


class Opened(NamedTuple):
    """An open collection, and the files from which an incomplete last line was removed."""

    collector: Collector
    torn: list[Path]


@contextmanager
def opened(folder: Path, wishes: Wishes, simulated: bool = False) -> Iterator[Opened]:
    """Lock a folder while its collection is answered, and export the answers afterwards.

    Raises:
        UsageError: see `opening.open_collection`; or human and simulated answers would be mixed.
        AsciiMazeError: the folder cannot be read or written, or another process holds it.
    """
    asked = asked_for(folder, wishes)
    with output_folder(folder, kind="collection of preferences"):
        collection = open_collection(folder, wishes, asked)
        journals = read_journals(folder)
        check_kind(folder, journals.events, simulated)
        mend(journals.torn)
        collector = Collector(folder, collection, journals.events, simulated)
        try:
            yield Opened(collector, journals.torn)
        finally:
            collector.close()
            export(folder, collection, read_journals(folder).events)


def check_kind(folder: Path, events: list[Event], simulated: bool) -> None:
    """Check that human and simulated answers are not mixed.

    Raises:
        UsageError: they would be in the same folder.
    """
    there = {event.simulated for event in events if event.event == "answer"}
    if there - {simulated}:
        holds = "people's answers" if simulated else "simulated answers"
        raise UsageError(f"{folder} holds {holds}, and the two are kept apart; name another --out")


def annotate(folder: Path, wishes: Wishes, where: Where, on_ready: Callable[[Opened, Serving], None]) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Args:
        on_ready: called when the page can be opened.

    Raises:
        AsciiMazeError: see `opened` and `serving.serve`.
    """
    require(*PAGES, *STATISTICS)
    free_port(where.host, where.port)  # before a folder is created, in case the port is taken
    with opened(folder, wishes) as ready:
        serving = serve(annotate_page(ready.collector), *where)
        try:
            on_ready(ready, serving)
            wait_until_stopped(Exporter(folder, ready.collector.collection).tick)
        finally:
            serving.close()


def annotate_simulated(
    folder: Path, wishes: Wishes, count: int, bias: float, careless: int, on_progress: OnProgress
) -> int:
    """Have `count` simulated annotators answer all remaining questions; returns the number of answers.

    Raises:
        AsciiMazeError: see `opened`.
    """
    require(*STATISTICS)
    with opened(folder, wishes, simulated=True) as ready:
        seed = ready.collector.collection.seed
        return simulate(ready.collector, annotators(count, bias, careless), seed, on_progress=on_progress)


def withdraw(folder: Path, annotator: str) -> int:
    """Remove an annotator's answers from all files of the folder; returns how many there were.

    Raises:
        UsageError: no annotator of that name has answered.
        AsciiMazeError: a file cannot be written, or another process holds the folder.
    """
    require(*STATISTICS)
    asked_for(folder, Wishes())
    with output_folder(folder):
        count = withdraw_answers(folder, annotator)
        export_folder(folder)
        if (folder / "agreement" / "agreement.json").is_file():
            write_agreement(folder)
    return count
