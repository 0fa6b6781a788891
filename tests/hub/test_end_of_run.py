"""`push_to_hub: true` in a recipe: asked before the run, done after it, and no run is lost to it."""

import json
import shlex
import sys

import pytest
import yaml

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.hub import push as push_plan

from .conftest import ORG, READ

PUSH = sys.modules["ascii_maze.hub.push"]  # the function of that name hides the module
BASE, SFT = f"{ORG}/ascii-maze-tiny", f"{ORG}/ascii-maze-sft"


@pytest.fixture
def train(api, dataset, tmp_path, monkeypatch, waits):
    """Train a step with other settings, with what it pushes going to the server of these tests."""
    from ascii_maze.launch import train

    api.create_repo(BASE, private=True)
    monkeypatch.setattr(PUSH, "_default_api", lambda: api)
    monkeypatch.setattr("ascii_maze.hub.push", lambda plan: push_plan(plan, api, sleep=waits.append))

    def run(**settings):
        settings = {"hub_model_id": SFT, "hub_base_model": BASE, "push_to_hub": "true"} | settings
        settings |= {"dataset_name": dataset, "output_dir": tmp_path / "sft", "max_steps": 1, "eval_strategy": "no"}
        settings |= {"per_device_train_batch_size": 2, "save_steps": 1, "save_strategy": "steps"}
        return train("recipes/tiny/sft.yaml", [f"--{key}={value}" for key, value in settings.items()])

    return run


def test_a_run_is_pushed_when_it_is_done_and_not_before(hub, api, train, capsys, tmp_path):
    done = []
    hub.fault("POST", "/api/repos/create", action=lambda: done.append((tmp_path / "sft" / "metrics.json").exists()))
    out = train()
    assert done == [True]
    commits = api.list_repo_commits(SFT)
    assert len(commits) == 2  # the Hub's first and one of ours, whatever was saved on the way
    assert hub.store.repos["model", SFT].private
    names = set(api.list_repo_files(SFT))
    assert {"adapter_model.safetensors", "recipe.yaml", "metrics.json", "README.md"} <= names
    assert not [name for name in names if name.startswith("checkpoint") or name.endswith((".bin", ".pt"))]
    recipe = yaml.safe_load(hub.store.read(hub.store.repos["model", SFT].commit("main").files["recipe.yaml"]))
    assert not [key for key in recipe if key.startswith(("hub_", "push_to_hub"))]
    assert f"commit {commits[0].commit_id}" in capsys.readouterr().out
    assert train() == out  # the same again: finished, and everything is there
    assert len(api.list_repo_commits(SFT)) == 2


def test_a_push_that_fails_costs_no_run_and_says_how_to_do_it_later(hub, train, run):
    hub.fault("POST", "/commit/", status=503, times=99)
    with pytest.raises(AsciiMazeError, match=r"not pushed: .*the run in .*sft is whole, and this pushes it") as caught:
        train()
    command = shlex.split(str(caught.value).split("pushes it later: ")[1])
    folder = command[3]
    with open(f"{folder}/metrics.json") as file:
        assert json.load(file)["steps"] == 1
    hub.faults.clear()
    done = run("-m", "ascii_maze", *command[1:])
    assert done.returncode == 0, done.stderr
    assert "adapter_model.safetensors" in hub.store.repos["model", SFT].commit("main").files


def test_what_the_hub_would_refuse_shows_before_the_run(api, train, connect, monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="no-name' has no namespace"):
        train(hub_model_id="no-name")
    api.create_repo(SFT, private=False)
    with pytest.raises(UsageError, match="is public on the Hub"):
        train()
    monkeypatch.setattr(PUSH, "_default_api", lambda: connect(READ))
    with pytest.raises(AsciiMazeError, match="is read-only"):
        train(hub_private_repo="false")
    with pytest.raises(UsageError, match="this recipe trains the whole model"):
        train(use_peft="false", load_in_4bit="false")
    assert not (tmp_path / "sft").exists()
