import io
from pathlib import Path

import pytest
from rich.console import Console

from ascii_maze.study.plan import Stage
from ascii_maze.study.report import won_and_lost
from ascii_maze.study.results import interval, over_seeds, paired_against, start_of
from ascii_maze.study.runner import Progress
from ascii_maze.study.view import around, clock, line_of, plan_lines, table_of, time_left


def cell(valid: float) -> dict:
    rates = {"valid": valid, "optimal": valid / 2, "reaches_goal": 1.0, "legal": 1.0, "parsed": 1.0}
    return {"n": 10, **rates, "valid_ci": [0.1, 0.9], "by_size": {"4x4": {"n": 10, "valid": valid}}}


def test_rates_over_seeds():
    evaluations = [(seed, {"models": {"sft": {"test": cell(valid)}}}) for seed, valid in ((0, 0.8), (1, 0.9))]
    found = over_seeds(evaluations)["sft"]["test"]
    assert found["valid"] == pytest.approx(0.85)
    assert found["optimal"] == pytest.approx(0.425)
    assert found["seeds"]["1"]["valid"] == 0.9
    # Student's t with one degree of freedom is 12.706; the standard error of 0.8 and 0.9 is 0.05.
    assert found["valid_ci"] == pytest.approx([0.85 - 12.706 * 0.05, 1.0], abs=1e-4)
    assert over_seeds(evaluations[:1])["sft"]["test"]["valid_ci"] == [0.1, 0.9]
    assert interval([0.5, 0.5]) is None


def test_tests_are_turned_so_that_the_method_wins():
    test = {"split": "test", "a": "sft", "b": "dpo", "only_a": 3, "only_b": 5, "p": 0.7, "p_holm": 1.0}
    turned = {"split": "test", "a": "dpo", "b": "base", "only_a": 9, "only_b": 1, "p": 0.02, "p_holm": 0.04}
    found = paired_against("dpo", "sft", [(0, {"paired": [test, turned]})])
    assert [(row["won"], row["lost"]) for row in found["sft"]["test"]] == [(5, 3)]
    assert [(row["won"], row["lost"]) for row in found["base"]["test"]] == [(9, 1)]
    assert won_and_lost(found["base"]["test"]) == "+9 -1, p 0.04"
    assert won_and_lost(None) == ""


def test_what_a_method_starts_from():
    assert start_of({"adapter_name_or_path": "sft", "reward_model_name_or_path": "reward"}) == "sft"
    assert start_of({}) == "base"


def stages(tmp_path):
    return [Stage(name, (name,), tmp_path / name, minutes=minutes) for name, minutes in (("a", 2), ("b", None))]


def test_the_time_that_is_left(tmp_path):
    first, second = (Progress(stage) for stage in stages(tmp_path))
    assert time_left([first, second]) == "about 2:00 left and 1 stage of unknown length"
    first.state, first.seconds = "running", 30
    second.state = "kept"
    assert time_left([first, second]) == "about 1:30 left"
    first.state, first.note = "failed", "no space"
    assert time_left([first, second]) == ""
    assert line_of(first) == "a: failed 0:30; no space"


def known(name: str, state: str, seconds: float = 0.0, minutes: float | None = 1.0) -> Progress:
    return Progress(Stage(name, (name,), Path(name), minutes=minutes), state, seconds)


def test_the_time_that_is_left_goes_by_the_pace_so_far():
    progress = [known("a", "done", 180), known("b", "kept", 7), known("c", "running", 30), known("d", "waiting")]
    assert time_left(progress) == "about 5:30 left"
    progress += [known("e", "waiting", minutes=None), known("f", "waiting", minutes=None)]
    assert time_left(progress) == "about 5:30 left and 2 stages of unknown length"
    assert time_left([known("a", "done", 9, None), known("c", "running", 90)]) == "about 0:00 left"


def test_where_a_terminal_has_room_for_some_the_one_that_runs_is_among_them():
    progress = [known(str(number), "done" if number < 7 else "waiting") for number in range(20)]
    assert [mine.stage.name for mine in around(progress, 5)] == ["5", "6", "7", "8", "9"]
    assert [mine.stage.name for mine in around(progress[7:], 5)] == ["7", "8", "9", "10", "11"]
    assert around(progress[:7], 5) == progress[2:7]
    assert around(progress, None) == around(progress, 20) == progress


def test_a_table_fits_its_terminal():
    progress = [known(f"train-{number}", "done" if number < 7 else "waiting") for number in range(40)]
    progress[7].state, progress[7].note = "running", "[bold]a note that is longer than there is room for: " + "x" * 100
    console = Console(width=80, height=24, file=io.StringIO(), force_terminal=True)
    console.print(table_of(progress, 18))
    lines = console.file.getvalue().splitlines()
    assert len(lines) < 24
    assert any("train-7" in line and "[bold]a note" in line and "…" in line for line in lines)
    assert "18 of 40 stages; about" in lines[-1]


def test_the_plan_in_words(tmp_path):
    lines = plan_lines(stages(tmp_path))
    assert lines[0] == "a: about 2:00; after nothing"
    assert lines[1] == "    ascii-maze a"
    assert lines[-1] == "2 stages, about 2:00 and 1 unknown"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.4, "1:05"), (7265, "2:01:05")])
def test_clock(seconds, text):
    assert clock(seconds) == text
