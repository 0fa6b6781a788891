"""Stages of a line of Python each, as real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.study.plan import Stage
from ascii_maze.study.runner import FOLLOW, code_digest, last_line, run_stages

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
    (tmp_path / "b" / "left over").touch()
    changed = [stage(tmp_path, "a"), stage(tmp_path, "b", inputs=("new",)), stage(tmp_path, "c", "b")]
    assert states(run_stages(changed, tmp_path)) == {"a": "kept", "b": "done", "c": "done"}
    assert not (tmp_path / "b" / "left over").exists()


def test_a_product_that_is_gone_is_made_again(tmp_path):
    stages = [stage(tmp_path, "a"), stage(tmp_path, "b", "a")]
    run_stages(stages, tmp_path)
    (tmp_path / "a" / "product").unlink()
    assert states(run_stages(stages, tmp_path)) == {"a": "done", "b": "kept"}


def test_a_failure_costs_what_needs_it_alone(tmp_path):
    stages = [stage(tmp_path, "a", program=FAIL), stage(tmp_path, "b", "a"), stage(tmp_path, "c")]
    progress = run_stages(stages, tmp_path)
    assert states(progress) == {"a": "failed", "b": "left out", "c": "done"}
    assert [mine.note for mine in progress] == ["it cannot be done", "needs a", ""]


def test_a_command_that_makes_nothing_has_failed(tmp_path):
    assert states(run_stages([stage(tmp_path, "a", program="pass")], tmp_path)) == {"a": "failed"}


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


def test_a_command_ends_with_the_study_that_started_it(tmp_path):
    forever = "import time; from ascii_maze.study.runner import follow_parent; follow_parent(); time.sleep(600)"
    starter = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', sys.argv[1]]).wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", starter, forever],
        env={**os.environ, FOLLOW: "1"},
        stdout=subprocess.PIPE,
    )  # fmt: skip
    time.sleep(1.5)
    child = int(subprocess.check_output(["pgrep", "-P", str(parent.pid)]))
    parent.kill()
    parent.wait()
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists()


def test_a_second_study_waits_for_the_first(tmp_path):
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", DRIVER, str(tmp_path)]
    runs = [subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [run.communicate(timeout=600)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert journal(tmp_path) == ["a", "b", "c"]
    assert sum("another study is at work" in text for text in told) == 1


def test_the_program_is_part_of_what_a_stage_depends_on():
    assert len(code_digest()) == 64
