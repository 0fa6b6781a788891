import json
import os
import random
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import MARK
from ascii_maze.hub import check_target

from .conftest import EXPIRED, ORG, READ, REPO, STRANGER, WRITE


def history(api, repo=REPO, kind="dataset", revision="main"):
    return [commit.title for commit in api.list_repo_commits(repo, repo_type=kind, revision=revision)][::-1]


def files(api, repo=REPO, kind="dataset", revision="main"):
    return set(api.list_repo_files(repo, repo_type=kind, revision=revision)) - {".gitattributes"}


def built(folder):
    """What a push sends of a dataset: all of its files, and eval.yaml."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != MARK}
    return files | {"eval.yaml"}


def test_a_dataset_goes_in_one_commit_and_is_private(hub, api, push, builds, tmp_path):
    pushed = push(builds.first)
    assert len(history(api)) == 2  # the Hub's first, and ours
    assert files(api) == built(builds.first) == set(pushed.sent)
    assert hub.store.repos["dataset", REPO].private
    assert pushed.url == f"{hub.url}/datasets/{REPO}"
    card = Path(api.hf_hub_download(REPO, "README.md", repo_type="dataset", local_dir=tmp_path / "fetched"))
    assert f'load_dataset("{REPO}"' in card.read_text()
    assert f'load_dataset("{REPO}"' not in (builds.first / "README.md").read_text()


def test_the_same_again_makes_no_commit(hub, api, push, builds):
    first, second = push(builds.first), push(builds.first)
    assert (second.sent, second.deleted, second.commit) == ([], [], first.commit)
    assert len(history(api)) == 2
    assert len(hub.asked("POST", "/commit/")) == 1


def test_other_rows_send_what_changed_alone(hub, api, push, builds):
    push(builds.first)
    before = len(hub.asked("PUT", "/upload/"))
    pushed = push(builds.other)
    changed = [path for path in pushed.sent if path.endswith(".parquet")]
    assert changed
    assert all("/train-" in path for path in changed)
    assert {"README.md", "build.json"} < set(pushed.sent)
    assert len(hub.asked("PUT", "/upload/")) - before == len(changed)
    assert len(history(api)) == 3
    assert pushed.deleted == []


def test_shards_of_an_earlier_build_go_and_nothing_else_does(api, push, builds):
    push(builds.other)
    theirs = "mazes/train-00000-of-00009.parquet"
    notes = CommitOperationAdd(theirs, b"someone else's")
    api.create_commit(REPO, [notes], commit_message="by hand", repo_type="dataset")
    pushed = push(builds.shards)
    assert set(pushed.deleted) == {path for path in built(builds.other) if "/train-" in path}
    assert files(api) == built(builds.shards) | {theirs}
    assert len(history(api)) == 4


@pytest.mark.filterwarnings("ignore::UserWarning")  # the card put there by hand has no head
def test_a_manifest_that_is_none_of_ours_deletes_nothing(api, push, builds):
    api.create_repo(REPO, repo_type="dataset", private=True)
    for content in (b"no JSON", b"[]", b'{"files": ["README.md"]}'):
        operations = [CommitOperationAdd("build.json", content), CommitOperationAdd("README.md", b"mine")]
        api.create_commit(REPO, operations, commit_message="by hand", repo_type="dataset")
        assert push(builds.first).deleted == []


def test_a_commit_in_between_is_kept_and_ours_lands_on_top(hub, api, push, builds, waits):
    push(builds.first)

    def somebody_else():
        repo, put = hub.store.repos["dataset", REPO], hub.store.put
        hub.store.commit(repo, "main", None, "theirs", {"NOTES.md": put(b"notes"), "README.md": put(b"theirs")})

    hub.fault("POST", "/commit/", action=somebody_else)
    push(builds.other)
    assert [request.status for request in hub.asked("POST", "/commit/")] == [200, 412, 200]
    assert history(api)[2:] == ["theirs", history(api)[1]]
    assert files(api) == built(builds.other) | {"NOTES.md"}
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/whoami-v2"),
        ("GET", f"/api/datasets/{REPO}"),
        ("POST", "/api/repos/create"),
        ("POST", "/api/validate-yaml"),
        ("GET", "/tree/"),
        ("POST", "/preupload/"),
        ("POST", "/objects/batch"),
        ("PUT", "/upload/"),
        ("POST", "/commit/"),
        ("POST", "/tag/"),
    ],
)
@pytest.mark.parametrize("what", [{"status": 503}, {"drop": "request"}, {"drop": "answer"}])
def test_one_fault_anywhere_is_got_over(hub, api, push, builds, method, path, what):
    hub.fault(method, path, **what)
    pushed = push(builds.first, tag="v1")
    assert not hub.faults[0].times
    assert set(pushed.sent) == built(builds.first) == files(api, revision="v1")
    assert len(history(api)) == 2


def test_waits_double_and_then_it_is_said(hub, api, push, builds, waits):
    hub.fault("POST", "/commit/", status=503, times=99)
    with pytest.raises(AsciiMazeError, match=r"did not answer after 6 tries \(503\); run the same command again"):
        push(builds.first)
    assert waits == [1, 2, 4, 8, 16]
    assert files(api) == set()


def test_the_hub_says_how_long_to_wait(hub, push, builds, waits):
    hub.fault("POST", "/commit/", status=429, headers={"Retry-After": "37"})
    hub.fault("POST", "/commit/", status=429, headers={"ratelimit": '"api";r=0;t=55'})
    push(builds.first)
    assert waits == [37, 55]


def test_a_wait_too_long_is_told(hub, push, builds, waits):
    hub.fault("POST", "/commit/", status=429, headers={"Retry-After": "7200"})
    with pytest.raises(AsciiMazeError, match="too many requests from this account; wait 7200 s"):
        push(builds.first)
    assert waits == []


def test_a_server_that_is_down(hub, push, builds, connect, waits):
    from huggingface_hub import HfApi

    with pytest.raises(AsciiMazeError, match=r"the Hub at http://127.0.0.1:1 did not answer after 6 tries"):
        push(builds.first, api=HfApi(endpoint="http://127.0.0.1:1", token=WRITE))
    assert len(waits) == 5


@pytest.mark.parametrize(
    ("method", "path", "skip", "drop", "there"),
    [
        # Five go at a time: when the sixth comes one is through.
        ("PUT", "/upload/", 5, "request", False),
        ("POST", "/commit/", 0, "request", False),
        ("POST", "/commit/", 0, "answer", True),  # the commit has landed, and nobody has heard of it
    ],
)
def test_killed_and_started_again(hub, api, builds, run, method, path, skip, drop, there):
    words = ("-m", "ascii_maze", "push", "dataset", builds.first, "--repo", REPO)
    child = None
    hub.fault(method, path, skip=skip, action=lambda: os.kill(child.pid, signal.SIGKILL), drop=drop)
    child = run(*words, popen=True)
    child.communicate(timeout=600)
    assert child.returncode == -signal.SIGKILL
    expected = built(builds.first) if there else set()
    deadline = time.monotonic() + 30
    while files(api) != expected and time.monotonic() < deadline:  # the server may still be at the commit
        time.sleep(0.05)
    assert files(api) == expected
    assert hub.asked("PUT", "/upload/", 200)
    again = run(*words)
    assert again.returncode == 0, again.stderr
    assert len(hub.asked("PUT", "/upload/", 200)) == len(content_of(builds.first))  # each once, over both
    assert files(api) == built(builds.first)
    assert len(history(api)) == 2


def test_what_the_repository_ignores_is_said(hub, api, push, builds):
    api.create_repo(REPO, repo_type="dataset", private=True)
    hub.store.repos["dataset", REPO].ignored.add("build.json")
    with pytest.raises(AsciiMazeError, match=r"but not build.json; does a .gitignore"):
        push(builds.first)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (READ, "is read-only; run `hf auth login`"),
        (EXPIRED, "rejects this token as expired or wrong; run `hf auth login`"),
        (STRANGER, f"may not write to dataset {REPO} .*namespace org"),
        ("hf_ with a blank", "contains a space"),
    ],
)
def test_accounts_that_may_not(hub, push, builds, connect, token, message):
    with pytest.raises(AsciiMazeError, match=message) as caught:
        push(builds.first, api=connect(token))
    assert caught.value.exit_code == 1
    assert token not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not hub.store.repos


def test_nobody_is_logged_in(push, builds, connect, monkeypatch, tmp_path):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(AsciiMazeError, match="not logged in to the Hub; run `hf auth login`"):
        push(builds.first, api=connect(None))


def test_offline_mode_is_said(push, builds, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(AsciiMazeError, match="HF_HUB_OFFLINE is set"):
        push(builds.first)


def test_a_gated_repository_of_others(hub, push, builds, connect):
    hub.store.create("dataset", "bob/gated", hub.store.users[STRANGER], private=False)
    hub.store.repos["dataset", "bob/gated"].gated = True
    with pytest.raises(AsciiMazeError, match="dataset bob/gated is gated"):
        push(builds.first, repo="bob/gated", public=True)


@pytest.mark.parametrize("public", [True, False])
def test_a_repository_that_is_not_as_private_as_asked_is_left_alone(hub, api, push, builds, public):
    api.create_repo(REPO, repo_type="dataset", private=public)
    hub.requests.clear()
    with pytest.raises(UsageError, match=f"{REPO} is {'private' if public else 'public'} on the Hub"):
        push(builds.first, public=public)
    assert {request.method for request in hub.requests} == {"GET"}


def test_public_when_asked(hub, push, builds):
    push(builds.first, public=True)
    assert not hub.store.repos["dataset", REPO].private


def test_a_hub_that_makes_it_public_after_all_gets_nothing(hub, push, builds, monkeypatch):
    create = hub.store.create
    monkeypatch.setattr(hub.store, "create", lambda kind, name, user, private, sdk: create(kind, name, user, False))
    with pytest.raises(UsageError, match="is public on the Hub"):
        push(builds.first)
    assert not hub.asked("PUT")


def test_a_tag_for_a_release(api, push, builds):
    first = push(builds.first, tag="v1")
    assert push(builds.first, tag="v1").commit == first.commit
    with pytest.raises(UsageError, match=f"already has a tag v1, on another commit .{first.commit}"):
        push(builds.other, tag="v1")
    assert len(history(api)) == 2
    push(builds.other, tag="v2")
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(REPO, repo_type="dataset").tags}
    assert tags["v1"] == first.commit != tags["v2"]


def test_a_branch_of_its_own(api, push, builds):
    push(builds.first)
    push(builds.other, revision="next")
    assert len(history(api)) == 2
    assert len(history(api, revision="next")) == 3


def test_a_card_that_the_hub_does_not_accept(hub, push, builds, tmp_path):
    folder = shutil.copytree(builds.first, tmp_path / "copy")
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text(
        card.replace("license: apache-2.0", "license: afl-3.0")
    )  # not one of the server's
    with pytest.raises(UsageError, match=r'the Hub does not accept its metadata: "license" must be one of'):
        push(folder)
    assert not hub.asked("PUT")


def test_an_adapter_names_its_base_on_the_hub(hub, api, push, adapter, tmp_path):
    before = {path: path.read_bytes() for path in adapter.rglob("*") if path.is_file()}
    repo = f"{ORG}/ascii-maze-sft"
    with pytest.raises(UsageError, match=f"the base model '{ORG}/tiny' is not on the Hub"):
        push(adapter, "adapter", repo, base_model=f"{ORG}/tiny")
    assert ("model", repo) not in hub.store.repos
    api.create_repo(f"{ORG}/tiny", private=True)
    push(adapter, "adapter", repo, base_model=f"{ORG}/tiny")
    names = {"README.md", "adapter_config.json", "adapter_model.safetensors", "metrics.json", "recipe.yaml"}
    assert files(api, repo, "model") == names
    fetched = {
        name: Path(api.hf_hub_download(repo, name, local_dir=tmp_path / "fetched")).read_text()
        for name in names - {"adapter_model.safetensors"}
    }
    assert f"base_model: {ORG}/tiny\n" in fetched["README.md"]
    assert f"An adapter on `{ORG}/tiny`, a tiny model." in fetched["README.md"]
    assert f'"base_model_name_or_path": "{ORG}/tiny"' in fetched["adapter_config.json"]
    assert fetched["recipe.yaml"] == f"method: sft\nmodel_name_or_path: {ORG}/tiny\n"
    assert {path: path.read_bytes() for path in adapter.rglob("*") if path.is_file()} == before


def test_a_metric_and_a_report_are_spaces(hub, api, push, tmp_path):
    metric = tmp_path / "path_validity"
    metric.mkdir()
    for name in ("path_validity.py", "app.py", "requirements.txt"):
        (metric / name).write_text("# nothing\n")
    (metric / "README.md").write_text("---\ntitle: x\nsdk: gradio\ntags:\n- evaluate\n---\n")
    report = tmp_path / "report"
    report.mkdir()
    (report / "report.html").write_text("<html></html>")
    push(metric, "metric", f"{ORG}/path_validity")
    push(report, "report", f"{ORG}/report")
    assert hub.store.repos["space", f"{ORG}/path_validity"].sdk == "gradio"
    assert hub.store.repos["space", f"{ORG}/report"].sdk == "static"
    assert files(api, f"{ORG}/report", "space") == {"README.md", "report.html"}


def test_what_a_long_build_would_rather_know_before(hub, api, connect):
    check_target("dataset", REPO, api=api)
    assert not hub.store.repos
    api.create_repo(REPO, repo_type="dataset", private=False)
    check_target("dataset", REPO, public=True, api=api)
    with pytest.raises(UsageError, match="is public on the Hub"):
        check_target("dataset", REPO, api=api)
    with pytest.raises(UsageError, match="has no namespace"):
        check_target("dataset", "ascii-maze", api=api)
    with pytest.raises(AsciiMazeError, match="is read-only"):
        check_target("dataset", REPO, api=connect(READ))


def content(hub):
    """The large files of the dataset on the Hub with their sha256, which its build.json must name, and no others."""
    repo = hub.store.repos["dataset", REPO]
    files = repo.commit("main").files
    large = {path: file.sha256 for path, file in files.items() if file.sha256}
    assert large == (json.loads(hub.store.read(files["build.json"]))["files"] if "build.json" in files else {})
    return large


def content_of(folder):
    return json.loads((folder / "build.json").read_text())["files"]


def test_two_at_once_both_land(hub, api, push, builds):
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(push, (builds.first, builds.other))
    assert one.commit != two.commit
    assert len(history(api)) == 3
    assert content(hub) in (content_of(builds.first), content_of(builds.other))


@pytest.mark.parametrize(("faults", "least"), [(100, 4), pytest.param(1000, 50, marks=pytest.mark.slow)])
def test_faults_at_random_never_show_half_a_push(hub, api, push, builds, faults, least):
    """Each push completes with the right content, or says that it did not; the branch has the old or the new content,
    nothing of both, and every state that it ever had is there still.
    """
    choose = random.Random(0)
    requests = [("GET", "/api/"), ("POST", "/api/"), ("POST", "/objects/"), ("PUT", "/upload/"), ("POST", "/commit/")]
    kinds = [{"status": 503}, {"status": 500}, {"status": 429, "headers": {"Retry-After": "1"}}, {"status": 412}]
    kinds += [{"drop": "request"}, {"drop": "answer"}]
    api.create_repo(REPO, repo_type="dataset", private=True)
    states, completed, failed = [commit_of(hub)], 0, 0
    while hub.fired < faults:
        for _ in range(choose.randint(1, 5)):
            method, path = choose.choice(requests)
            times = choose.choice([1, 2, 3, 30])
            hub.fault(method, path, skip=choose.randint(0, 5), times=times, **choose.choice(kinds))
        folder, before = choose.choice([builds.first, builds.other, builds.shards]), content(hub)
        try:
            push(folder)
        except AsciiMazeError:
            failed += 1
            assert content(hub) in (before, content_of(folder))
        else:
            completed += 1
            assert content(hub) == content_of(folder)
        hub.faults.clear()
        if commit_of(hub) != states[-1]:
            states.append(commit_of(hub))
    history = hub.store.repos["dataset", REPO].history("main")
    assert [commit.oid for commit in history][::-1] == states
    assert completed > least
    assert failed > least


def commit_of(hub):
    return hub.store.repos["dataset", REPO].branches["main"]


def test_a_branch_that_comes_a_moment_after_its_repository_is_waited_for(hub, api, builds):
    """The Hub makes a repository, and then its first commit; what asks in between finds no `main`."""
    from ascii_maze.hub import plan_push
    from ascii_maze.hub import push as push_plan

    api.create_repo(REPO, repo_type="dataset", private=True)
    branches, waits = hub.store.repos["dataset", REPO].branches, []
    first = branches.pop("main")

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            branches["main"] = first

    pushed = push_plan(plan_push("dataset", builds.first, REPO), api, sleep=sleep)
    assert waits == [1, 2]
    assert set(pushed.sent) == built(builds.first) == files(api)
