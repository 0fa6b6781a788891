import html
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ascii_maze.errors import UsageError
from ascii_maze.evaluation.findings import best_rule
from ascii_maze.recipe import Budget, find_recipe, load_recipe
from ascii_maze.recipe.methods import METHODS
from ascii_maze.study.findings import ALIKE
from ascii_maze.study.pairs import chain_of, default_pairs, planned_pairs, start_of
from ascii_maze.study.plan import Stage, plan, starts_of
from ascii_maze.study.results import interval, mazes_seen
from ascii_maze.study.runner import Progress
from ascii_maze.study.settings import load_study
from ascii_maze.study.tuning import tuning_of
from ascii_maze.study.view import around, clock, line_of, plan_lines, table_of, time_left

ROOT = Path(__file__).parents[2]


def test_an_interval_of_a_rate_is_of_seeds_and_mazes():
    ten = np.array([1.0] * 8 + [0.0] * 2)
    assert interval([ten]) == interval([ten, ten]) == pytest.approx([0.4902, 0.9433], abs=1e-4)  # Wilson's
    low, high = interval([ten, 1 - ten])
    assert (low, high) == (0.0, 1.0)
    many = [np.repeat([1.0, 0.0], [right, 1000 - right]) for right in (800, 820, 810, 790, 800)]
    low, high = interval(many)
    assert low < 0.78 < 0.804 < 0.82 < high


def test_the_best_rule_is_one_that_does_not_know_the_solution():
    rates = {"sft": 0.9, "greedy": 0.6, "random_walk": 0.1, "wall_follower": 0.3, "shortest_path": 1.0}
    models = {name: {"test": {"optimal": rate}} for name, rate in rates.items()}
    assert best_rule(models, "test") == "greedy"
    assert best_rule({"sft": models["sft"]}, "test") is None


def test_mazes_that_a_run_has_seen():
    metrics = {"method": "sft", "samples": 900, "dataset": {"rows": 2000}}
    assert mazes_seen(metrics, 8) == 900
    assert mazes_seen({**metrics, "method": "grpo"}, 9) == 100
    assert mazes_seen({**metrics, "samples": 5000}, 8) == 2000
    assert mazes_seen({"method": "sft", "samples": 900}, 8) is None


def test_what_a_method_starts_from():
    assert start_of({"adapter_name_or_path": "sft", "reward_model_name_or_path": "reward"}) == "sft"
    assert start_of({}) == "base"
    starts = {"sft": {}, "reward": {"adapter_name_or_path": "sft"}}
    starts["rlhf"] = {"adapter_name_or_path": "sft", "reward_model_name_or_path": "reward"}
    assert chain_of("rlhf", starts) == ["sft", "reward"]
    assert chain_of("sft", starts) == []


def test_the_contrasts_that_are_planned():
    starts = {"sft": "base", "sft_twice": "sft", "dpo": "sft", "grpo": "sft"}
    expected = [("sft", "base"), ("sft_twice", "sft"), ("dpo", "sft"), ("grpo", "sft")]
    expected += [("dpo", "sft_twice"), ("grpo", "sft_twice"), ("grpo", "dpo")]
    assert default_pairs(list(starts), starts) == expected
    assert default_pairs(["sft", "grpo"], starts) == [("sft", "base"), ("grpo", "sft")]
    study = load_study(None)
    recipes = {name: load_recipe(path) for name, path in study.recipes.items()}
    pairs = planned_pairs(study, recipes, starts_of(study, recipes))
    assert {"sft", "orpo", "dpo", "rlhf"} == {a for a, _ in pairs}
    assert "reward" not in {name for pair in pairs for name in pair}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([["sft", "reward"]], "'reward' is a reward model"),
        ([["sft", "bsae"]], "no 'bsae' in this study; did you mean 'base'"),
    ],
)
def test_a_contrast_is_of_models_that_walk(pairs, message):
    study = replace(load_study(None), contrasts=pairs)
    with pytest.raises(UsageError, match=message):
        plan(study, Path("out"))


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
    assert lines[0] == "a: about 2:00"
    assert lines[1] == "    ascii-maze a"
    assert lines[-1] == "2 stages, about 2:00 and 1 of unknown time"
    stated = replace(stages(tmp_path)[1], minutes=None, needs=("a",), note="a minute on two cores.")
    assert plan_lines([stated])[0] == f"{stated.name}: after a; a minute on two cores."


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.4, "1:05"), (7265, "2:01:05")])
def test_clock(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize("file", ["recipes/tiny/study.yaml", "recipes/tiny/paper.yaml"])
def test_every_method_of_a_study_that_ships_has_the_same_tokens_trials_and_selection(file):
    study = load_study(find_recipe(file))
    recipes = {name: load_recipe(path) for name, path in study.recipes.items()}
    assert plan(study, Path("out"))
    starts = starts_of(study, recipes)
    tokens = {}
    for name, recipe in recipes.items():
        budgets = [Budget.parse(recipes[run].values["budget"]) for run in (name, *chain_of(name, starts))]
        assert {budget.unit for budget in budgets} == {"tokens"}
        if not METHODS[recipe.method].scores:
            tokens[name] = sum(budget.amount for budget in budgets)
    begin = {name for name in tokens if recipes[name].method == "sft" and start_of(starts[name]) == "base"}
    assert {tokens.pop(name) for name in begin} == {60_000}
    assert set(tokens.values()) == {180_000}
    walkers = [{**recipes[name].values, **study.overrides} for name in (*begin, *tokens)]
    for key in ("dataset_test_split", "eval_limit", "eval_steps"):
        assert len({values.get(key) for values in walkers}) == 1, key
    assert walkers[0]["dataset_test_split"] == "validation"
    assert study.overrides["eval_on_start"]  # curves begin at step 0
    assert study.overrides["eval_limit"] >= 100
    for recipe in recipes.values():
        found = tuning_of(recipe)
        assert found is not None
        assert (found["trials"], found["settings"], found["holds"]) == (12, 2, True)
        assert found["selected_on"] == "validation"
        assert found["budget"] == recipe.values["budget"]


def test_no_method_of_the_published_study_had_more_tokens_trials_or_choice_than_another():
    record = json.loads((ROOT / "benchmarks" / "methods.json").read_text(encoding="utf-8"))
    tokens: dict[int, dict[str, int]] = {}
    for name, runs in record["training"].items():
        for run in runs:
            tuning = run["tuning"]
            assert (tuning["trials"], tuning["settings"], tuning["holds"]) == (12, 2, True), name
            assert {run["selected_on"], tuning["selected_on"]} == {"validation"}, name
            assert run["budget"] == tuning["budget"], name
            if not METHODS[run["method"]].scores:
                tokens.setdefault(run["seed"], {})[name] = run["chain_tokens"]
    assert tokens
    for read in tokens.values():
        first = {read.pop(name) for name in ("sft", "sft_full")}
        # Each run of a chain ends with the step that uses up its tokens.
        assert all(60_000 <= of < ALIKE * 60_000 for of in first), first
        assert all(180_000 <= of < ALIKE * 180_000 for of in read.values()), read
    assert not [sentence for sentence in record["findings"] if "differ in" in sentence]


@pytest.mark.parametrize("page", ["benchmarks/METHODS.md", "docs/paper.html"])
def test_the_pages_of_the_published_study_have_its_findings(page):
    record = json.loads((ROOT / "benchmarks" / "methods.json").read_text(encoding="utf-8"))
    text = html.unescape((ROOT / page).read_text(encoding="utf-8"))
    assert len(record["findings"]) > record["planned"]
    assert [finding for finding in record["findings"] if finding not in text] == []
