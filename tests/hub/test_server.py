"""The server of these tests, as the client sees it."""

from pathlib import Path

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, RepoFile, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from .conftest import EXPIRED, ORG, READ, STRANGER, WRITE

KINDS = ("model", "dataset", "space")
CONTENTS = {"README.md": b"# a\n", "data/a.parquet": b"large" * 100, "data/deep/b.json": b"{}", "c d%2F.txt": b"odd"}


@pytest.fixture(params=KINDS)
def repo(request, api):
    """A repository of each type with some files; returns what names it in calls, and its commit."""
    where = {"repo_id": f"{ORG}/x", "repo_type": request.param}
    sdk = "static" if request.param == "space" else None
    api.create_repo(**where, private=True, space_sdk=sdk)
    operations = [CommitOperationAdd(path, content) for path, content in CONTENTS.items()]
    return where, api.create_commit(**where, operations=operations, commit_message="files").oid


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_files_come_back_as_they_went(hub, api, repo, tmp_path):
    where, commit = repo
    folder = snapshot_download(**where, endpoint=hub.url, token=WRITE, local_dir=tmp_path / "fetched")
    for path, content in CONTENTS.items():
        assert (tmp_path / "fetched" / path).read_bytes() == content, folder
    assert api.repo_info(**where).sha == commit
    assert api.repo_info(**where, revision=commit).private


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_listings(hub, api, repo):
    where, _ = repo
    hub.page = 2
    entries = {entry.path: entry for entry in api.list_repo_tree(**where, recursive=True)}
    assert set(entries) == {".gitattributes", "data", "data/deep", *CONTENTS}
    assert entries["data/a.parquet"].lfs.size == 500
    assert len(hub.asked("GET", "/tree/")) == 4
    assert {entry.path for entry in api.list_repo_tree(**where, path_in_repo="data")} == {
        "data/a.parquet",
        "data/deep",
    }
    found = api.get_paths_info(**where, paths=["README.md", "data", "nothing"])
    assert [type(entry) is RepoFile for entry in found] == [True, False]
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(**where, path_in_repo="nothing"))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_branches_tags_and_commits(api, repo):
    where, commit = repo
    api.create_branch(**where, branch="next")
    api.create_tag(**where, tag="v1")
    deletion = CommitOperationDelete("data/", is_folder=True)
    api.create_commit(**where, operations=[deletion], commit_message="less", revision="next", parent_commit=commit)
    assert set(api.list_repo_files(**where, revision="next")) == {".gitattributes", "README.md", "c d%2F.txt"}
    assert set(api.list_repo_files(**where, revision="v1")) == {".gitattributes", *CONTENTS}
    assert [entry.title for entry in api.list_repo_commits(**where, revision="next")] == [
        "less",
        "files",
        "initial commit",
    ]
    refs = api.list_repo_refs(**where)
    assert {branch.name for branch in refs.branches} == {"main", "next"}
    assert refs.tags[0].target_commit == commit
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag(**where, tag="v1")
    with pytest.raises(RevisionNotFoundError):
        api.repo_info(**where, revision="nothing")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_stale_parent_is_refused_and_changes_nothing(api, repo):
    where, commit = repo
    first = api.list_repo_commits(**where)[-1].commit_id
    operation = CommitOperationAdd("README.md", b"other")
    with pytest.raises(HfHubHTTPError, match="412"):
        api.create_commit(**where, operations=[operation], commit_message="late", parent_commit=first)
    assert api.repo_info(**where).sha == commit


def test_who_may_see_and_change_what(hub, api, connect):
    where = {"repo_id": f"{ORG}/x", "repo_type": "dataset"}
    api.create_repo(**where, private=True)
    assert connect(READ).repo_info(**where).private
    for token in (STRANGER, False):
        with pytest.raises(RepositoryNotFoundError):
            connect(token).repo_info(**where)
    with pytest.raises(HfHubHTTPError, match="401"):
        connect(EXPIRED).repo_info(**where)
    for token in (READ, STRANGER):
        with pytest.raises(HfHubHTTPError, match="403"):
            connect(token).create_repo(f"{ORG}/y")
    with pytest.raises(HfHubHTTPError, match="403"):
        connect(READ).update_repo_settings(**where, private=False)
    api.update_repo_settings(**where, private=False, gated="auto")
    assert not connect(STRANGER).repo_info(**where).private
    with pytest.raises(GatedRepoError):
        connect(STRANGER).hf_hub_download(**where, filename=".gitattributes")
    api.delete_repo(**where)
    assert not hub.store.repos
    assert api.whoami()["auth"]["accessToken"]["role"] == "write"


def test_large_files_go_in_parts_and_come_from_elsewhere_without_the_token(hub, api, tmp_path):
    where = {"repo_id": f"{ORG}/x", "repo_type": "model"}
    api.create_repo(**where)
    hub.part = 1000
    content = bytes(range(256)) * 10
    operation = CommitOperationAdd("model.safetensors", content)
    api.create_commit(**where, operations=[operation], commit_message="weights")
    assert len(hub.asked("PUT", "/upload/", 200)) == 3
    path = api.hf_hub_download(f"{ORG}/x", "model.safetensors", local_dir=tmp_path)
    assert Path(path).read_bytes() == content
    fetched = hub.asked("GET", "/storage/")
    assert [(request.host, request.authorized) for request in fetched] == [("localhost", False)]


def test_ranges(hub, api):
    api.create_repo(f"{ORG}/x")
    operation = CommitOperationAdd("a.txt", b"0123456789")
    api.create_commit(f"{ORG}/x", [operation], commit_message="a")
    address = f"{hub.url}/{ORG}/x/resolve/main/a.txt"
    for asked, status, content in [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=2-99", 206, b"23456789"),
        ("bytes=10-", 416, b""),
    ]:
        answer = httpx2.get(address, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (status, content)
    answer = httpx2.head(f"{hub.url}/{ORG}/x/resolve/main/nothing")
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert answer.headers["X-Repo-Commit"] == api.repo_info(f"{ORG}/x").sha


def test_paths_that_leave_a_repository_are_refused(hub, api):
    api.create_repo(f"{ORG}/x")
    assert httpx2.get(f"{hub.url}/{ORG}/x/resolve/main/..%2F..%2Fsecret").status_code == 400
    line = b'{"key": "file", "value": {"path": "a/../../b", "content": ""}}'
    body = b'{"key": "header", "value": {"summary": "x"}}\n' + line
    headers = {"Authorization": f"Bearer {WRITE}"}
    assert httpx2.post(f"{hub.url}/api/models/{ORG}/x/commit/main", content=body, headers=headers).status_code == 400


def test_faults_happen_as_often_as_asked(hub):
    hub.fault("GET", "/api/whoami", times=2, skip=1, status=429, headers={"Retry-After": "3"})
    headers = {"Authorization": f"Bearer {WRITE}"}
    answers = [httpx2.get(f"{hub.url}/api/whoami-v2", headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "3"
    hub.fault("GET", "/api/whoami", drop="request")
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(f"{hub.url}/api/whoami-v2", headers=headers)
    hub.fault("GET", "/api/whoami", seconds=0.2)
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.get(f"{hub.url}/api/whoami-v2", headers=headers, timeout=0.05)
