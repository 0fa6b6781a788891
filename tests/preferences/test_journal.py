import json
import os

import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.preferences.journal import Event, Journal, check_annotator, kept, mend, read_journals, withdraw


def answer(number, annotator="ana", question="q", **more):
    return Event("answer", number, annotator, f"{question}{number}", "first", **more)


def test_events_come_back_from_several_files_in_each_persons_order(tmp_path):
    one, two = Journal(tmp_path), Journal(tmp_path)
    for journal, event in ((two, answer(2)), (one, answer(0)), (one, answer(1)), (two, answer(0, "bo"))):
        journal.append(event)
    found = read_journals(tmp_path)
    assert [(event.annotator, event.number) for event in found.events] == [
        ("ana", 0),
        ("ana", 1),
        ("ana", 2),
        ("bo", 0),
    ]
    assert found.torn == []


def test_a_torn_last_line_is_dropped_and_cut_off(tmp_path):
    journal = Journal(tmp_path)
    journal.append(answer(0))
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + whole[:20])
    found = read_journals(tmp_path)
    assert found.events == [answer(0)]
    assert found.torn == [journal.path]
    mend(found.torn)
    assert journal.path.read_bytes() == whole


@pytest.mark.parametrize("line", ["{}", "nonsense", "[1]", '{"event": "answer"}', '{"event": "x", "number": 0}'])
def test_a_damaged_line_names_its_place(tmp_path, line):
    journal = Journal(tmp_path)
    journal.append(answer(0))
    with journal.path.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UsageError, match=r"\.jsonl, line 2: "):
        read_journals(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"choice": "<b>"},
        {"left": 2},
        {"seconds": -1},
        {"seconds": "1"},
        {"number": -1},
        {"annotator": "../x"},
        {"number": True},
    ],
)
def test_values_that_no_page_sends_are_refused(tmp_path, change):
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "x.jsonl").write_text(json.dumps({**answer(0)._asdict(), **change}) + "\n")
    with pytest.raises(UsageError, match="line 1: '"):
        read_journals(tmp_path)


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    journal.append(answer(0))
    whole, write = journal.path.read_bytes(), os.write

    def half(descriptor, data):
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:20])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(AsciiMazeError, match=r"not saved: cannot write .*No space left"):
        journal.append(answer(1))
    monkeypatch.undo()
    assert journal.path.read_bytes() == whole
    journal.append(answer(1))
    assert len(read_journals(tmp_path).events) == 2


def test_an_undo_takes_the_last_answer_back():
    events = [answer(0), answer(1), Event("undo", 2, "ana", "q1"), answer(3)]
    assert [event.number for event in kept(events)["ana"]] == [0, 3]
    assert kept([Event("undo", 0, "ana", "q")]) == {}


def test_what_is_withdrawn_is_nowhere_on_the_disk(tmp_path):
    mine, other = Journal(tmp_path), Journal(tmp_path)
    for event in (answer(0), answer(1), Event("undo", 2, "ana", "q1"), answer(3, seconds=3.25, time="2026-01-01")):
        mine.append(event)
    other.append(answer(0, "bo"))
    assert withdraw(tmp_path, "ana") == 2
    assert "ana" not in "".join(path.read_text() for path in tmp_path.rglob("*.jsonl"))
    events = read_journals(tmp_path).events
    assert events[0] == answer(0, "bo")
    assert [(e.event, e.question, e.choice, e.seconds, e.time) for e in events[1:]] == [
        ("withdrawn", "q0", None, None, None),
        ("withdrawn", "q3", None, None, None),
    ]
    with pytest.raises(UsageError, match="no annotator named 'ana'"):
        withdraw(tmp_path, "ana")


def test_two_files_that_tell_different_stories_are_refused(tmp_path):
    for question in ("q", "r"):
        Journal(tmp_path).append(answer(0, question=question))
    with pytest.raises(UsageError, match="is in another file too"):
        read_journals(tmp_path)


@pytest.mark.parametrize("name", ["a/b", "", "..", "-x", "a b", "x" * 65, None, "a\n", "<b>"])
def test_names_that_nobody_may_go_by(name):
    with pytest.raises(UsageError, match="annotator "):
        check_annotator(name)


@pytest.mark.parametrize("name", ["ana", "Zoë", "p.1", "7-x", "x" * 64])
def test_names_that_anybody_may_go_by(name):
    assert check_annotator(name) == name
