import os
import subprocess
import sys

import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import MARK, is_ours, output_folder, remove_inside

HOLD = """
import sys
from pathlib import Path
from ascii_maze.files import output_folder
with output_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_held_by_one_process_at_a_time_however_that_ends(tmp_path):
    out = tmp_path / "out"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(AsciiMazeError, match=f"another ascii-maze process is writing to {out}"),
            output_folder(out),
        ):
            pass
        other.kill()
        other.wait()
    with output_folder(out):
        assert is_ours(out)


def test_only_a_folder_that_was_new_or_empty_is_ours(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes.txt").write_text("mine")
    for name, ours in (("new/inner", True), ("empty", True), ("theirs", False)):
        for _ in range(2):  # the second time, what the first has written is there
            with output_folder(tmp_path / name):
                assert is_ours(tmp_path / name) is ours


@pytest.mark.parametrize("path", ["", ".", "..", "../out", "../other", "../../out/inner", "link/inner", "inner/../.."])
def test_nothing_is_removed_that_is_not_strictly_inside(tmp_path, path):
    out, other = tmp_path / "out", tmp_path / "other"
    with output_folder(out):
        (out / "inner").mkdir()
        (other / "inner").mkdir(parents=True)
        (out / "link").symlink_to(other)
    before = sorted(map(str, tmp_path.rglob("*")))
    with pytest.raises(AsciiMazeError, match="not inside"):
        remove_inside(out / path, out)
    assert sorted(map(str, tmp_path.rglob("*"))) == before


def test_nothing_is_removed_from_a_folder_of_somebody_else(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with output_folder(tmp_path), pytest.raises(AsciiMazeError, match="was not made by ascii-maze"):
        remove_inside(tmp_path / "notes.txt", tmp_path)
    assert (tmp_path / "notes.txt").exists()


def test_what_lies_inside_is_removed_and_a_link_leaves_what_it_leads_to(tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    (other / "kept").write_text("")
    with output_folder(out):
        (out / "deep" / "er").mkdir(parents=True)
        (out / "file").write_text("")
        (out / "link").symlink_to(other)
        for name in ("deep", "file", "link", "absent"):
            remove_inside(out / name, out)
    assert os.listdir(out) == [MARK]
    assert (other / "kept").exists()


def test_a_file_in_the_place_of_a_folder_is_one_line(tmp_path):
    (tmp_path / "out").write_text("")
    for path in (tmp_path / "out", tmp_path / "out" / "inner"):
        with pytest.raises(UsageError, match="there is a file in its place"), output_folder(path):
            pass
