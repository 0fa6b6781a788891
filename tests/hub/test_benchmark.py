"""The dataset's `eval.yaml` and the models' `.eval_results` name the same tasks."""

import shutil

import yaml

from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.hub import plan_push
from ascii_maze.hub.benchmark import render_eval_yaml
from ascii_maze.hub.model_index import eval_results

from .conftest import REPO


def test_the_tasks_of_a_dataset_are_those_of_the_results_of_models(builds, tmp_path):
    plan = plan_push("dataset", builds.first, REPO)
    said = yaml.safe_load(plan.contents["eval.yaml"])
    assert {"name", "description", "evaluation_framework", "tasks"} == said.keys()
    assert said["evaluation_framework"] == "inspect-ai"
    tasks = {task["id"]: task for task in said["tasks"]}
    assert set(tasks) == {"test", "test_larger", "test_unseen"}
    for task in tasks.values():
        assert list(builds.first.glob(f"{task['config']}/{task['split']}-*.parquet"))
    splits = ["validation", *tasks]
    results = evaluate({}, str(builds.first), splits, tmp_path / "out", Options(limit=4))
    assert set(results["models"]["greedy"]) == set(splits)
    written = eval_results(results, "greedy", REPO)
    assert [entry["dataset"]["task_id"] for entry in written] == list(tasks)


def test_an_eval_yaml_of_one_s_own_is_sent_as_it_is(builds, tmp_path):
    folder = shutil.copytree(builds.first, tmp_path / "mine")
    (folder / "eval.yaml").write_text("name: mine\n")
    content = plan_push("dataset", folder, REPO).contents["eval.yaml"]
    assert content == folder / "eval.yaml"


def test_it_says_how_to_run_it_and_a_dataset_without_tasks_has_none():
    assert "-T dataset=org/x -T split=test_larger" in render_eval_yaml("demo", "org/x", ["train", "test_larger"])
    assert yaml.safe_load(render_eval_yaml("demo", "org/x", ["train"]))["tasks"] == []
