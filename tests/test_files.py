import ast
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import (
    KINDS,
    MARK,
    UNFINISHED,
    is_ours,
    move_inside,
    new_folder,
    output_folder,
    read_text,
    remove_inside,
    set_aside,
    staged,
    write_new,
    write_text,
)

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
    with pytest.raises(AsciiMazeError, match="not inside"):
        move_inside(out / path, out / "new", out)
    with pytest.raises(AsciiMazeError, match="not inside"):
        move_inside(out / "inner", out / path, out)
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_another_kind_is_refused_and_left_alone(tmp_path, kind):
    (tmp_path / KINDS[kind]).mkdir()
    with output_folder(tmp_path, kind=kind):
        pass
    for other in (*KINDS, "tokenizer"):
        if other != kind:
            message = f"is the folder of a {kind} .*; name another folder"
            with pytest.raises(UsageError, match=message), output_folder(tmp_path, kind=other):
                pass


def test_a_new_file_replaces_none_of_other_content(tmp_path):
    write_new(tmp_path / "file", "prompts")
    write_new(tmp_path / "file", "prompts")
    (tmp_path / "file").write_text("answers")
    with pytest.raises(UsageError, match="file already exists and holds something else"):
        write_new(tmp_path / "file", "prompts")
    assert (tmp_path / "file").read_text() == "answers"


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """A power cut may otherwise leave an empty file under it, which no resumed command can read."""
    synced = []

    def fsync(descriptor):
        assert not (tmp_path / "out").exists()
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(tmp_path / "out", "whole")
    assert synced == [5]
    assert (tmp_path / "out").read_text() == "whole"


def test_a_file_in_the_place_of_a_folder_is_one_line(tmp_path):
    (tmp_path / "out").write_text("")
    for path in (tmp_path / "out", tmp_path / "out" / "inner"):
        with pytest.raises(UsageError, match="a file, or a link to nothing, is in its place"), output_folder(path):
            pass


def copied(out, tmp_path):
    return shutil.copytree(out, tmp_path / "copy")


def copied_over(out, tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").write_text("")
    return shutil.copytree(out, tmp_path / "copy", dirs_exist_ok=True)


def forged(out, tmp_path):
    (tmp_path / "copy" / "deep").mkdir(parents=True)
    (tmp_path / "copy" / MARK).write_text("made by ascii-maze\n")
    return tmp_path / "copy"


def marked_by_a_link(out, tmp_path):
    (tmp_path / "copy" / "deep").mkdir(parents=True)
    (tmp_path / "copy" / MARK).symlink_to(out / MARK)
    return tmp_path / "copy"


def emptied_into_another(out, tmp_path):
    (tmp_path / "copy").mkdir()
    for path in list(out.iterdir()):
        shutil.move(path, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("made", [copied, copied_over, forged, marked_by_a_link, emptied_into_another])
def test_a_mark_that_came_from_elsewhere_allows_nothing(tmp_path, made):
    with output_folder(tmp_path / "out"):
        (tmp_path / "out" / "deep").mkdir()
    folder = made(tmp_path / "out", tmp_path)
    assert not is_ours(folder)
    with pytest.raises(AsciiMazeError, match="was not made by ascii-maze"):
        remove_inside(folder / "deep", folder)
    with pytest.raises(AsciiMazeError, match="was not made by ascii-maze"):
        move_inside(folder / "deep", folder / "moved", folder)
    assert (folder / "deep").is_dir()


def test_a_folder_that_was_renamed_stays_ours(tmp_path):
    with output_folder(tmp_path / "out"):
        (tmp_path / "out" / "deep").mkdir()
    (tmp_path / "out").rename(tmp_path / "renamed")
    remove_inside(tmp_path / "renamed" / "deep", tmp_path / "renamed")
    assert os.listdir(tmp_path / "renamed") == [MARK]


def test_a_mark_that_is_a_link_is_not_written_through(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARK).symlink_to(tmp_path / "notes.txt")
    with pytest.raises(AsciiMazeError, match="cannot write"), output_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "notes.txt").read_text() == ""


def test_a_mark_whose_writer_was_killed_is_written_by_the_next(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARK).write_text("")
    with output_folder(tmp_path / "out"):
        assert is_ours(tmp_path / "out")


def test_ranks_share_a_folder_that_no_other_command_may_then_take(tmp_path):
    out = tmp_path / "out"
    with output_folder(out, shared=True), output_folder(out, shared=True):
        assert is_ours(out)
        with pytest.raises(AsciiMazeError, match="another ascii-maze process"), output_folder(out):
            pass
    with (
        output_folder(out),
        pytest.raises(AsciiMazeError, match="another ascii-maze process"),
        output_folder(out, shared=True),
    ):
        pass


def test_a_worker_that_outlives_its_killed_parent_does_not_keep_the_folder(tmp_path):
    forks = "import os, time\n    if not os.fork():\n        print('held', flush=True)\n        time.sleep(60)\n    "
    program = HOLD.replace('print("held", flush=True)', forks)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=-1, stdout=-1, text=True, start_new_session=True
    ) as other:
        try:
            assert other.stdout.readline() == "held\n"
            other.kill()
            other.wait()
            with output_folder(tmp_path):
                pass
        finally:
            os.killpg(other.pid, 9)


def test_a_file_is_moved_over_another_and_a_folder_to_a_place_that_is_free(tmp_path):
    out = tmp_path / "out"
    with output_folder(out):
        (out / "new" / "inner").mkdir(parents=True)
        (out / "new" / "file").write_text("new")
        (out / "file").write_text("old")
        (out / "full" / "of").mkdir(parents=True)
        move_inside(out / "new" / "file", out / "file", out)
        move_inside(out / "new" / "inner", out / "there" / "inner", out)
        with pytest.raises(AsciiMazeError, match="cannot move"):
            move_inside(out / "new", out / "full", out)
    assert (out / "file").read_text() == "new"
    assert (out / "there" / "inner").is_dir()
    assert (out / "full" / "of").is_dir()


def test_a_new_folder_is_whole_or_not_there(tmp_path):
    def interrupted():
        with new_folder(tmp_path / "out") as folder:
            (folder / "model.safetensors").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(AsciiMazeError, match=r"cannot write .*out: No space left"):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "out") as folder:
        (folder / "model.safetensors").write_text("whole")
    assert (tmp_path / "out" / "model.safetensors").read_text() == "whole"


def test_what_a_killed_process_left_of_a_new_folder_is_removed_by_the_next(tmp_path):
    """Half a model would otherwise lie there for ever, under a name that changes each time."""
    make = "with new_folder(Path(sys.argv[1])) as folder: (folder / 'half').touch(); os._exit(9)"
    program = f"import os, sys\nfrom pathlib import Path\nfrom ascii_maze.files import new_folder\n{make}"
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", program, str(tmp_path / "out")]).returncode == 9
        assert len(os.listdir(tmp_path)) == 1
    with new_folder(tmp_path / "out") as folder:
        (folder / "whole").touch()
        with pytest.raises(AsciiMazeError, match="another ascii-maze process"), new_folder(tmp_path / "out"):
            pass
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["out", "out/whole"]


def test_files_are_not_staged_where_a_link_leads(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes.txt").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / UNFINISHED).symlink_to(tmp_path / "theirs")
    with pytest.raises(AsciiMazeError, match="is a link; remove it"), staged(tmp_path / "out"):
        pass
    assert (tmp_path / "theirs" / "notes.txt").exists()


def test_files_of_others_are_not_taken_for_staged_ones(tmp_path):
    (tmp_path / UNFINISHED).mkdir()
    for folder in (tmp_path, tmp_path / UNFINISHED):
        (folder / "notes.txt").write_text(folder.name)
    with pytest.raises(AsciiMazeError, match="was not made by ascii-maze; move it"), staged(tmp_path) as stage:
        (stage / "notes.txt").write_text("ours")
    assert (tmp_path / "notes.txt").read_text() == tmp_path.name
    assert (tmp_path / UNFINISHED / "notes.txt").read_text() == UNFINISHED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_is_read_once_so_it_may_be_a_pipe(tmp_path, encoding):
    """As `ascii-maze show <(cat maze.txt)` gives one."""
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        pool.submit((tmp_path / "pipe").write_bytes, "#####\r\n#S é#".encode(encoding))
        assert read_text(tmp_path / "pipe") == "#####\n#S é#"


def test_a_text_without_an_end_is_one_line(monkeypatch):
    monkeypatch.setattr("ascii_maze.files.MOST_TEXT", 1_000)
    with pytest.raises(UsageError, match="/dev/zero is larger than 1,000 bytes"):
        read_text(Path("/dev/zero"))


def test_a_file_is_set_aside_only_in_a_folder_of_ours(tmp_path):
    (tmp_path / "results.json").write_text("earlier")
    with pytest.raises(AsciiMazeError, match="was not made by ascii-maze"):
        set_aside(tmp_path / "results.json", tmp_path / "aside", tmp_path)
    with output_folder(tmp_path / "work"):
        with pytest.raises(AsciiMazeError, match="not inside"):
            set_aside(tmp_path / "results.json", tmp_path / "aside", tmp_path / "work")
        set_aside(tmp_path / "results.json", tmp_path / "work" / "aside", tmp_path / "work")
    assert (tmp_path / "work" / "aside").read_text() == "earlier"


def test_staged_files_take_their_places_together_also_after_a_kill(tmp_path):
    (tmp_path / "a").write_text("old")

    def interrupted():
        with staged(tmp_path) as stage:
            (stage / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ((tmp_path / "a").read_text(), (tmp_path / UNFINISHED / "a").read_text()) == ("old", "half")
    with staged(tmp_path) as stage:
        (stage / "a").write_text("new")
        (stage / "inner").mkdir()
        (stage / "inner" / "b").write_text("new")
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {"a", "inner", "inner/b"}
    assert (tmp_path / "a").read_text() == "new"


# What removes or renames, by module and by what it is called on a path. `rmdir` takes empty folders alone.
BY_MODULE = {"os": ("remove", "unlink", "replace", "rename", "renames", "removedirs"), "shutil": ("rmtree", "move")}
ON_A_PATH = ("unlink", "rename")
# Files that do so themselves, and why they may.
ALLOWED = {"ascii_maze/files.py": "it is the one that checks"}
ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for folder in ("ascii_maze", "dataset_builder") for path in (ROOT / folder).rglob("*.py"))


def removals(source: str) -> list[int]:
    """Lines of a program that call something which removes or renames."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module in BY_MODULE:
            lines += [node.lineno for alias in node.names if alias.name in BY_MODULE[node.module]]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "replace":
            lines += [node.lineno] * (len(node.args) == 1 and not node.keywords)  # a path's; a text's takes two
        if not isinstance(node, ast.Attribute):
            continue
        module = node.value.id if isinstance(node.value, ast.Name) else None
        if node.attr in BY_MODULE.get(module, ()) or (module not in BY_MODULE and node.attr in ON_A_PATH):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    "line",
    [
        "shutil.rmtree(x)",
        "os.replace(x, y)",
        "Path(x).unlink()",
        "(x / y).rename(z)",
        "from shutil import rmtree",
        "f = os.remove",
        "Path(x).replace(y)",
    ],
)
def test_a_removal_is_seen(line):
    assert removals(line) == [1]
    assert not removals("text.replace(x, y), dataclasses.replace(x, y=1), shutil.which(x), path.rmdir()")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_removed_or_renamed_past_files(path):
    name = str(path.relative_to(ROOT))
    assert name in ALLOWED or not removals(path.read_text(encoding="utf-8"))


def test_a_name_that_no_record_could_hold_is_refused(tmp_path):
    with pytest.raises(UsageError, match="its name is not UTF-8"), output_folder(tmp_path / "a\udcffb"):
        pass
    assert not list(tmp_path.iterdir())
