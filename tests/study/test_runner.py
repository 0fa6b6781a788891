"""Stages of a line of Python each, as real processes."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.study.plan import OUT, Stage
from ascii_maze.study.runner import FOLLOW, last_line, run_stages

# Appends a line to a journal, so that a test sees how often it has run, and writes the sum of what came before.
WORK = """
import pathlib, sys
out, *before = map(pathlib.Path, sys.argv[1:])
print("at work on", out.parent.name)
out.parent.mkdir(parents=True, exist_ok=True)
with (out.parent.parent / "journal").open("a") as journal: journal.write(out.parent.name + "\\n")
out.write_text(str(1 + sum(int(path.read_text()) for path in before)))
"""
FAIL = "import sys; print('before'); sys.exit('it cannot be done')"


def stage(out: Path, name: str, *needs: str, program: str = WORK, inputs: tuple[str, ...] = ()) -> Stage:
    before = [str(out / need / "product") for need in needs]
    launcher = (sys.executable, "-c", program)
    command = (str(out / name / "product"), *before)
    return Stage(name, command, out / name / "product", needs=needs, launcher=launcher, inputs=inputs)


def states(progress) -> dict[str, str]:
    return {mine.stage.name: mine.state for mine in progress}


def journal(out: Path) -> list[str]:
    return (out / "journal").read_text().split()


def test_stages_run_in_order_and_once(tmp_path):
    stages = [stage(tmp_path, "a"), stage(tmp_path, "b", "a"), stage(tmp_path, "c", "a", "b")]
    assert states(run_stages(stages, tmp_path)) == dict.fromkeys("abc", "done")
    assert (tmp_path / "c" / "product").read_text() == "4"
    assert last_line(tmp_path / "stages" / "c.log") == "at work on c"
    assert states(run_stages(stages, tmp_path)) == dict.fromkeys("abc", "kept")
    assert journal(tmp_path) == ["a", "b", "c"]


def test_what_has_changed_is_made_anew_with_all_that_rests_on_it(tmp_path):
    run_stages([stage(tmp_path, "a"), stage(tmp_path, "b"), stage(tmp_path, "c", "b")], tmp_path)
    changed = [stage(tmp_path, "a"), stage(tmp_path, "b", inputs=("new",)), stage(tmp_path, "c", "b")]
    assert states(run_stages(changed, tmp_path)) == {"a": "kept", "b": "done", "c": "done"}
    assert not (tmp_path / "kept").exists()


def test_a_product_that_is_gone_is_made_again(tmp_path):
    stages = [stage(tmp_path, "a"), stage(tmp_path, "b", "a")]
    run_stages(stages, tmp_path)
    (tmp_path / "a" / "product").unlink()
    record = tmp_path / "stages" / "a.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "seconds": 1000}))
    progress = run_stages(stages, tmp_path)
    assert states(progress) == {"a": "done", "b": "kept"}
    assert progress[0].seconds < 1000  # they are of what is gone


# Makes what a real stage does: files in folders, a card, something hidden, and its product last.
MAKE = """
import pathlib, sys
out = pathlib.Path(sys.argv[1])
for name in ("model.safetensors", "prompts/test.parquet", "README.md", ".cache/x"):
    (out.parent / name).parent.mkdir(parents=True, exist_ok=True)
    (out.parent / name).write_text(" ".join(map(str, range(9))))
out.write_text("made")
"""
NAN = "nan nan"


@pytest.mark.parametrize(
    ("spoil", "states_then"),
    [
        (lambda made: None, {"a": "kept", "b": "kept"}),
        (lambda made: (made / "model.safetensors").write_text(NAN), {"a": "done", "b": "kept"}),
        (lambda made: (made / "model.safetensors").unlink(), {"a": "done", "b": "kept"}),
        (lambda made: (made / "prompts" / "test.parquet").unlink(), {"a": "done", "b": "kept"}),
        (lambda made: shutil.rmtree(made / "prompts"), {"a": "done", "b": "kept"}),
        (lambda made: shutil.rmtree(made), {"a": "done", "b": "kept"}),
        (lambda made: (made / "README.md").write_text("words of my own"), {"a": "kept", "b": "kept"}),
        (lambda made: (made / "notes.txt").touch(), {"a": "kept", "b": "kept"}),
        (lambda made: shutil.rmtree(made / ".cache"), {"a": "kept", "b": "kept"}),
    ],
)
def test_what_a_stage_made_is_checked_before_it_is_kept(tmp_path, spoil, states_then):
    stages = [stage(tmp_path, "a", program=MAKE), stage(tmp_path, "b")]
    stages[1] = dataclasses.replace(stages[1], needs=("a",))
    assert states(run_stages(stages, tmp_path)) == {"a": "done", "b": "done"}
    spoil(tmp_path / "a")
    assert states(run_stages(stages, tmp_path)) == states_then
    assert (tmp_path / "a" / "model.safetensors").read_text() != NAN
    assert states(run_stages(stages, tmp_path)) == {"a": "kept", "b": "kept"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        *(("notes.txt", "mine"), ("prompts/more.parquet", "mine"), ("README.md", "mine"), ("model.safetensors", NAN)),
        ("recipe.yaml", "mine"),  # a training's, but this stage is finished and made none
    ],
)
def test_a_stage_made_anew_keeps_files_of_others_and_files_that_were_changed(tmp_path, path, text):
    run_stages([stage(tmp_path, "a", program=MAKE)], tmp_path)
    (tmp_path / "a" / path).write_text(text)
    (tmp_path / "a" / "checkpoint-3").mkdir()
    shutil.rmtree(tmp_path / "a" / ".cache")
    for number in (1, 2):
        again = [stage(tmp_path, "a", program=MAKE, inputs=(str(number),))]
        assert states(run_stages(again, tmp_path)) == {"a": "done"}
        shutil.rmtree(tmp_path / "a" / ".cache")
    kept = [file for file in (tmp_path / "kept").rglob("*") if file.is_file()]
    assert [(str(file.relative_to(tmp_path / "kept")), file.read_text()) for file in kept] == [(f"a-1/{path}", text)]


def test_it_is_said_where_the_files_of_others_are(tmp_path):
    run_stages([stage(tmp_path, "a")], tmp_path)
    (tmp_path / "a" / "notes.txt").touch()
    (done,) = run_stages([stage(tmp_path, "a", inputs=("new",))], tmp_path)
    assert done.note == f"files that may be yours were moved to {tmp_path / 'kept' / 'a-1'}"
    assert done.note in (tmp_path / "stages" / "a.log").read_text()


def test_what_is_made_otherwise_the_second_time_is_read_again_by_what_rests_on_it(tmp_path):
    """As where a device computes a little otherwise each time: the evaluation is then of the new weights."""
    program = MAKE + "(out.parent / 'model.safetensors').write_text(str(__import__('time').time_ns()))"
    stages = [stage(tmp_path, "a", program=program), stage(tmp_path, "b")]
    stages[1] = dataclasses.replace(stages[1], needs=("a",))
    run_stages(stages, tmp_path)
    (tmp_path / "a" / "model.safetensors").write_text(NAN)
    assert states(run_stages(stages, tmp_path)) == {"a": "done", "b": "done"}


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"key": "x", "more": 1}'])
def test_a_record_that_is_none_of_ours_is_no_reason_to_keep_anything(tmp_path, text):
    stages = [stage(tmp_path, "a")]
    run_stages(stages, tmp_path)
    (tmp_path / "stages" / "a.json").write_text(text)
    assert states(run_stages(stages, tmp_path)) == {"a": "done"}


def test_a_failure_costs_what_needs_it_alone(tmp_path):
    stages = [stage(tmp_path, "a", program=FAIL), stage(tmp_path, "b", "a"), stage(tmp_path, "c")]
    progress = run_stages(stages, tmp_path)
    assert states(progress) == {"a": "failed", "b": "left out", "c": "done"}
    assert [mine.note for mine in progress] == ["it cannot be done", "needs a", ""]


def test_a_command_that_makes_nothing_has_failed(tmp_path):
    assert states(run_stages([stage(tmp_path, "a", program="pass")], tmp_path)) == {"a": "failed"}


def test_a_command_that_fails_after_all_is_run_again(tmp_path):
    stages = [stage(tmp_path, "a", program=f"{WORK}\nsys.exit(len(sys.argv) == 2)"), stage(tmp_path, "b")]
    assert states(run_stages(stages, tmp_path)) == {"a": "failed", "b": "done"}
    assert states(run_stages(stages, tmp_path)) == {"a": "failed", "b": "kept"}
    assert journal(tmp_path) == ["a", "b", "a"]


def test_while_it_runs_nothing_says_that_it_is_finished_and_its_seconds_add_up(tmp_path):
    record = tmp_path / "stages" / "a.json"
    program = f"{WORK}\nout.write_text(pathlib.Path({str(record)!r}).read_text())"
    run_stages([stage(tmp_path, "a", program=program)], tmp_path)
    assert not json.loads((tmp_path / "a" / "product").read_text())["finished"]
    values = json.loads(record.read_text())
    record.write_text(json.dumps({**values, "finished": False, "seconds": 1000}))
    (progress,) = run_stages([stage(tmp_path, "a", program=program)], tmp_path)
    assert progress.seconds > 1000
    assert json.loads(record.read_text())["seconds"] > 1000


def test_a_command_that_was_killed_says_so(tmp_path):
    killed = "import os; print('at work', flush=True); os.kill(os.getpid(), 9)"
    (progress,) = run_stages([stage(tmp_path, "a", program=killed)], tmp_path)
    assert (progress.state, progress.note) == ("failed", "ended by signal 9, Killed")


def test_of_a_launcher_s_failure_the_command_s_own_error_is_said(tmp_path):
    program = "print('ascii-maze: no such recipe'); raise SystemExit('CalledProcessError: exit status 2')"
    (progress,) = run_stages([stage(tmp_path, "a", program=program)], tmp_path)
    assert (progress.state, progress.note) == ("failed", "ascii-maze: no such recipe")


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("first\nlast\n\n", "last"),
        ("\r 27%|##  | 4/15\r\n\r100%|####| 1/1\x1b[A\n{'loss': '0.1'}\n", "27%|##  | 4/15"),
        ("\x1b[A\x1b[31mred\x1b[0m\x07", "red\\x07"),
        ("100%|####| 57/57", ""),
        ("", ""),
    ],
)
def test_the_newest_line_that_says_what_goes_on(tmp_path, log, line):
    (tmp_path / "log").write_text(log)
    assert last_line(tmp_path / "log") == line
    assert last_line(tmp_path / "none") == ""


def test_what_is_used_is_used_where_it_is_there(tmp_path):
    both = {name: (str(tmp_path / name / "product"),) for name in "ab"}
    summed = Stage(
        "sum", (str(tmp_path / "sum" / "product"),), tmp_path / "sum" / "product", uses=both, needs_one=True,
        launcher=(sys.executable, "-c", WORK),
    )  # fmt: skip
    failing, working = stage(tmp_path, "a", program=FAIL), stage(tmp_path, "b")
    assert states(run_stages([failing, working, summed], tmp_path))["sum"] == "done"
    assert (tmp_path / "sum" / "product").read_text() == "2"
    assert states(run_stages([stage(tmp_path, "a"), working, summed], tmp_path)) == {
        "a": "done",
        "b": "kept",
        "sum": "done",
    }
    assert (tmp_path / "sum" / "product").read_text() == "3"
    alone = [stage(tmp_path / "alone", "a", program=FAIL), summed]
    assert states(run_stages(alone, tmp_path / "alone"))["sum"] == "left out"


# Ends once the other of two is running too, and fails where it waits in vain.
MEET = """
import pathlib, sys, time, os
out = pathlib.Path(sys.argv[1])
out.parent.mkdir(parents=True, exist_ok=True)
(out.parent / "here").write_text(os.environ["ASCII_MAZE_JOBS"])
others = [out.parent.parent / name / "here" for name in "bc"]
for _ in range(200):
    if all(other.exists() for other in others):
        out.write_text("1")
        sys.exit()
    time.sleep(0.05)
sys.exit("nobody came")
"""


def test_stages_that_need_nothing_of_each_other_run_at_once(tmp_path):
    stages = [
        stage(tmp_path, "a"),
        stage(tmp_path, "b", "a", program=MEET),
        stage(tmp_path, "c", "a", program=MEET),
        stage(tmp_path, "d", "b", "c"),
    ]
    assert states(run_stages(stages, tmp_path, jobs=2)) == dict.fromkeys("abcd", "done")
    assert journal(tmp_path) == ["a", "d"]
    assert (tmp_path / "b" / "here").read_text() == "2"
    assert states(run_stages(stages, tmp_path, jobs=3)) == dict.fromkeys("abcd", "kept")


def test_interrupted_every_command_that_runs_is_ended(tmp_path):
    # A shell that starts a suite in the background has it ignore SIGINT, and so do its children.
    waits = """
import pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
here = pathlib.Path(sys.argv[1]).parent / "here"
here.parent.mkdir(parents=True, exist_ok=True)
here.touch()
time.sleep(60)
"""
    stages = [stage(tmp_path, name, program=waits) for name in "ab"]

    def interrupt(progress):
        if all((tmp_path / name / "here").exists() for name in "ab"):
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_stages(stages, tmp_path, on_progress=interrupt, jobs=2)
    assert time.monotonic() - began < 30
    assert not any(json.loads((tmp_path / "stages" / f"{name}.json").read_text())["finished"] for name in "ab")


def test_no_job_is_no_study(tmp_path):
    with pytest.raises(UsageError, match="--jobs is 0"):
        run_stages([stage(tmp_path, "a")], tmp_path, jobs=0)


def test_one_stage_alone(tmp_path):
    stages = [stage(tmp_path, "a"), stage(tmp_path, "b", "a")]
    with pytest.raises(UsageError, match="'b' needs a, which has not been run"):
        run_stages(stages, tmp_path, only="b")
    with pytest.raises(UsageError, match="no stage 'x'; expected one of a, b"):
        run_stages(stages, tmp_path, only="x")
    assert states(run_stages(stages, tmp_path, only="a")) == {"a": "done", "b": "waiting"}
    assert states(run_stages(stages, tmp_path, only="b")) == {"a": "kept", "b": "done"}


DRIVER = """
import sys
from pathlib import Path
from ascii_maze.study.runner import run_stages
from tests.study.test_runner import slow_stages
run_stages(slow_stages(Path(sys.argv[1])), Path(sys.argv[1]))
"""
# Works in ten small steps, each of which it keeps, as a run does with its checkpoints; ends when its parent is gone.
SLOW = f"""
import time
from ascii_maze.study.runner import follow_parent
follow_parent()
import pathlib, sys
out, *before = map(pathlib.Path, sys.argv[1:])
out.parent.mkdir(parents=True, exist_ok=True)
kept = out.parent / "kept"
for step in range(int(kept.read_text()) if kept.exists() else 0, 10):
    time.sleep(0.02)
    (out.parent / "new").write_text(str(step + 1)); (out.parent / "new").replace(kept)
{WORK}
"""


def slow_stages(out: Path) -> list[Stage]:
    return [stage(out, "a", program=SLOW), stage(out, "b", "a", program=SLOW), stage(out, "c", "a", "b", program=SLOW)]


def test_killed_at_twenty_moments_it_ends_as_if_it_had_not_been(tmp_path):
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "killed")]
    for moment in range(20):
        running = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL)
        time.sleep(0.3 + 0.07 * moment)
        running.send_signal(signal.SIGKILL)
        running.wait()
    subprocess.run(command, cwd=root, check=True, timeout=600)
    run_stages(slow_stages(tmp_path / "whole"), tmp_path / "whole")
    for name in "abc":
        assert (tmp_path / "killed" / name / "product").read_text() == (
            tmp_path / "whole" / name / "product"
        ).read_text()
        assert json.loads((tmp_path / "killed" / "stages" / f"{name}.json").read_text())["finished"]


@pytest.mark.parametrize("seconds", [0, 1.5])  # the command has not begun to watch its parent yet, or it has
def test_a_command_ends_with_the_study_that_started_it(seconds):
    forever = "import time; from ascii_maze.study.runner import follow_parent; follow_parent(); time.sleep(600)"
    starter = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], env={{**os.environ, "{FOLLOW}": str(os.getpid())}})
print(child.pid, flush=True)
child.wait()
"""
    parent = subprocess.Popen([sys.executable, "-c", starter, forever], stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    time.sleep(seconds)
    parent.kill()
    parent.wait()
    for _ in range(300):
        if not Path(f"/proc/{child}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists()


# As what a launcher has started: it knows of no study, and goes on when that is killed.
ALONE = """
import sys, time
from pathlib import Path
from ascii_maze.study.runner import run_stages
from tests.study.test_runner import stage
program = '''
import pathlib, sys, time
out = pathlib.Path(sys.argv[1])
out.parent.mkdir(parents=True, exist_ok=True)
journal = out.parent.parent / "journal"
with journal.open("a") as file: file.write("begun ")
time.sleep(3)
with journal.open("a") as file: file.write("ended ")
out.write_text("")
'''
run_stages([stage(Path(sys.argv[1]), "a", program=program)], Path(sys.argv[1]))
"""


def test_a_study_waits_for_what_a_killed_one_has_left_running(tmp_path):
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", ALONE, str(tmp_path)]
    first = subprocess.Popen(command, cwd=root)
    while first.poll() is None and not (tmp_path / "journal").exists():
        time.sleep(0.01)
    first.kill()
    first.wait()
    subprocess.run(command, cwd=root, check=True, timeout=60)
    assert journal(tmp_path) == ["begun", "ended"] * 2


def test_a_second_study_waits_for_the_first(tmp_path):
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", DRIVER, str(tmp_path)]
    runs = [subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [run.communicate(timeout=600)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert journal(tmp_path) == ["a", "b", "c"]
    assert sum("another ascii-maze process is writing to" in text for text in told) == 1


def placed(out: Path, name: str, program: str, keeps_names: bool) -> Stage:
    """A stage that names the study's folder as those of a plan do."""
    return Stage(
        name, (f"{OUT}/{name}/product",), Path(name, "product"), names={OUT: str(out)},
        launcher=(sys.executable, "-c", program), keeps_names=keeps_names,
    )  # fmt: skip


# Writes what it had begun, and ends as its first word says.
BEGIN = """
import pathlib, sys
out = pathlib.Path(sys.argv[1])
out.parent.mkdir(parents=True, exist_ok=True)
with (out.parent / "begun").open("a") as begun: begun.write(str(out.parent.parent.name) + " ")
if out.parent.parent.name == "old" and out.parent.name != "whole": sys.exit("cut")
out.write_text((out.parent / "begun").read_text())
"""


def test_a_study_that_has_moved_keeps_what_is_finished_and_goes_on_with_the_rest(tmp_path):
    def stages(out: Path) -> list[Stage]:
        return [placed(out, name, BEGIN, name == "bound") for name in ("whole", "free", "bound")]

    old, new = tmp_path / "old", tmp_path / "new"
    assert states(run_stages(stages(old), old)) == {"whole": "done", "free": "failed", "bound": "failed"}
    old.rename(new)
    assert states(run_stages(stages(new), new)) == {"whole": "kept", "free": "done", "bound": "done"}
    assert (new / "free" / "product").read_text() == "old new "
    assert (new / "bound" / "product").read_text() == "new "
    told = (new / "stages" / "bound.log").read_text()
    moved = f"files that may be yours were moved to {new / 'kept' / 'bound-1'}"  # what had been begun has no record
    assert told == f"run again: it was begun as {old / 'bound'}, and interrupted there; {moved}\n"
