"""`ascii-maze annotate` on the command line, as far as it goes without a page."""

import json
import socket

import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.preferences.annotate import Where, annotate, annotate_simulated, withdraw
from ascii_maze.preferences.journal import read_journals
from ascii_maze.preferences.opening import Wishes


def test_a_port_that_is_taken_begins_no_folder(dataset, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(AsciiMazeError, match="Address already in use"):
            annotate(tmp_path / "new", Wishes(str(dataset)), Where(port=other.getsockname()[1]), print)
    assert not (tmp_path / "new").exists()


def test_simulated_answers_resume_and_stay_apart_from_peoples(dataset, tmp_path):
    folder, quiet = tmp_path / "preferences", lambda what, done, total: None
    assert annotate_simulated(folder, Wishes(str(dataset), limit=20), 1, 0.0, 0, quiet) >= 20
    assert annotate_simulated(folder, Wishes(), 1, 0.0, 0, quiet) == 0
    assert all(event.simulated for event in read_journals(folder).events)
    with pytest.raises(UsageError, match="holds simulated answers, and the two are kept apart"):
        annotate(folder, Wishes(), Where(port=0), print)
    with pytest.raises(UsageError, match="was begun with other questions or settings"):
        annotate_simulated(folder, Wishes(str(dataset), limit=21), 1, 0.0, 0, quiet)
    with pytest.raises(UsageError, match="begun with another per_item"):
        annotate_simulated(folder, Wishes(per_item=5), 1, 0.0, 0, quiet)
    assert withdraw(folder, "simulated-1") >= 20
    record = json.loads((folder / "preferences.json").read_text())
    assert record["rows"]["preference/train"] == 0


def test_a_folder_without_a_collection_is_no_place_to_resume(tmp_path):
    with pytest.raises(UsageError, match="holds no preferences to resume"):
        annotate_simulated(tmp_path / "none", Wishes(), 1, 0.0, 0, print)
    assert not (tmp_path / "none").exists()
