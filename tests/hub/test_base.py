"""A base on the Hub, and a real launcher: the first command of the README's brief, on a machine without a GPU."""

import json
import os
import subprocess
import sys

from tests.training.families import save_model

from .conftest import ROOT
from .store import User

TOKEN = "hf_" + 34 * "T"


def test_orpo_runs_as_printed_with_its_base_from_the_hub(hub, builds, tmp_path, monkeypatch):
    from huggingface_hub import HfApi, constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    hub.store.users[TOKEN] = User("eve", "write", ("HuggingFaceTB",))
    api, name = HfApi(endpoint=hub.url, token=TOKEN), "HuggingFaceTB/SmolLM2-135M-Instruct"
    api.create_repo(name)
    commit = api.upload_folder(folder_path=save_model("qwen2_5", tmp_path / "model"), repo_id=name).oid
    (tmp_path / "ascii-maze").symlink_to(builds.first)
    online = {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "home"),
    }
    paths = os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    done = subprocess.run(
        [*launcher, str(ROOT / "recipes" / "orpo.yaml"), "--budget", "steps=2", "--eval_limit", "4"],
        cwd=tmp_path,
        env={**os.environ, **online, "PYTHONPATH": paths, "ASCII_MAZE_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    metrics = json.loads((tmp_path / "outputs" / "orpo" / "metrics.json").read_text())
    assert (metrics["base_model"], metrics["base_gguf"], metrics["steps"]) == (name, None, 2)
    assert any(commit in request.path for request in hub.asked("GET"))
