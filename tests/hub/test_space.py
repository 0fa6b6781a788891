"""The page of `play` as a Space: what is sent runs without the package, with the adapters that were sent along."""

import json
import os
import subprocess
import sys
import urllib.request

import pytest

from ascii_maze.hub import plan_push, shipped_folder
from ascii_maze.hub.content import read
from tests.preferences.test_players import adapter  # noqa: F401, a fixture

from .conftest import ORG

SPACE = f"{ORG}/ascii-maze-play"


@pytest.fixture
def runs(adapter, tmp_path):  # noqa: F811
    """A folder of runs, with one that names paths of this machine."""
    folder = tmp_path / "runs" / "sft"
    folder.mkdir(parents=True)
    for file in adapter.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "metrics.json").write_text(json.dumps({"started_from": "/home/ann/runs/base"}))
    (folder / "recipe.yaml").write_text("method: sft\nmodel_name_or_path: tiny\ndataset_name: /home/ann/mazes\n")
    (folder / "optimizer.pt").write_text("of use to nobody")
    return folder.parent


def test_the_page_goes_with_its_package_and_without_adapters():
    plan = plan_push("space", shipped_folder("space"), SPACE)
    assert {"app.py", "README.md", "requirements.txt", "ascii_maze/preferences/pages/play.js"} <= set(plan.contents)
    required = plan.contents["requirements.txt"].decode()
    assert "torch" in required
    assert "hypothesis" not in required
    assert plan.card["sdk"] == "gradio"
    assert not any("__pycache__" in path or path.startswith("ascii_maze/preferences/space") for path in plan.contents)


def test_adapters_go_along_without_what_they_say_of_this_machine(runs):
    plan = plan_push("space", runs, SPACE)
    assert {"sft/adapter_model.safetensors", "sft/recipe.yaml", "sft/metrics.json"} <= set(plan.contents)
    assert "sft/optimizer.pt" in plan.left_out
    for path in ("sft/recipe.yaml", "sft/metrics.json"):
        assert b"/home/ann" not in plan.contents[path]


def test_what_is_sent_runs_by_itself(runs, tmp_path):
    sent = tmp_path / "space"
    for path, content in plan_push("space", runs, SPACE).contents.items():
        (sent / path).parent.mkdir(parents=True, exist_ok=True)
        (sent / path).write_bytes(read(content))
    guard = os.environ["PYTHONPATH"].split(os.pathsep)[0]  # no word to any other machine
    env = {**os.environ, "PYTHONPATH": f"{guard}{os.pathsep}{sent}", "GRADIO_SERVER_NAME": "127.0.0.1"}
    env["GRADIO_SERVER_PORT"] = "0"
    process = subprocess.Popen([sys.executable, "app.py"], cwd=sent, env=env, stdout=subprocess.PIPE, text=True)
    try:
        url, _, names = process.stdout.readline().partition(": ")
        assert names.strip() == "tiny, sft"
        body = json.dumps({"maze": "#####\n#S G#\n#####", "model": "sft"}).encode()
        request = urllib.request.Request(f"{url}api/walk", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["model"] == "sft"
    finally:
        process.kill()
        process.wait()
