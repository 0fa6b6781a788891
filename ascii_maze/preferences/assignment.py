"""Assigns the next question to a person, as a function of the answers so far.

Of every `1 / share` questions one is gold and one is repeated, at random places for each person. The others come in
the order of the collection, each until enough people have answered it. The answer on the left is random for each
person and question, and drawn again for a repetition.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Literal, NamedTuple

from .collection import Collection, Question, drawn
from .journal import Event

# The least number of other questions before a repetition, so that the answer is no longer remembered.
APART = 10
Slot = Literal["new", "gold", "repeat"]


class Turn(NamedTuple):
    """A question for one annotator.

    Attributes:
        left: index of the answer on the left.
        repeat: whether the annotator has answered it before.
    """

    question: Question
    left: int
    repeat: bool


def slot_of(collection: Collection, annotator: str, number: int) -> Slot:
    """The kind of an annotator's `number`-th question (from 0)."""
    if _is_place(collection, annotator, number, "gold", collection.gold_share):
        return "gold"
    # If both fall on one place, the repetition comes one later.
    places = (number, number - 1) if _is_both(collection, annotator, number - 1) else (number,)
    if any(_is_place(collection, annotator, place, "repeat", collection.repeat_share) for place in places):
        return "repeat"
    return "new"


def _is_place(collection: Collection, annotator: str, number: int, kind: Slot, share: float) -> bool:
    """Whether a place is the one drawn in its block of `1 / share` places."""
    if share <= 0 or number < 0:
        return False
    size = round(1 / share)
    block, place = divmod(number, size)
    return place == drawn(collection.seed, annotator, kind, block) % size


def _is_both(collection: Collection, annotator: str, number: int) -> bool:
    kinds: tuple[tuple[Slot, float], ...] = (("gold", collection.gold_share), ("repeat", collection.repeat_share))
    return all(_is_place(collection, annotator, number, kind, share) for kind, share in kinds)


def left_of(collection: Collection, annotator: str, question: Question, repeat: bool) -> int:
    """Index of the answer on the left."""
    if len(question.answers) == 1:
        return 0
    return drawn(collection.seed, annotator, question.id, "again" if repeat else "first") & 1


def next_turn(collection: Collection, annotator: str, mine: Sequence[Event], taken: Mapping[str, int]) -> Turn | None:
    """The next question of an annotator; None if none is left.

    Args:
        mine: the annotator's answers so far, in order.
        taken: question -> the number of people who have answered it or are being shown it.
    """
    seen = {event.question for event in mine}
    fresh = next((one for one in collection.questions if is_open(collection, one, seen, taken)), None)
    if fresh is None:
        return None
    slot, chosen, repeat = slot_of(collection, annotator, len(mine)), fresh, False
    if slot == "gold":
        unseen = [question for question in collection.gold if question.id not in seen]
        if unseen:
            chosen = min(unseen, key=lambda question: drawn(collection.seed, annotator, question.id))
    elif slot == "repeat":
        again = {event.question for event in mine if event.repeat}
        old = (event.question for event in mine[:-APART] if event.question not in again)
        found = next((name for name in old if not collection.by_id[name].gold), None)
        if found is not None:
            chosen, repeat = collection.by_id[found], True
    return Turn(chosen, left_of(collection, annotator, chosen, repeat), repeat)


def is_open(collection: Collection, question: Question, seen: Set[str], taken: Mapping[str, int]) -> bool:
    """Whether an annotator who has `seen` some questions may be asked this one as a new question."""
    return question.id not in seen and taken.get(question.id, 0) < collection.per_item


def questions_left(collection: Collection, seen: Set[str], taken: Mapping[str, int]) -> int:
    """The number of new questions left for an annotator."""
    return sum(is_open(collection, question, seen, taken) for question in collection.questions)
