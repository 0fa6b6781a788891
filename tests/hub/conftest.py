"""A Hub of this machine, accounts on it, and things to push."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import safetensors.numpy

from .real import NAMESPACE, RealHub, repositories
from .server import HubServer
from .store import User

ROOT = Path(__file__).resolve().parents[2]
# Of the form of real ones, so that what looks for tokens finds them; put together here, so that no scanner finds them.
WRITE, READ, EXPIRED, STRANGER = ("hf_" + letter * 34 for letter in "WREs")
ORG = NAMESPACE or "org"
if NAMESPACE:
    WRITE = os.environ["HF_TOKEN"]
REPO = f"{ORG}/ascii-maze"
METRICS = {"method": "sft", "base_model": "tiny", "device": "cpu", "history": []} | dict.fromkeys(
    ("steps", "samples", "tokens", "seconds", "peak_memory_bytes"), 1
)


@pytest.fixture(scope="session")
def real_hub():
    """The real Hub with an account that may write to `ORG`, whose repositories will be deleted: it must have none."""
    from huggingface_hub import HfApi, constants

    constants.HF_HUB_OFFLINE = False
    api = HfApi(endpoint=RealHub.url, token=WRITE)
    if there := repositories(api):
        pytest.exit(f"{ORG} on {RealHub.url} has repositories, which these tests would delete: {there}", returncode=1)
    return api


@pytest.fixture
def hub(request, tmp_path):
    """The server, with a user who may write to `ORG` under three tokens, and a stranger; or the real Hub, if asked."""
    if NAMESPACE:
        api = request.getfixturevalue("real_hub")
        yield RealHub()
        for kind, name in repositories(api):
            api.delete_repo(name, repo_type=kind)
        return
    folder = tmp_path / "hub"
    folder.mkdir()
    with HubServer(folder) as server:
        for token, role in ((WRITE, "write"), (READ, "read"), (EXPIRED, "expired")):
            server.store.users[token] = User("ann", role, (ORG,))
        server.store.users[STRANGER] = User("bob", "write")
        yield server


@pytest.fixture
def waits():
    """Seconds that a push would have waited, in the order of the waits."""
    return []


@pytest.fixture
def connect(hub, monkeypatch, waits):
    """Make an `HfApi` of a token, in this process: online, without xet, and without the client's real waits."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.utils import _http

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    if not NAMESPACE:
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda seconds: None))

    def api(token=WRITE):
        if NAMESPACE and token in (READ, EXPIRED, STRANGER):
            pytest.skip("the real Hub does not know this account")
        return HfApi(endpoint=hub.url, token=token)

    return api


@pytest.fixture
def api(connect):
    """Someone who may write to `org`."""
    return connect()


@pytest.fixture
def push(api, waits):
    """Plan and push in this process; returns what was done."""
    from ascii_maze.hub import plan_push
    from ascii_maze.hub import push as push_plan

    def sleep(seconds):
        waits.append(seconds)
        if NAMESPACE:
            time.sleep(seconds)

    def run(folder, kind="dataset", repo=REPO, api=api, **options):
        return push_plan(plan_push(kind, folder, repo, **options), api, sleep=sleep)

    return run


@pytest.fixture(scope="session")
def builds(tmp_path_factory):
    """A dataset as it is built; the same with train the other way round; and that in two shards."""
    from dataset_builder.build import build
    from dataset_builder.config import load_config

    out = tmp_path_factory.mktemp("builds")
    build(load_config("demo", limit=20), out / "first")
    return SimpleNamespace(
        first=out / "first",
        other=with_train(out / "first", out / "other", files=1),
        shards=with_train(out / "first", out / "shards", files=2),
    )


def with_train(built: Path, out: Path, files: int) -> Path:
    """A copy of a dataset whose train split is the other way round, in so many files."""
    shutil.copytree(built, out)
    record = json.loads((out / "build.json").read_text())
    for folder in sorted({Path(path).parent for path in record["files"] if "/train-" in path}):
        paths = sorted((out / folder).glob("train-*.parquet"))
        rows = pyarrow.concat_tables(map(pyarrow.parquet.read_table, paths))
        for path in paths:
            path.unlink()
            del record["files"][path.relative_to(out).as_posix()]
        length = -(-len(rows) // files)
        for number in range(files):
            path = out / folder / f"train-{number:05d}-of-{files:05d}.parquet"
            backwards = range(len(rows))[::-1][number * length : (number + 1) * length]
            pyarrow.parquet.write_table(rows.take(list(backwards)), path)
            record["files"][path.relative_to(out).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    (out / "build.json").write_text(json.dumps(record))
    with (out / "README.md").open("a") as card:
        card.write(f"\nTrain in {files} files.\n")
    return out


@pytest.fixture
def adapter(tmp_path):
    """What a training run leaves, with what must not go anywhere."""
    folder = tmp_path / "sft"
    (folder / "checkpoint-4").mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "tiny", "r": 8}))
    (folder / "adapter_model.safetensors").write_bytes(safetensors.numpy.save({"lora_A": np.arange(512.0)}))
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    (folder / "recipe.yaml").write_text("method: sft\nmodel_name_or_path: tiny\n")
    (folder / "README.md").write_text(
        "---\nlibrary_name: peft\ntags:\n- sft\n---\n\n# SFT\n\nAn adapter on `tiny`, a tiny model.\n"
    )
    for name in (".env", "optimizer.pt", "optimizer.safetensors", "training_args.bin", "trainer_state.json", "x.pkl"):
        (folder / name).write_text("of no interest to anyone")
    (folder / "checkpoint-4" / "adapter_model.safetensors").write_bytes(b"half-way")
    (folder / "link.json").symlink_to("/etc/hostname")
    return folder


@pytest.fixture(scope="session")
def trained(dataset, tmp_path_factory):
    """A folder as a study leaves it: `sft`, an adapter after three steps, and `evaluation`, how it walks."""
    from ascii_maze.evaluation.options import Options
    from ascii_maze.evaluation.run import evaluate
    from ascii_maze.launch import train

    folder = tmp_path_factory.mktemp("study")
    settings = {"dataset_name": dataset, "output_dir": folder / "sft", "max_steps": 3, "eval_limit": 8}
    settings |= {"per_device_train_batch_size": 8, "logging_steps": 1}
    train("recipes/tiny/sft.yaml", [word for key, value in settings.items() for word in (f"--{key}", str(value))])
    evaluate(
        {"base": "tiny", "sft": str(folder / "sft")}, str(dataset), ["test"], folder / "evaluation", Options(limit=16)
    )
    return folder


@pytest.fixture
def run(hub, tmp_path):
    """Run Python in a new process, with an empty cache; the client reads where its Hub is when it is imported."""

    def start(*words, token=WRITE, popen=False, **settings):
        if NAMESPACE and token in (READ, EXPIRED, STRANGER):
            pytest.skip("the real Hub does not know this account")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "0" if NAMESPACE else "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "guard"), str(ROOT)]),
            **({"HF_TOKEN": token} if token else {}),
            **settings,
        }
        options = {"env": environment, "text": True, "cwd": tmp_path}
        command = [sys.executable, *map(str, words)]
        if popen:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        return subprocess.run(command, capture_output=True, timeout=600, **options)

    return start
