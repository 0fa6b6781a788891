"""Which question a person is asked next, as a function of what has been answered.

Of every `1 / share` questions one is gold and one is repeated, at places drawn for each person. The others come in the
order of the collection, each until enough people have answered it. Which answer stands on the left is drawn from the
person and the question, again for a repetition.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Literal, NamedTuple

from .collection import Collection, Question, drawn
from .journal import Event

# A question is repeated after so many others at the earliest, when its answer is no longer in mind.
APART = 10
Slot = Literal["new", "gold", "repeat"]


class Turn(NamedTuple):
    """A question for someone.

    Attributes:
        left: number of the answer on the left.
        repeat: whether they have answered it before.
    """

    question: Question
    left: int
    repeat: bool


def slot_of(collection: Collection, annotator: str, number: int) -> Slot:
    """What kind of question someone's `number`-th (from 0) is."""
    if _is_place(collection, annotator, number, "gold", collection.gold_share):
        return "gold"
    # Where both fall on one place, the repetition is one later.
    places = (number, number - 1) if _is_both(collection, annotator, number - 1) else (number,)
    if any(_is_place(collection, annotator, place, "repeat", collection.repeat_share) for place in places):
        return "repeat"
    return "new"


def _is_place(collection: Collection, annotator: str, number: int, kind: Slot, share: float) -> bool:
    """Whether a place is the one that is drawn of its `1 / share` neighbours."""
    if share <= 0 or number < 0:
        return False
    size = round(1 / share)
    block, place = divmod(number, size)
    return place == drawn(collection.seed, annotator, kind, block) % size


def _is_both(collection: Collection, annotator: str, number: int) -> bool:
    kinds: tuple[tuple[Slot, float], ...] = (("gold", collection.gold_share), ("repeat", collection.repeat_share))
    return all(_is_place(collection, annotator, number, kind, share) for kind, share in kinds)


def left_of(collection: Collection, annotator: str, question: Question, repeat: bool) -> int:
    """Number of the answer on the left."""
    if len(question.answers) == 1:
        return 0
    return drawn(collection.seed, annotator, question.id, "again" if repeat else "first") & 1


def next_turn(collection: Collection, annotator: str, mine: Sequence[Event], taken: Mapping[str, int]) -> Turn | None:
    """The next question of someone; None when there is none left for them.

    Args:
        mine: their answers so far, in order.
        taken: question -> how many have answered it, or have it on the screen.
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
    """Whether someone who has `seen` some questions may be asked this one as a new one."""
    return question.id not in seen and taken.get(question.id, 0) < collection.per_item


def questions_left(collection: Collection, seen: Set[str], taken: Mapping[str, int]) -> int:
    """How many new questions are left for someone."""
    return sum(is_open(collection, question, seen, taken) for question in collection.questions)
