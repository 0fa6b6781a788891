"""Answers joined with their questions, for the statistics and the dataset."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from ..errors import UsageError
from .collection import Answer, Collection, Question
from .journal import Event, kept


class Judgement(NamedTuple):
    """An answer that was not undone or withdrawn, and its question."""

    event: Event
    question: Question

    @property
    def counted(self) -> bool:
        """Whether the statistics include it: neither gold nor a repetition."""
        return not self.question.gold and not self.event.repeat

    @property
    def right(self) -> bool | None:
        """Whether the answer to a gold question is right; None for other questions."""
        if self.question.rating is not None:
            low, high = self.question.rating
            return (
                self.event.choice is not None
                and self.event.choice.isdecimal()
                and low <= int(self.event.choice) <= high
            )
        if self.question.best is None:
            return None
        return self.event.choice == ("first", "second")[self.question.best]

    @property
    def took_left(self) -> bool | None:
        """Whether the answer is the one on the left; None if it takes no side."""
        if self.event.choice not in ("first", "second"):
            return None
        return ("first", "second").index(self.event.choice) == self.event.left


class Decided(NamedTuple):
    """A person's preference for one answer to a maze over another."""

    question: Question
    event: Event
    chosen: Answer
    rejected: Answer


def judge(collection: Collection, events: Sequence[Event]) -> list[Judgement]:
    """The answers that were neither undone nor withdrawn, person by person, in their order.

    Raises:
        UsageError: an answer's question is not in the collection.
    """
    found = []
    for mine in kept(events).values():
        for event in mine:
            question = collection.by_id.get(event.question)
            if question is None:
                raise UsageError(
                    f"'{event.annotator}' has answered question {event.question}, which collection.json does not "
                    "have; the answers are another collection's"
                )
            found.append(Judgement(event, question))
    return found


def decided(collection: Collection, judgements: Sequence[Judgement]) -> list[Decided]:
    """All preferences in the answers; for ratings, each person's for the higher-rated of two answers."""
    counted = [judgement for judgement in judgements if judgement.counted]
    if collection.mode == "rate":
        return list(_by_ratings(counted))
    found = []
    for event, question in counted:
        if event.choice in ("first", "second"):
            better = ("first", "second").index(event.choice)
            found.append(Decided(question, event, question.answers[better], question.answers[1 - better]))
    return found


def _by_ratings(judgements: Sequence[Judgement]) -> Iterator[Decided]:
    rated: dict[tuple[str, str], list[Judgement]] = {}
    for one in judgements:
        if one.event.choice and one.event.choice.isdecimal():
            rated.setdefault((one.event.annotator, one.question.maze), []).append(one)
    for group in rated.values():
        for pair in combinations(group, 2):
            worse, better = sorted(pair, key=lambda one: int(one.event.choice or 0))
            if worse.event.choice != better.event.choice:
                yield Decided(better.question, better.event, better.question.answers[0], worse.question.answers[0])
