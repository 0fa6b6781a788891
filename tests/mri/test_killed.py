"""A report that is interrupted: killed, stopped by Ctrl-C, or kept out of its folder by another."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from ascii_maze.cli import main
from ascii_maze.errors import AsciiMazeError
from ascii_maze.files import MARK, output_folder
from ascii_maze.mri import run
from ascii_maze.mri.options import Options
from ascii_maze.mri.run import write_report

MAZES, SEED = 20, 3
# Writes a report, and is killed at the call of `on_progress` or of `move_inside` whose turn it is.
KILLED = """
import json, os, signal, sys
from pathlib import Path
from ascii_maze.mri import causes, run
from ascii_maze.mri.options import Options

what, turn, base, adapters, dataset, out, mazes, seed = json.loads(sys.argv[1])
causes.PATCHED_READS = 2
calls = 0

def count(*arguments):
    global calls
    calls += 1
    if calls == turn:
        os.kill(os.getpid(), signal.SIGKILL)

if what == "move_inside":
    move = run.move_inside
    run.move_inside = lambda *arguments: count() or move(*arguments)
watch = count if what == "on_progress" else None
options = Options(limit=mazes, seed=seed, patch_mazes=2, cause_mazes=2)
run.write_report(base, adapters, dataset, "test", Path(out), options, watch)
"""


def files_of(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MARK
    }


@pytest.fixture(scope="module")
def told():
    """Every call of `on_progress` while `whole` is made."""
    return []


@pytest.fixture(scope="module")
def report(adapters, dataset):
    """Makes a small report in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ascii_maze.mri.causes.PATCHED_READS", 2)
        yield lambda out, on_progress=None: write_report(
            "tiny",
            {"random": adapters["random"]},
            str(dataset),
            "test",
            out,
            Options(limit=MAZES, seed=SEED, patch_mazes=2, cause_mazes=2),
            on_progress,
        )


@pytest.fixture(scope="module")
def whole(report, told, tmp_path_factory):
    """The folder of a report that nothing has interrupted."""
    out = tmp_path_factory.mktemp("whole")
    report(out, on_progress=lambda *call: told.append(call))
    return out


@pytest.mark.parametrize("what", ["on_progress", "move_inside"])
def test_a_killed_report_is_made_by_the_same_command(what, report, whole, told, adapters, dataset, tmp_path):
    turn = int(np.random.default_rng(11).integers(1, {"on_progress": len(told), "move_inside": len(run.REPORT)}[what]))
    out, temporary = tmp_path / "mri", tmp_path / "temporary"
    temporary.mkdir()
    question = (what, turn, "tiny", {"random": adapters["random"]}, str(dataset), str(out), MAZES, SEED)
    child = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(question)],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()[-2000:]
    assert not (out / "mri.json").exists()
    assert list((out / ".unfinished").rglob("*.safetensors"))
    assert not list(temporary.rglob("*.safetensors"))
    report(out)
    assert files_of(out) == files_of(whole)
    assert not (out / ".unfinished").exists()


def test_a_report_replaces_the_one_before_it_when_it_is_done_and_nothing_else(report, whole, tmp_path):
    with output_folder(tmp_path):
        (tmp_path / "figures").mkdir()
        (tmp_path / "figures" / "gone_drift.png").write_bytes(b"of an adapter that is no longer asked for")
    (tmp_path / "notes.txt").write_text("mine")
    before = files_of(tmp_path)

    def stop(what, done, total):
        if what == "figures":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report(tmp_path, on_progress=stop)
    assert files_of(tmp_path) == before
    report(tmp_path)
    assert files_of(tmp_path) == {**files_of(whole), "notes.txt": b"mine"}


def test_two_reports_do_not_share_a_folder(report, tmp_path):
    with output_folder(tmp_path), pytest.raises(AsciiMazeError, match="another ascii-maze process is writing to"):
        report(tmp_path)


def test_what_another_command_has_left_unfinished_stays(report, tmp_path):
    with output_folder(tmp_path):
        (tmp_path / ".unfinished" / "answers").mkdir(parents=True)
        with run.scratch_folder(tmp_path) as scratch:
            (scratch / "activations").write_bytes(b"")
    assert [path.name for path in (tmp_path / ".unfinished").iterdir()] == ["answers"]


def test_ctrl_c_says_one_line_and_how_to_go_on(monkeypatch, capsys, tmp_path):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("ascii_maze.mri.run.write_report", stop)
    monkeypatch.setattr("sys.argv", ["ascii-maze", "mri", "--adapter", "x=y", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert capsys.readouterr().err == (
        "ascii-maze: interrupted; run the same command again; a report starts from the beginning\n"
    )
