"""The search itself, with a training that is a formula; and once with a real one."""

import json
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import output_folder
from ascii_maze.recipe import load_recipe
from ascii_maze.recipe.methods import METHODS
from ascii_maze.recipe.run_metrics import RunMetrics, write_metrics
from ascii_maze.study.runner import Progress
from ascii_maze.study.sweep import search as module
from ascii_maze.study.sweep.report import command_of
from ascii_maze.study.sweep.search import Sweep, check_sweep, last_outcome, outcome_of, search
from ascii_maze.study.sweep.spaces import Range, find_spaces, holds, read_space

RATE = load_recipe("recipes/tiny/sft.yaml").values["learning_rate"]
SPACE = {"learning_rate": Range(1e-4, 1e-1, True), "lora_r": (8, 16, 32)}


def a_sweep(**changes) -> Sweep:
    values = {"recipe": "recipes/tiny/sft.yaml", "words": (), "space": SPACE, "trials": 8, "budget": "steps=2"}
    return Sweep(**{**values, "outcome": "optimal", **changes})


def metrics_of(outcome: float) -> RunMetrics:
    return RunMetrics(
        method="sft",
        base_model="tiny",
        steps=2,
        samples=8,
        tokens=100,
        seconds=1.0,
        peak_memory_bytes=1,
        device="cpu",
        history=[{"step": 1, "eval_optimal": 0.0}, {"step": 2, "eval_optimal": outcome, "eval_valid": 1.0}],
    )


@pytest.fixture
def trained(monkeypatch):
    """Trainings that were asked for; each does better the nearer its learning rate is to 0.01, and worse with 8."""
    asked: list[dict] = []

    def run(stages, out, on_progress=None, jobs=1):
        assert len(stages) <= jobs
        return [train(stage, out) for stage in stages]

    def train(stage, out):
        words = list(stage.words(set()))
        values = {key: float(words[words.index(f"--{key}") + 1]) for key in SPACE}
        asked.append({"name": stage.name, **values})
        if values["learning_rate"] > 0.09:
            return Progress(stage, "failed", 1.0, "the loss is nan")
        rate = 1 - abs(values["learning_rate"] - 0.01) - 0.1 * (values["lora_r"] == 8)
        (out / stage.name).mkdir(exist_ok=True)
        write_metrics(out / stage.name, metrics_of(rate))
        return Progress(stage, "done", 1.0)

    monkeypatch.setattr(module, "run_stages", run)
    return asked


def test_the_recipe_is_the_first_trial_and_the_best_is_the_largest_outcome(trained, tmp_path):
    record = search(a_sweep(), tmp_path / "out")
    assert trained[0] == {"name": "trial-0", "learning_rate": RATE, "lora_r": 32}
    assert [trial["number"] for trial in record["trials"]] == list(range(8))
    assert {trial["state"] for trial in record["trials"]} <= {"complete", "fail"}
    best = record["trials"][record["best"]]
    assert best["outcome"] == max(trial["outcome"] or 0 for trial in record["trials"])
    assert json.loads((tmp_path / "out" / "sweep.json").read_text()) == record
    assert (tmp_path / "out" / "sweep.svg").read_text().count('<g id="axes_') == 2
    assert f"--learning_rate {best['settings']['learning_rate']}" in command_of(record)


def test_an_interrupted_sweep_proposes_what_an_uninterrupted_one_does(trained, tmp_path, monkeypatch):
    whole = search(a_sweep(), tmp_path / "whole")
    run, calls = module.run_stages, []

    def interrupted(stages, out, on_progress=None, jobs=1):
        calls.append(stages[0].name)
        if len(calls) in (1, 4):
            raise KeyboardInterrupt
        return run(stages, out, on_progress, jobs)

    monkeypatch.setattr(module, "run_stages", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            search(a_sweep(), tmp_path / "parts")
    record = search(a_sweep(), tmp_path / "parts")
    assert calls[:5] == ["trial-0", "trial-0", "trial-1", "trial-2", "trial-2"]
    assert [trial["settings"] for trial in record["trials"]] == [trial["settings"] for trial in whole["trials"]]
    assert record["trials"] == whole["trials"]


@pytest.mark.parametrize("call", range(1, 12))
def test_a_sweep_killed_while_it_stores_a_proposal_goes_on_with_the_same(trained, tmp_path, monkeypatch, call):
    from optuna.storages._cached_storage import _CachedStorage as Storage

    whole = search(a_sweep(trials=3), tmp_path / "whole")
    calls = count(1)

    def killed(write):
        def stored(*arguments, **options):
            if next(calls) == call:
                raise KeyboardInterrupt
            return write(*arguments, **options)

        return stored

    with monkeypatch.context() as patch:
        for name in ("create_new_trial", "set_trial_param", "set_trial_state_values"):
            patch.setattr(Storage, name, killed(getattr(Storage, name)))
        with pytest.raises(KeyboardInterrupt):
            search(a_sweep(trials=3), tmp_path / "parts")
    assert search(a_sweep(trials=3), tmp_path / "parts")["trials"] == whole["trials"]


def test_no_settings_are_tried_twice(trained, tmp_path):
    """Also where the recipe has settings that the search would propose; a space that is used up is no hindrance."""
    first = search(a_sweep(), tmp_path / "first")["trials"][2]["settings"]
    words = [word for key, value in first.items() for word in (f"--{key}", str(value))]
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(load_recipe("recipes/tiny/sft.yaml", words).to_yaml())
    tried = [str(trial["settings"]) for trial in search(a_sweep(recipe=str(recipe)), tmp_path / "again")["trials"]]
    assert tried[0] == str(first)
    assert len(set(tried)) == 8
    few = {"learning_rate": (0.001, 0.01), "lora_r": (8, 16)}
    found = search(a_sweep(recipe=str(recipe), space=few, trials=6), tmp_path / "few")["trials"]
    assert len({str(trial["settings"]) for trial in found}) == 4


def test_trials_that_run_at_once_are_proposed_in_rounds(trained, tmp_path, monkeypatch):
    whole = search(a_sweep(jobs=3), tmp_path / "whole")
    assert (
        len(whole["trials"])
        == len({str(trial["settings"]) for trial in whole["trials"]})
        == whole["trials"][-1]["number"] + 1
    )
    run, calls = module.run_stages, []

    def interrupted(stages, out, on_progress=None, jobs=1):
        calls.append([stage.name for stage in stages])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run(stages, out, on_progress, jobs)

    monkeypatch.setattr(module, "run_stages", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(a_sweep(jobs=3), tmp_path / "parts")
    assert search(a_sweep(jobs=3), tmp_path / "parts")["trials"] == whole["trials"]
    assert calls[1] == calls[2] == ["trial-3", "trial-4", "trial-5"]


def test_a_sweep_whose_first_trial_failed_goes_on_with_the_second(trained, tmp_path, monkeypatch):
    run = module.run_stages
    failing = lambda stages, out, **options: [Progress(stage, "failed", 1.0, "no memory") for stage in stages]  # noqa: E731
    monkeypatch.setattr(module, "run_stages", failing)
    with pytest.raises(AsciiMazeError, match="trial-0 failed: no memory"):
        search(a_sweep(trials=3), tmp_path / "out")
    monkeypatch.setattr(module, "run_stages", run)
    record = search(a_sweep(trials=3), tmp_path / "out")
    assert record["trials"][0]["state"] == "fail"
    assert record["best"] in (1, 2)


@pytest.mark.parametrize("outcome", [float("nan"), float("inf")])
def test_a_trial_whose_outcome_is_no_number_has_failed(trained, tmp_path, monkeypatch, outcome):
    run = module.run_stages

    def diverged(stages, out, on_progress=None, jobs=1):
        done = run(stages, out, on_progress, jobs)
        if stages[0].name == "trial-2":
            write_metrics(out / "trial-2", metrics_of(outcome))
        return done

    monkeypatch.setattr(module, "run_stages", diverged)
    record = search(a_sweep(trials=4), tmp_path / "out")
    assert [trial["state"] for trial in record["trials"]].count("fail") >= 1
    assert record["trials"][2]["note"] == f"its optimal is {outcome}"
    assert record["best"] != 2
    assert search(a_sweep(trials=4), tmp_path / "out") == record


def test_a_sweep_goes_on_with_as_many_jobs_as_it_began_with(trained, tmp_path):
    search(a_sweep(trials=3, jobs=3), tmp_path / "out")
    with pytest.raises(UsageError, match="a sweep with --jobs 3, by which trials are proposed; give --jobs 3"):
        search(a_sweep(trials=6, jobs=2), tmp_path / "out")


def test_more_trials_go_on_and_fewer_are_a_part(trained, tmp_path):
    few = search(a_sweep(trials=3), tmp_path / "out")
    more = search(a_sweep(trials=5), tmp_path / "out")
    assert len(trained) == 5
    assert more["trials"][:3] == few["trials"]


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"budget": "steps=3"}, {"space": {**SPACE, "lora_r": (8, 32)}}, {"outcome": "valid"}]
)
def test_a_folder_holds_one_sweep(trained, tmp_path, change):
    search(a_sweep(trials=2), tmp_path / "out")
    before = len(trained)
    with pytest.raises(UsageError, match="another --out"):
        search(a_sweep(trials=2, **change), tmp_path / "out")
    assert len(trained) == before


def test_a_failed_trial_costs_itself_alone_and_says_why(trained, tmp_path):
    space = {"learning_rate": (1e-3, 0.095), "lora_r": (16, 32)}
    record = search(a_sweep(space=space), tmp_path / "out")
    failed = [trial for trial in record["trials"] if trial["state"] == "fail"]
    assert failed
    assert {trial["note"] for trial in failed} == {"the loss is nan"}
    assert {trial["outcome"] for trial in failed} == {None}
    assert record["best"] == 0


def test_where_the_first_fails_it_ends(trained, tmp_path):
    with pytest.raises(AsciiMazeError, match="trial-0 failed: the loss is nan"):
        search(
            a_sweep(words=("--learning_rate", "0.095"), space={"lora_r": (16, 32), "seed": (0, 1)}), tmp_path / "out"
        )


def test_a_file_that_is_no_database(trained, tmp_path):
    (tmp_path / "out" / "search").mkdir(parents=True)
    (tmp_path / "out" / "search" / "trials.db").write_text("not a database, " * 100)
    with pytest.raises(AsciiMazeError, match=r"trials\.db cannot be used"):
        search(a_sweep(), tmp_path / "out")


def test_two_at_once_in_a_folder(trained, tmp_path):
    with output_folder(tmp_path / "out" / "search"), pytest.raises(AsciiMazeError, match="another"):
        search(a_sweep(), tmp_path / "out")
    assert not trained


def test_a_file_of_others_is_not_replaced(trained, tmp_path):
    (tmp_path / "sweep.json").write_text("mine")
    with pytest.raises(UsageError, match=r"sweep\.json is of no sweep in that folder"):
        search(a_sweep(), tmp_path)
    assert (tmp_path / "sweep.json").read_text() == "mine"
    assert not trained


# Each line: what is asked, and what its error says.
REFUSED = [
    ({"trials": 1}, "two or more"),
    ({"words": ("--push_to_hub", "true")}, "publishes nothing"),
    *(
        ({"space": {key: ("a", "b")}}, f"'{key}' cannot be varied")
        for key in (
            "push_to_hub",
            "hub_model_id",
            "dataset_test_split",
            "budget",
            "output_dir",
            "eval_limit",
            "method",
        )
    ),
    ({"words": ("--lora_r", "8")}, "'lora_r' is varied"),
    ({"recipe": "recipes/tiny/reward.yaml"}, "'lora_r' cannot be varied"),
    ({"words": ("--dataset_test_split", "test")}, "not chosen on 'test'"),
    ({"words": ("--dataset_test_split", "test_larger")}, "not chosen on 'test_larger'"),
    ({"words": ("--eval_strategy", "no")}, "does not evaluate"),
    ({"space": {"no_such_key": (1, 2)}}, "no_such_key"),
    ({"space": {"lora_r": ("many", "few")}}, "lora_r"),
    ({"space": {"lora_r": (8, 16, "many")}}, "lora_r"),
    ({"budget": "tokens=none"}, "budget"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_what_could_not_be_compared_is_refused_before_the_first_trial(change, said):
    with pytest.raises(UsageError, match=said):
        check_sweep(a_sweep(**change))


@pytest.mark.parametrize("folder", ["recipes", "recipes/tiny"])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_spaces_that_come_with_the_recipes_can_be_searched(folder, method):
    recipe = Path(folder, f"{method}.yaml")
    space = read_space(find_spaces(recipe), method)
    words = ("--eval_strategy", "steps")
    check_sweep(a_sweep(recipe=str(recipe), words=words, space=space, outcome=outcome_of(method)))
    assert holds(space, load_recipe(recipe).values)  # so that the recipe's own settings are a trial


def test_an_outcome_that_was_not_logged():
    assert last_outcome(metrics_of(0.25), "optimal") == 0.25
    with pytest.raises(UsageError, match="eval_optimal, eval_valid"):
        last_outcome(metrics_of(0.25), "accuracy")


@pytest.mark.slow
def test_two_real_trials(dataset, tmp_path):
    space = tmp_path / "spaces.yaml"
    space.write_text(f"sft: {{learning_rate: [{RATE}, 2.0e-3], lora_r: [8, 32]}}")
    words = ["--out", tmp_path / "out", "--trials", "2", "--budget", "steps=1", "--space", space, "--json"]
    words += ["--dataset_name", dataset, "--eval_limit", "2", "--per_device_train_batch_size", "4"]
    command = [sys.executable, "-m", "ascii_maze", "sweep", "recipes/tiny/sft.yaml", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads(done.stdout)
    assert [trial["state"] for trial in record["trials"]] == ["complete", "complete"]
    assert all(trial["tokens"] > 0 and 0 <= trial["outcome"] <= 1 for trial in record["trials"])
    assert record["trials"][0]["settings"] == {"learning_rate": RATE, "lora_r": 32}
    for number, trial in enumerate(record["trials"]):
        assert (tmp_path / "out" / f"trial-{number}" / "adapter_model.safetensors").is_file()
        resolved = (tmp_path / "out" / f"trial-{number}" / "recipe.yaml").read_text()
        assert f"lora_r: {trial['settings']['lora_r']}" in resolved


def test_a_recipe_that_does_not_name_a_split_is_compared_on_trl_s(tmp_path):
    """Which is `test`."""
    assert load_recipe("recipes/tiny/sft.yaml").values["dataset_test_split"] == "validation"
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(f"extends: {Path('recipes/tiny/sft.yaml').resolve()}\ndataset_test_split: null\n")
    with pytest.raises(UsageError, match="not chosen on 'test'"):
        check_sweep(a_sweep(recipe=str(recipe)))
