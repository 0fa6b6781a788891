"""With xet, as huggingface_hub has it by default: push a model, fetch it in a fresh process."""

import hashlib
import json
import random

import numpy as np
import safetensors.numpy

from .conftest import REPO

FETCH = """
import hashlib, json, pathlib, sys
from huggingface_hub import snapshot_download
folder = pathlib.Path(snapshot_download(sys.argv[1]))
print(json.dumps({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}))
"""
XET = {"HF_HUB_DISABLE_XET": "0", "HF_XET_HIGH_PERFORMANCE": "0"}


def test_what_goes_by_xet_comes_back(hub, run, tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlibrary_name: transformers\nlicense: mit\n---\n")
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text("{}")
    numbers = random.Random(0).randbytes(300_000) + b"the same again and again" * 20_000
    weights = safetensors.numpy.save({"x": np.frombuffer(numbers, np.uint8)})
    (folder / "model.safetensors").write_bytes(weights)
    words = ("-m", "ascii_maze", "push", "model", folder, "--repo", REPO)
    done = run(*words, **XET)
    assert done.returncode == 0, done.stderr
    assert hub.asked("POST", "/xet/v1/shards", 200)
    assert not hub.asked("PUT", "/upload/")
    file = hub.store.repos["model", REPO].commit("main").files["model.safetensors"]
    assert (file.sha256, file.size) == (hashlib.sha256(weights).hexdigest(), len(weights))
    fetched = run("-c", FETCH, REPO, HF_HOME=str(tmp_path / "elsewhere"), **XET)
    assert fetched.returncode == 0, fetched.stderr
    assert json.loads(fetched.stdout)["model.safetensors"] == file.sha256
    assert hub.asked("GET", "/xorbs/", 206)
    again = json.loads(run(*words, "--json", **XET).stdout)
    assert again["sent"] == []
