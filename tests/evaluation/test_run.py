import json
import shutil
import signal
import subprocess
import sys

import pyarrow.parquet
import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.evaluation import answers
from ascii_maze.evaluation import run as evaluation
from ascii_maze.evaluation.answers import majority
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.evaluation.schema import Prediction, read_results
from ascii_maze.evaluation.tables import reading_rows
from ascii_maze.files import MARK
from ascii_maze.metrics.path_validity.scoring import PathScore
from dataset_builder.load import load_mazes


def test_baselines_alone(dataset, tmp_path):
    results = evaluate({}, str(dataset), ["test", "test_larger"], tmp_path, Options(limit=12))
    rates = {name: by_split["test"]["valid"] for name, by_split in results["models"].items()}
    assert rates["shortest_path"] == rates["wall_follower"] == 1
    assert rates["one_direction"] < 0.5
    whole = results["models"]["shortest_path"]["test_larger"]
    rates = {key: value for key, value in whole.items() if key not in ("by_size", "decisions")}
    assert whole["by_size"] == {"5x5": rates | {"width": 5, "height": 5}}
    assert read_results(tmp_path / "results.json") == results
    predictions = pyarrow.parquet.read_table(tmp_path / "predictions.parquet").to_pylist()
    assert list(predictions[0]) == list(Prediction.__annotations__)
    assert len(predictions) == 5 * (12 + 12)
    assert set(PathScore.__dataclass_fields__) <= set(predictions[0])
    report = (tmp_path / "report.md").read_text()
    assert "| test | all | shortest_path | 12 | 100.0 | 75.8 - 100.0 |" in report
    assert "- test: equal to the reference solution, move for move: random_walk " in report
    assert results["models"]["shortest_path"]["test"]["exact"] == 1.0  # without loops there is but one
    analysis = results["analysis"]["one_direction"]["test"]
    optimal = results["models"]["one_direction"]["test"]["optimal"]
    assert sum(analysis["failures"].values()) == round(12 * (1 - optimal))
    assert sum(cell["n"] for cell in analysis["by"]["path_length"].values()) == 12
    assert analysis["by"]["generator"].keys() == {"depth_first"}
    assert "| test | one_direction | " in report.partition("## How answers fail")[2]
    assert "| test | shortest_path | 100.0 | 100.0 | 100.0 | 100.0 |" in report.partition("## Two readings")[2]
    failed = next(row for row in predictions if row["failure"])
    assert failed["failure_move"] >= 1
    assert failed["decision_points"] is not None
    decisions = results["models"]["shortest_path"]["test"]["decisions"]
    assert decisions["right"] == decisions["greedy_right"]["right"] == 1.0
    assert decisions["n"] == decisions["greedy_right"]["n"] + decisions["greedy_wrong"]["n"] > 0
    assert results["models"]["greedy"]["test"]["decisions"]["greedy_wrong"]["right"] == 0.0
    assert results["models"]["greedy"]["test"]["decisions"]["greedy_right"]["right"] == 1.0
    strata = results["analysis"]["greedy"]["test"]["by"]["solved_by"]
    assert sum(cell["n"] for cell in strata.values()) == 12
    assert strata.get("hard", {"optimal": 0})["optimal"] == 0
    planning = report.partition("## Planning")[2]
    row = next(line for line in planning.splitlines() if line.startswith("| test | greedy | "))
    assert row.endswith(" | 100.0 / 0.0 |")
    assert row.startswith(f"| test | greedy | {strata['easy']['n']} | {100 * strata['easy']['optimal']:.1f} | ")


def test_baselines_are_the_same_every_time(dataset, tmp_path):
    one = evaluate({}, str(dataset), ["test"], tmp_path / "one")
    two = evaluate({}, str(dataset), ["test"], tmp_path / "two")
    assert one == two


@pytest.mark.parametrize(
    ("models", "dataset_name", "split", "message"),
    [
        ({}, "no-such-folder", "test", "cannot load split 'test' of dataset 'no-such-folder'"),
        ({}, None, "tset", "cannot load split 'tset'"),
        ({"m": "no-such-model"}, None, "test", "no model 'no-such-model'"),
        ({"m": "./no/such"}, None, "test", "no model './no/such'"),
        ({"m": "org/no-such-model"}, None, "test", "cannot load the model of 'org/no-such-model'"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(dataset, tmp_path, models, dataset_name, split, message):
    with pytest.raises(AsciiMazeError, match=message) as caught:
        evaluate(models, dataset_name or str(dataset), [split], tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "results.json").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
import ascii_maze.evaluation.answers, ascii_maze.evaluation.run
def report(name, done, total):
    if name == "base" and done > 8:
        os.kill(os.getpid(), signal.SIGKILL)
ascii_maze.evaluation.answers.BATCHES_PER_PART = 1
options = ascii_maze.evaluation.options.Options(limit=14, batch_size=16, samples=2, max_new_tokens=9)
ascii_maze.evaluation.run.evaluate(
    {"base": "tiny"}, sys.argv[1], ["test"], Path(sys.argv[2]), options, report
)
"""


def test_after_kill_9_the_same_call_goes_on_to_the_same_files(dataset, tmp_path, monkeypatch):
    """Parts of 8 mazes: the second is lost, the first is not made again."""
    words = [sys.executable, "-c", KILLED, str(dataset), str(tmp_path / "killed")]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "results.json").exists()
    assert len(list((tmp_path / "killed").rglob("*.parquet"))) == 1
    monkeypatch.setattr(answers, "BATCHES_PER_PART", 1)
    for out in ("killed", "whole"):
        evaluate(
            {"base": "tiny"},
            str(dataset),
            ["test"],
            tmp_path / out,
            Options(limit=14, batch_size=16, samples=2, max_new_tokens=9),
        )
    for name in ("results.json", "predictions.parquet", "report.md"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    names = {path.name for path in (tmp_path / "killed").iterdir()}
    assert names == {"results.json", "predictions.parquet", "report.md", MARK}


def test_what_is_answered_is_not_asked_again(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "BATCHES_PER_PART", 1)
    answered = []

    def answer(name, row):
        if len(answered) == 11:
            raise KeyboardInterrupt
        answered.append((name, row["id"]))
        return "U"

    def answer_on(name, row):
        answered.append((name, row["id"]))
        return "U"

    monkeypatch.setattr(evaluation, "BASELINES", {"greedy": None})
    monkeypatch.setattr(answers, "baseline_answer", answer)
    with pytest.raises(KeyboardInterrupt):
        evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=14, batch_size=4))
    monkeypatch.setattr(answers, "baseline_answer", answer_on)
    evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=14, batch_size=4))
    ids = [row["id"] for row in load_mazes(str(dataset), "test", 14)]
    assert [key for _, key in answered] == ids[:11] + ids[8:]


def test_parts_of_another_evaluation_are_not_taken(dataset, tmp_path):
    def stop(name, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=4), on_progress=stop)
    assert list((tmp_path / ".unfinished").rglob("*.parquet"))
    results = evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=7))
    assert results["models"]["greedy"]["test"]["n"] == 7
    assert pyarrow.parquet.read_table(tmp_path / "predictions.parquet").num_rows == 5 * 7


def test_parts_are_not_taken_for_those_of_another_model(dataset, tmp_path):
    """The same models, named in another order after an interruption."""
    rows = load_mazes(str(dataset), "test", 4)
    models = {"right": "solution", "wrong": None}
    for name, column in models.items():
        lines = [json.dumps({"id": row["id"], "completion": row[column] if column else "U U"}) for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
        models[name] = str(tmp_path / f"{name}.jsonl")

    def stop(name, done, total):
        if name == "wrong":
            raise KeyboardInterrupt

    options, out = Options(limit=4, baselines=False), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        evaluate(models, str(dataset), ["test"], out, options, on_progress=stop)
    results = evaluate(dict(reversed(models.items())), str(dataset), ["test"], out, options)
    assert {name: rates["test"]["valid"] for name, rates in results["models"].items()} == {"wrong": 0, "right": 1}


def test_settings_tell_all_that_is_needed_to_do_it_again(dataset, tmp_path):
    results = evaluate({"base": "tiny"}, str(dataset), ["test"], tmp_path, Options(limit=3, baselines=False))
    settings = results["settings"]
    first = load_mazes(str(dataset), "test", 1)[0]
    assert settings["prompt"] == first["prompt"]
    base = settings["loaded"]["base"]
    assert first["maze"] in base["rendered_prompt"]
    assert (base["engine"], base["device"], base["quantisation"]) == ("transformers", "cpu", None)
    assert base["max_new_tokens"] > 10
    assert (settings["decoding"], settings["samples"], settings["temperature"], settings["seed"]) == (
        "greedy",
        1,
        0,
        0,
    )
    assert {"python", "ascii-maze", "torch", "transformers", "datasets"} <= settings["versions"].keys()
    assert (
        settings["dataset_sha256"]
        == evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=3))["settings"]["dataset_sha256"]
    )


def test_several_greedy_answers_are_refused(dataset, tmp_path):
    with pytest.raises(UsageError, match="give --temperature above 0"):
        evaluate({"base": "tiny"}, str(dataset), ["test"], tmp_path, Options(samples=4, temperature=0.0))


def test_the_walk_that_most_samples_take_has_the_vote():
    assert majority(["U", None, "RR", "RR", None, None]) == 2
    assert majority(["U", "RR", "U", "RR"]) == 0
    assert majority([None, None]) == 0


def test_a_dataset_that_was_built_anew_is_read_anew(dataset, tmp_path):
    """By `datasets`, which knows a folder by its name and card; here other mazes lie under the same card."""
    folder = tmp_path / "data"
    shutil.copytree(dataset, folder)
    before = load_mazes(str(folder), "test", 1)
    (file,) = (folder / "prompts").glob("test-*")
    table = pyarrow.parquet.read_table(file)
    pyarrow.parquet.write_table(table.take(list(range(len(table)))[::-1]), file)
    assert load_mazes(str(folder), "test", 1) == table.slice(len(table) - 1).to_pylist() != before


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"models": {}, "paired": {}, "settings": {}}',
        '{"models": {}, "analysis": {}, "paired": [1], "settings": {}}',
    ],
)
def test_results_of_something_else_are_one_line(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(UsageError, match=r"results.json") as caught:
        read_results(tmp_path / "results.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("settings", "outcome"), [({}, "valid"), ({"stepwise": {}}, "reaches_goal")])
def test_tests_of_an_earlier_version_say_what_they_compared(tmp_path, settings, outcome):
    test = {"split": "test", "a": "base", "b": "sft", "only_a": 0, "only_b": 9, "p": 0.004, "p_holm": 0.004}
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"models": {}, "analysis": {}, "paired": [test], "settings": settings}))
    assert read_results(path)["paired"] == [{**test, "outcome": outcome}]


def test_readings_stand_by_split(dataset, tmp_path):
    results = evaluate({}, str(dataset), ["test", "test_larger"], tmp_path, Options(limit=3))
    splits = [row[0] for row in reading_rows(results)]
    assert splits == sorted(splits)
    assert len(splits) == 2 * len(results["models"])
