"""`ascii-maze push` and what comes back from the Hub, in processes of their own."""

import json
import shutil

import pyarrow.parquet
import pytest

from .conftest import EXPIRED, ORG, REPO, STRANGER, WRITE

LOAD = """
import json, sys
from datasets import load_dataset
repo, first, second = sys.argv[1:]
def ids(**options):
    return [row["id"] for row in load_dataset(repo, "mazes", split="train", **options)]
print(json.dumps({
    "now": ids(), "streamed": ids(streaming=True), "first": ids(revision=first), "second": ids(revision=second),
    "pair": next(iter(load_dataset(repo, "preference", split="train", streaming=True))),
    "default": load_dataset(repo, split="test").column_names,
}))
"""


def ids(folder):
    return [
        row["id"]
        for path in sorted(folder.glob("mazes/train-*"))
        for row in pyarrow.parquet.read_table(path).to_pylist()
    ]


def test_load_dataset_in_a_fresh_process(push, builds, run):
    first, second = push(builds.first), push(builds.shards)
    done = run("-c", LOAD, REPO, first.commit, second.commit)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert loaded["now"] == loaded["streamed"] == loaded["second"] == ids(builds.shards)
    assert loaded["first"] == ids(builds.first) != loaded["now"]
    assert {"prompt", "completion"} < set(loaded["default"])
    assert {"prompt", "chosen", "rejected", "rejected_kind"} < set(loaded["pair"])


def test_build_and_push_at_once(hub, api, run, tmp_path):
    words = ("-m", "ascii_maze", "build", "demo", "--limit", "20", "--out", tmp_path / "data", "--push", REPO)
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert "0 mazes shared between splits" in done.stdout
    assert "(private), commit " in done.stdout
    assert len(api.list_repo_commits(REPO, repo_type="dataset")) == 2  # that of the new repository, and ours
    assert "preference/train-00000-of-00001.parquet" in api.list_repo_files(REPO, repo_type="dataset")
    again = json.loads(run(*words, "--json").stdout)
    assert again["pushed"]["sent"] == []


def test_a_missing_login_is_said_before_the_build(run, tmp_path):
    done = run("-m", "ascii_maze", "build", "demo", "--out", tmp_path / "data", "--push", REPO, token=None)
    assert done.returncode == 1
    assert "hf auth login" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("token", [None, STRANGER])
def test_a_private_dataset_is_not_for_others(push, builds, run, token):
    push(builds.first)
    done = run("-c", f"from datasets import load_dataset; load_dataset({REPO!r}, 'mazes')", token=token)
    assert done.returncode == 1
    assert "doesn't exist on the Hub or cannot be accessed" in done.stderr


def test_push_and_push_again(hub, builds, run):
    words = ("-m", "ascii_maze", "push", "dataset", builds.first, "--repo", REPO)
    done = run(*words, "--tag", "v1")
    assert done.returncode == 0, done.stderr
    assert "files sent, 0 deleted" in done.stdout
    assert f"{hub.url}/datasets/{REPO} (private), commit " in done.stdout
    assert "uploading" in done.stderr
    again = json.loads(run(*words, "--json").stdout)
    assert (again["sent"], again["deleted"], again["private"]) == ([], [], True)
    assert again["commit"] in done.stdout
    assert "no commit made" in run(*words).stdout


def test_dry_run_says_all_and_asks_for_nothing(hub, builds, run):
    words = ("-m", "ascii_maze", "push", "dataset", builds.first, "--repo", REPO, "--dry-run")
    text = run(*words, "--tag", "v1", token=None)
    assert text.returncode == 0, text.stderr
    plan = json.loads(run(*words, "--json", "--public", token=None).stdout)
    assert f"{builds.first} -> dataset {REPO}, private, branch main, tag v1" in text.stdout
    for path, size in plan["files"].items():
        assert f"{size:>14,}  {path}\n" in text.stdout
    assert plan["files"]["build.json"] == (builds.first / "build.json").stat().st_size
    assert plan["card"]["license"] == "apache-2.0"
    assert (plan["private"], plan["repo_type"], plan["revision"]) == (False, "dataset", "main")
    assert hub.requests == []


@pytest.mark.parametrize(
    ("words", "token", "code", "message"),
    [
        (["dataset", "--repo", "ascii-maze"], WRITE, 2, "has no namespace"),
        (["adapter", "--repo", REPO], WRITE, 2, "it looks like a dataset"),
        (["dataset", "--repo", REPO], None, 1, "not logged in to the Hub; run `hf auth login`"),
        (["dataset", "--repo", REPO], EXPIRED, 1, "expired or wrong; run `hf auth login`"),
    ],
)
def test_one_line_and_an_exit_code(builds, run, words, token, code, message):
    done = run("-m", "ascii_maze", "push", words[0], builds.first, *words[1:], token=token)
    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_token_is_shown_to_nobody(hub, builds, run, tmp_path):
    """Not with every log on, not when the server repeats it, not in what was sent, not to where large files lie."""
    words = ("-m", "ascii_maze", "push", "dataset", builds.first, "--repo", REPO, "--debug")
    hub.fault("POST", "/commit/", status=400, headers={"X-Error-Message": f"no such token: {WRITE}"})
    refused = run(*words)
    assert refused.returncode == 1
    assert "no such token: ***" in refused.stderr
    assert "Traceback" in refused.stderr
    hub.fault("PUT", "/upload/", status=503)
    hub.fault("POST", "/commit/", drop="answer")
    landed = run(*words, HF_DEBUG="1", HF_HUB_VERBOSITY="debug")
    assert landed.returncode == 0, landed.stderr
    assert "Send: curl" in landed.stderr
    for done in (refused, landed):
        assert WRITE not in done.stdout + done.stderr
    assert not any(WRITE.encode() in path.read_bytes() for path in (tmp_path / "hub").iterdir())
    assert not any(request.authorized for request in hub.asked("PUT", "/upload/") + hub.asked("GET", "/storage/"))


def test_a_file_s_name_does_not_steer_the_terminal(builds, run, tmp_path):
    folder = tmp_path / "ascii-maze"
    shutil.copytree(builds.first, folder)
    (folder / "\x1b]0;taken over\x07.json").write_text("{}")
    (folder / "\x1b[2J.exe").touch()
    shown = run("-m", "ascii_maze", "push", "dataset", folder, "--repo", REPO, "--dry-run", token=None)
    assert (shown.returncode, "\x1b" in shown.stdout + shown.stderr) == (0, False)
    assert "\\x1b]0;taken over\\x07.json" in shown.stdout
    assert "\\x1b[2J.exe" in shown.stdout


def test_a_push_adds_to_a_collection_once(hub, run, builds):
    words = ["-m", "ascii_maze", "push", "dataset", builds.first, "--repo", REPO, "--collection", "ASCII Maze"]
    for _ in range(2):
        done = run(*words)
        assert done.returncode == 0, done.stderr
        assert "/collections/" in done.stdout.splitlines()[-1]
    ((slug, collection),) = hub.collections.items()
    assert slug.startswith(f"{ORG}/ascii-maze-")
    assert collection["private"]
    assert [(item["id"], item["type"]) for item in collection["items"]] == [(REPO, "dataset")]
    refused = run(*words[:-1], " ")
    assert refused.returncode == 2
    assert "title has 1 to 60 characters" in refused.stderr
