"""Answers in append-only files of JSON lines, each on disk before the page shows the next question.

A person's events in one run of the server are one file of `answers/`. Only a withdrawal changes earlier lines; an
undone answer is followed by an event that says so. A process that is killed loses at most the answer being written,
which may leave an incomplete last line that is dropped at the next read.
"""

import json
import math
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from dataset_builder.checks import shown

from ..errors import AsciiMazeError, UsageError
from ..files import write_text

ANSWERS = "answers"
_NAME = re.compile(r"\w[\w.-]{0,63}")
CHOICES = ("first", "second", "tie", "neither")
MOST_SECONDS = 10 * 365 * 24 * 3600.0


class Event(NamedTuple):
    """A line of a journal.

    Attributes:
        event: `answer`; `undo`, of the person's last answer; `withdrawn`, in place of an answer of someone who
            withdrew all of theirs.
        number: index among the annotator's events, from 0.
        annotator: the name as typed; empty for a withdrawn answer.
        question: its id.
        choice: the better answer, in the question's order, not by side: `first`, `second`, `tie`, or `neither` for
            cannot say; for ratings `1` to `5`, or `neither`. None for other events.
        left: index of the answer that was shown on the left.
        seconds: from question to answer, measured by the page.
        time: of the answer, UTC, in ISO 8601.
        repeat: whether the annotator had answered the question before.
        simulated: whether the annotator is simulated.
    """

    event: Literal["answer", "undo", "withdrawn"]
    number: int
    annotator: str
    question: str
    choice: str | None = None
    left: int = 0
    seconds: float | None = None
    time: str | None = None
    repeat: bool = False
    simulated: bool = False


class Journals(NamedTuple):
    """All events of a folder, and its damaged files.

    Attributes:
        events: those of each person in their order.
        torn: files with an incomplete last line.
    """

    events: list[Event]
    torn: list[Path]


def check_annotator(name: object) -> str:
    """A valid name for an annotator, which need not be their real one.

    Raises:
        UsageError: it is not valid.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"annotator {shown(name)}: expected a name of 1 to 64 letters, digits and _ . - that begins with a letter "
            "or a digit"
        )
    return name


def now() -> str:
    """The current time in the format of events."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Journal:
    """A file to which events are appended; created with the first one.

    Args:
        folder: of the collection.
        durable: whether to wait for the disk after every event.
    """

    def __init__(self, folder: Path, durable: bool = True):
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        self.path = folder / ANSWERS / f"{stamp}-{secrets.token_hex(4)}.jsonl"
        self.durable = durable
        self._descriptor: int | None = None

    def append(self, event: Event) -> None:
        """Write an event, whole or not at all.

        Raises:
            AsciiMazeError: the disk is full, or the file cannot be written.
        """
        line = (json.dumps(event._asdict(), ensure_ascii=False) + "\n").encode()
        try:
            descriptor = self._open()
            end = os.lseek(descriptor, 0, os.SEEK_END)
            try:
                self._write(descriptor, line)
            except OSError:
                os.ftruncate(descriptor, end)
                raise
        except OSError as error:
            raise AsciiMazeError(f"not saved: cannot write {self.path}: {error.strerror}") from error

    def _open(self) -> int:
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        return self._descriptor

    def _write(self, descriptor: int, line: bytes) -> None:
        while line:
            line = line[os.write(descriptor, line) :]
        if self.durable:
            os.fsync(descriptor)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def read_journals(folder: Path) -> Journals:
    """All events of a collection, those of each person in their order.

    Raises:
        UsageError: a line is not an event, except an incomplete last one; or two files contradict each other.
    """
    events: dict[tuple[str, int], Event] = {}
    withdrawn: list[Event] = []
    torn: list[Path] = []
    for path in sorted((folder / ANSWERS).glob("*.jsonl")):
        for event in _read(path, torn):
            if event.event == "withdrawn":
                withdrawn.append(event)
            elif events.setdefault((event.annotator, event.number), event) != event:
                raise UsageError(
                    f"{path}: event {event.number} of '{event.annotator}' is in another file too, and differs; "
                    "remove one of the files"
                )
    return Journals([*(events[key] for key in sorted(events)), *withdrawn], torn)


def _read(path: Path, torn: list[Path]) -> list[Event]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if lines.pop():
        torn.append(path)
    return [_event(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]


def mend(paths: Sequence[Path]) -> None:
    """Remove incomplete last lines, so that later reads do not find them.

    Raises:
        AsciiMazeError: a file cannot be written.
    """
    for path in paths:
        try:
            size = path.read_bytes().rfind(b"\n") + 1
            os.truncate(path, size)
        except OSError as error:
            raise AsciiMazeError(f"cannot write {path}: {error.strerror}") from error


def _event(line: bytes, where: str) -> Event:
    try:
        values = json.loads(line)
        event = Event(**values)
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{where}: not an answer: {shown(line.decode(errors='replace'))}") from error
    fault = _fault(values, event)
    if fault:
        raise UsageError(f"{where}: {fault}")
    return event


def _fault(values: Mapping[str, Any], event: Event) -> str | None:
    kinds: dict[str, tuple[type, ...]] = {
        "number": (int,),
        "annotator": (str,),
        "question": (str,),
        "choice": (str, type(None)),
        "left": (int,),
        "seconds": (int, float, type(None)),
        "time": (str, type(None)),
        "repeat": (bool,),
        "simulated": (bool,),
    }
    for name, allowed in kinds.items():
        if name in values and type(values[name]) not in allowed:
            return f"'{name}' is {shown(values[name])}"
    if event.event not in ("answer", "undo", "withdrawn"):
        return f"'event' is {shown(event.event)}; expected answer, undo or withdrawn"
    if event.event != "withdrawn" and not _NAME.fullmatch(event.annotator):
        return f"'annotator' is {shown(event.annotator)}"
    if event.event == "answer" and event.choice not in (*CHOICES, "1", "2", "3", "4", "5"):
        return f"'choice' is {shown(event.choice)}"
    if event.left not in (0, 1) or event.number < 0:
        return "'left' is 0 or 1, and 'number' not negative"
    if event.seconds is not None and not (math.isfinite(event.seconds) and 0 <= event.seconds <= MOST_SECONDS):
        return f"'seconds' is {event.seconds}"
    return None


def kept(events: Sequence[Event]) -> dict[str, list[Event]]:
    """The answers of each person that were not undone, in their order."""
    answers: dict[str, list[Event]] = {}
    for event in events:
        if event.event == "answer":
            answers.setdefault(event.annotator, []).append(event)
        elif event.event == "undo" and answers.get(event.annotator):
            answers[event.annotator].pop()
    return answers


def withdraw(folder: Path, annotator: str) -> int:
    """Withdraw all answers of an annotator; only the fact that a question was answered is kept.

    Returns:
        The number of answers.

    Raises:
        UsageError: no annotator of that name has answered.
        AsciiMazeError: a file cannot be written; the others no longer have the answers.
    """
    check_annotator(annotator)
    count = 0
    torn: list[Path] = []
    for path in sorted((folder / ANSWERS).glob("*.jsonl")):
        events = _read(path, torn)
        if not any(event.annotator == annotator for event in events):
            continue
        mine = kept([event for event in events if event.annotator == annotator]).get(annotator, [])
        count += len(mine)
        left = [event for event in events if event.annotator != annotator]
        left += [Event("withdrawn", 0, "", event.question, repeat=event.repeat) for event in mine]
        write_text(path, "".join(json.dumps(event._asdict(), ensure_ascii=False) + "\n" for event in left))
    if not count:
        raise UsageError(f"no annotator named '{annotator}' has answered in {folder}")
    return count
