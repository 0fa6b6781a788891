from collections import Counter

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.preferences.assignment import left_of, slot_of
from ascii_maze.preferences.collector import HELD, Collector
from ascii_maze.preferences.journal import kept, read_journals

from .conftest import plain_collection


def say(collector, annotator, choice="left"):
    """Answer what someone has on the screen; returns what that was."""
    place = collector.place(annotator)
    collector.answer(annotator, place.number, place.turn.question.id, choice, 1.5)
    return place.turn


def test_everything_is_asked_once_and_then_nothing(tmp_path):
    collection = plain_collection()
    collector = Collector(tmp_path, collection, [])
    asked = [say(collector, "ana").question.id for _ in range(12)]
    assert asked == [question.id for question in collection.questions]
    place = collector.place("ana")
    assert place.turn is None
    assert (place.done, place.left) == (12, 0)


def test_another_process_goes_on_where_the_first_was_killed(tmp_path, asked):
    whole, cut = Collector(tmp_path / "whole", asked, []), Collector(tmp_path / "cut", asked, [])
    turns = [say(whole, "ana") for _ in range(30)]
    before = [say(cut, "ana") for _ in range(13)]
    resumed = Collector(tmp_path / "cut", asked, read_journals(tmp_path / "cut").events)
    assert before + [say(resumed, "ana") for _ in range(17)] == turns
    fresh = [turn.question.id for turn in turns if not turn.repeat]
    assert len(fresh) == len(set(fresh))


def test_an_answer_that_comes_twice_counts_once_and_one_to_another_question_not_at_all(tmp_path):
    collector = Collector(tmp_path, plain_collection(), [])
    place = collector.place("ana")
    name = place.turn.question.id
    after = collector.answer("ana", place.number, name, "left", 1)
    assert collector.answer("ana", place.number, name, "right", 1) == after
    assert collector.answer("ana", after.number, name, "right", 1) == after
    assert len(read_journals(tmp_path).events) == 1


def test_what_is_undone_is_asked_again_also_after_a_restart(tmp_path):
    collection = plain_collection()
    collector = Collector(tmp_path, collection, [])
    first, second = say(collector, "ana"), say(collector, "ana")
    resumed = Collector(tmp_path, collection, read_journals(tmp_path).events)
    place = resumed.undo("ana", 2)
    assert place.turn == second
    assert resumed.undo("ana", place.number).turn == first
    assert resumed.undo("ana", 4).number == 4  # nothing left to undo
    assert say(resumed, "ana", "tie") == first
    assert [event.choice for event in kept(read_journals(tmp_path).events)["ana"]] == ["tie"]


def test_two_people_at_once_are_asked_different_questions_where_one_answer_is_enough(tmp_path):
    now = [0.0]
    collector = Collector(tmp_path, plain_collection(per_item=1), [], clock=lambda: now[0])
    one, two = collector.place("ana").turn, collector.place("bo").turn
    assert one.question != two.question
    asked = [say(collector, name).question.id for _ in range(6) for name in ("ana", "bo")]
    assert sorted(asked) == sorted(set(asked))
    assert len(asked) == 12
    # Who has gone away keeps nothing from the others for ever.
    later = Collector(tmp_path / "later", plain_collection(1, per_item=1), [], clock=lambda: now[0])
    assert later.place("ana").turn
    assert later.place("bo").turn is None
    now[0] += HELD
    assert later.place("bo").turn


def test_each_question_is_asked_of_as_many_people_as_it_should_be(tmp_path):
    collector = Collector(tmp_path, plain_collection(per_item=2), [])
    counts = Counter()
    for name in ("ana", "bo", "cy", "di"):
        while (place := collector.place(name)).turn:
            counts[place.turn.question.id] += 1
            say(collector, name)
    assert set(counts.values()) == {2}


def test_gold_and_repeated_questions_come_as_often_as_they_should(asked):
    kinds = Counter(slot_of(asked, "ana", number) for number in range(1000))
    assert kinds["gold"] == 100
    assert 90 <= kinds["repeat"] <= 100


def test_a_repetition_is_of_an_earlier_answer_and_gold_is_new(tmp_path, asked):
    collector = Collector(tmp_path, asked, [])
    turns = []
    while collector.place("ana").turn:
        turns.append(say(collector, "ana"))
    seen = {}
    for place, turn in enumerate(turns):
        assert turn.repeat == (turn.question.id in seen)
        assert not turn.repeat or (place - seen[turn.question.id] > 10 and not turn.question.gold)
        seen[turn.question.id] = place
    assert any(turn.question.gold for turn in turns)
    assert any(turn.repeat for turn in turns)


def test_sides_are_drawn_from_the_person_and_the_question(asked):
    sides = {name: [left_of(asked, name, question, False) for question in asked.questions] for name in ("ana", "bo")}
    assert sides["ana"] != sides["bo"]
    assert 8 < sum(sides["ana"]) < 32


@pytest.mark.parametrize("choice", ["", "first", "3", "<script>"])
def test_an_answer_that_no_page_sends_is_refused(tmp_path, choice):
    collector = Collector(tmp_path, plain_collection(), [])
    with pytest.raises(UsageError, match="is not an answer"):
        say(collector, "ana", choice)
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_rating_is_a_number_of_one_to_five(tmp_path):
    collector = Collector(tmp_path, plain_collection(mode="rate"), [])
    say(collector, "ana", "5")
    with pytest.raises(UsageError, match="is not an answer"):
        say(collector, "ana", "6")
