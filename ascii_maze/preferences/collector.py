"""An open collection: gives each person the next question, and writes the answers to disk.

One process holds the folder; its threads may serve many people. A person's place is the number of their events so
far, which the page sends back with every answer, so that an answer that is sent twice, from a second tab or after a
lost reply, is recorded once.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError
from .assignment import Turn, next_turn, questions_left
from .collection import Collection
from .journal import CHOICES, MOST_SECONDS, Event, Journal, check_annotator, kept, now

# Seconds for which a question on someone's screen is reserved.
HELD = 900.0
RATINGS = ("1", "2", "3", "4", "5", "neither")


class Place(NamedTuple):
    """The state of an annotator.

    Attributes:
        number: of their next event.
        turn: the current question; None if none is left.
        done: number of answers so far.
        left: number of new questions left, including the current one if it is new.
    """

    number: int
    turn: Turn | None
    done: int
    left: int


class Collector:
    """Answers to a collection.

    Args:
        folder: of the collection, locked by this process.
        events: earlier events, from `journal.read_journals`.
        simulated: whether the annotators are simulated; their answers do not wait for the disk.
        clock: returns seconds, for the reservations.
    """

    def __init__(
        self,
        folder: Path,
        collection: Collection,
        events: list[Event],
        simulated: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.folder, self.collection, self.simulated = folder, collection, simulated
        self._lock, self._clock = threading.Lock(), clock
        self._journals: dict[str, Journal] = {}
        self._answers = kept(events)
        self._numbers = {event.annotator: event.number + 1 for event in events if event.event != "withdrawn"}
        # question -> number of people who have answered it
        self._taken = Counter(
            question for mine in self._answers.values() for question in {event.question for event in mine}
        )
        # The question on each person's screen, and the time it was shown.
        self._places: dict[str, tuple[Place, float]] = {}

    def place(self, annotator: str) -> Place:
        """The state of an annotator, for a page that is opened or reloaded.

        Raises:
            UsageError: not a valid name.
        """
        check_annotator(annotator)
        with self._lock:
            return self._place(annotator)

    def answer(self, annotator: str, number: int, question: str, choice: str, seconds: float | None) -> Place:
        """Record an answer to the question on an annotator's screen.

        Args:
            number: of the event, from `Place`.
            question: its id; if it is not the current question, nothing is recorded.
            choice: `left`, `right`, `tie` or `neither`; for ratings `1` to `5` or `neither`.
            seconds: time taken.

        Returns:
            The new state.

        Raises:
            UsageError: it is not a valid choice.
            AsciiMazeError: it could not be written; nothing has changed.
        """
        check_annotator(annotator)
        with self._lock:
            place = self._current(annotator)
            if place.turn is None or number != place.number or question != place.turn.question.id:
                return place
            said = self._choice(choice, place.turn.left)
            if seconds is not None and not 0 <= seconds <= MOST_SECONDS:
                seconds = None
            self._record(
                Event(
                    "answer",
                    number,
                    annotator,
                    question,
                    said,
                    place.turn.left,
                    None if seconds is None else round(seconds, 3),
                    now(),
                    place.turn.repeat,
                    self.simulated,
                )
            )
            return self._place(annotator)

    def undo(self, annotator: str, number: int) -> Place:
        """Undo an annotator's last answer, if there is one, and ask that question again.

        Raises:
            AsciiMazeError: it could not be written; nothing has changed.
        """
        check_annotator(annotator)
        with self._lock:
            place, mine = self._current(annotator), self._answers.get(annotator, [])
            if number != place.number or not mine:
                return place
            event = Event("undo", number, annotator, mine[-1].question, time=now(), simulated=self.simulated)
            self._record(event)
            return self._place(annotator)

    def close(self) -> None:
        """Close all journals."""
        with self._lock:
            for journal in self._journals.values():
                journal.close()
            self._journals.clear()

    def _choice(self, choice: str, left: int) -> str:
        if self.collection.mode == "rate":
            if choice not in RATINGS:
                raise UsageError(f"'{choice}' is not an answer; expected {', '.join(RATINGS)}")
            return choice
        sides = {"left": CHOICES[left], "right": CHOICES[1 - left], "tie": "tie", "neither": "neither"}
        if choice not in sides:
            raise UsageError(f"'{choice}' is not an answer; expected {', '.join(sides)}")
        return sides[choice]

    def _current(self, annotator: str) -> Place:
        """The state with the question on an annotator's screen, even if others have answered it in the meantime."""
        held = self._places.get(annotator)
        return held[0] if held else self._place(annotator)

    def _place(self, annotator: str) -> Place:
        mine, taken = self._answers.get(annotator, []), self._taken + self._on_screens(annotator)
        turn = next_turn(self.collection, annotator, mine, taken)
        left = questions_left(self.collection, {event.question for event in mine}, taken)
        place = Place(self._numbers.get(annotator, 0), turn, len(mine), left)
        self._places[annotator] = (place, self._clock())
        return place

    def _on_screens(self, annotator: str) -> Counter[str]:
        """Question -> number of others who are being shown it for the first time."""
        return Counter(
            place.turn.question.id
            for other, (place, since) in self._places.items()
            if other != annotator and place.turn and not place.turn.repeat and self._clock() - since < HELD
        )

    def _record(self, event: Event) -> None:
        """Write an event, then update the state."""
        annotator = event.annotator
        if annotator not in self._journals:
            self._journals[annotator] = Journal(self.folder, durable=not self.simulated)
        self._journals[annotator].append(event)
        self._numbers[annotator] = event.number + 1
        mine = self._answers.setdefault(annotator, [])
        if event.event == "answer":
            mine.append(event)
            self._taken[event.question] += not event.repeat
            return
        undone = mine.pop()
        self._taken[undone.question] -= not undone.repeat
