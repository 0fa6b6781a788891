"""Everything that writes to the Hub.

1. *Account and repository.* The repository is created private unless asked otherwise, and checked to be so before
   anything is sent.
2. *Compare.* The files at the branch's head are compared with the plan by hash; if all match, there is no commit.
3. *Send.* Large files first, which changes nothing visible; then one commit on top of that head. If the branch has
   moved in the meantime, the Hub refuses (412), and everything from 2 on is repeated.
4. *Verify.* The commit's files are compared with the plan once more.

Every step is idempotent and retried with exponential backoff after a dropped connection, 412, 429, 5xx, or a branch
that does not exist yet: the client itself retries uploads, but neither the commit nor the creation of a repository. An
interrupted push that is started again sends only the missing files.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import AsciiMazeError, UsageError
from ..terminal import OnProgress
from .content import parse_card, read
from .retry import T, effective_token, in_one_line, repeated
from .shipment import Plan, check_repo_name, find_kind

if TYPE_CHECKING:
    from huggingface_hub import HfApi

UPLOADED_AT_ONCE = 16
LICENSE_KEYS = ("license", "license_name", "license_link")


@dataclass(frozen=True)
class Pushed:
    """The outcome of a push: `sent` and `deleted` are paths in the repository, both empty if it was up to date."""

    url: str
    commit: str
    sent: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


def push(
    plan: Plan,
    api: "HfApi | None" = None,
    on_progress: OnProgress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Pushed:
    """Bring a repository on the Hub to the planned state by one commit, or none if it is up to date.

    Args:
        plan: from `plan_push`.
        api: endpoint and account; default: those of the environment.
        on_progress: called with a stage, the number of steps done, and the total.
        sleep: waits for a number of seconds.

    Raises:
        UsageError: the repository is public and the plan private, or vice versa; the tag exists on another commit; the
            base model of an adapter is not on the Hub; the Hub rejects the card.
        AsciiMazeError: not logged in, no permission to write, or the Hub did not answer after several tries. The
            branch is then either unchanged or complete.
    """
    api, on_progress = api or _default_api(), on_progress or (lambda stage, step, steps: None)

    def patiently(action: Callable[[], T]) -> T:
        return repeated(action, on_progress, sleep)

    with in_one_line(api, f"{plan.spec.repo_type} {plan.repo}"):
        there = _check_target(plan.repo, plan.spec.repo_type, plan.private, api, patiently)
        plan = _with_license_of_base(plan, api, patiently)
        if not there:
            where: dict[str, Any] = {"private": plan.private, "exist_ok": True, "space_sdk": plan.spec.space_sdk}
            patiently(lambda: api.create_repo(plan.repo, repo_type=plan.spec.repo_type, **where))
            _check_visibility(plan.repo, plan.private, patiently(lambda: _repo_info(plan, api)))
        return _push(plan, api, on_progress, patiently)


def check_target(kind: str, repo: str, public: bool = False, api: "HfApi | None" = None) -> None:
    """Check that a push of this kind could go to a repository, before a long job starts; changes nothing.

    Raises:
        UsageError: no such kind, a name that the Hub rejects, or another visibility of the repository than requested.
        AsciiMazeError: not logged in, a token that can only read, or the Hub does not answer.
    """
    spec, api = find_kind(kind), api or _default_api()
    check_repo_name(repo)
    with in_one_line(api, f"{spec.repo_type} {repo}"):
        _check_target(repo, spec.repo_type, not public, api, lambda action: action())


def _push(plan: Plan, api: "HfApi", on_progress: OnProgress, patiently: Callable) -> Pushed:
    attempted: _Difference | None = None

    def attempt() -> Pushed:
        nonlocal attempted
        todo = _compare(plan, api, _head(plan, api))
        if not todo.changed and not todo.stale:
            # If the response to an earlier attempt was lost and no changes are left, its commit has landed.
            done = attempted or todo
            return Pushed(_url(plan, api), todo.head, done.changed, done.stale)
        attempted = todo
        _check_tag(plan, api, None)
        commit = _send(plan, api, todo, on_progress)
        left = _compare(plan, api, commit)
        if left.changed or left.stale:
            raise AsciiMazeError(
                f"the Hub took commit {commit} but not {', '.join(left.changed + left.stale)}; "
                "does a .gitignore in the repository name it?"
            )
        return Pushed(_url(plan, api), commit, todo.changed, todo.stale)

    pushed = patiently(attempt)
    if plan.tag:
        patiently(lambda: _tag(plan, api, pushed.commit))
    return pushed


def _default_api() -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi(library_name="ascii-maze", library_version=__version__)


def _check_target(repo: str, repo_type: str, private: bool, api: "HfApi", patiently: Callable) -> bool:
    """Check login, write permission and visibility; returns whether the repository exists."""
    from huggingface_hub.errors import RepositoryNotFoundError

    token = effective_token(api)
    if not token:
        raise AsciiMazeError("not logged in to the Hub; run `hf auth login`, or set HF_TOKEN")
    if not re.fullmatch(r"[!-~]+", token):
        # The HTTP library would reject it as a header, and print it.
        raise AsciiMazeError("the Hub token contains a space or a character that no token has; run `hf auth login`")
    role = patiently(lambda: api.whoami(token=token)).get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        raise AsciiMazeError("this Hub token is read-only; run `hf auth login` with one that can write")
    try:
        info = patiently(lambda: api.repo_info(repo, repo_type=repo_type))
    except RepositoryNotFoundError:
        return False
    _check_visibility(repo, private, info)
    return True


def _check_visibility(repo: str, private: bool, info: Any) -> None:
    if bool(info.private) != private:
        is_now, option = ("private", "omit --public") if info.private else ("public", "add --public")
        raise UsageError(f"{repo} is {is_now} on the Hub; {option}, or change it in the repository's settings")


def _repo_info(plan: Plan, api: "HfApi", revision: str | None = None) -> Any:
    return api.repo_info(plan.repo, repo_type=plan.spec.repo_type, revision=revision)


def _with_license_of_base(plan: Plan, api: "HfApi", patiently: Callable) -> Plan:
    """The plan with the licence of its adapter's base if it names none; checks that the base is on the Hub."""
    from huggingface_hub.errors import RepositoryNotFoundError

    if plan.kind != "adapter":
        return plan
    base = plan.card["base_model"]
    try:
        info = patiently(lambda: api.model_info(base))
    except RepositoryNotFoundError as error:
        raise UsageError(f"the base model '{base}' is not on the Hub; name one that is with --base-model") from error
    of_base = {key: value for key in LICENSE_KEYS if (value := (info.card_data or {}).get(key))}
    if plan.card.get("license") or not of_base.get("license"):
        return plan
    card = parse_card("model", read(plan.contents["README.md"]).decode())
    for key, value in of_base.items():
        card.data[key] = value
    contents = {**plan.contents, "README.md": str(card).encode()}
    return replace(plan, contents=contents, card=card.data.to_dict())


@dataclass(frozen=True)
class _Difference:
    """The changes that a commit on top of `head` has to make."""

    head: str
    changed: list[str]
    stale: list[str]


def _head(plan: Plan, api: "HfApi") -> str:
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        return _repo_info(plan, api, plan.revision).sha
    except RevisionNotFoundError:
        api.create_branch(plan.repo, branch=plan.revision, repo_type=plan.spec.repo_type, exist_ok=True)
        return _repo_info(plan, api, plan.revision).sha


def _compare(plan: Plan, api: "HfApi", head: str) -> _Difference:
    """Files that a revision lacks or has with different content, and files that only an earlier push had."""
    from huggingface_hub import RepoFile

    entries = api.list_repo_tree(plan.repo, recursive=True, revision=head, repo_type=plan.spec.repo_type)
    there = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
    changed = [path for path in plan.contents if path not in there or not _is_same(plan, path, there[path])]
    manifest = plan.spec.manifest
    # If the manifest is unchanged, files that it does not list did not come from a push.
    earlier = _listed_files(plan, api, head) if manifest in there and manifest in changed else []
    return _Difference(head, changed, [path for path in earlier if path in there and path not in plan.contents])


def _is_same(plan: Plan, path: str, remote: Any) -> bool:
    from huggingface_hub.utils.sha import git_hash

    if remote.lfs:
        return remote.lfs.sha256 == plan.digests[path]
    return remote.blob_id == git_hash(read(plan.contents[path]))


def _listed_files(plan: Plan, api: "HfApi", head: str) -> list[str]:
    """The files that a revision's manifest lists; empty if it is not a manifest of this package."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="ascii-maze-") as folder:
        path = api.hf_hub_download(
            plan.repo, plan.spec.manifest, repo_type=plan.spec.repo_type, revision=head, local_dir=folder
        )
        try:
            files = json.loads(Path(path).read_bytes())["files"]
        except (ValueError, KeyError, TypeError):
            return []
    return sorted(map(str, files)) if isinstance(files, dict) else []


def _send(plan: Plan, api: "HfApi", todo: _Difference, on_progress: OnProgress) -> str:
    """Upload large files, then commit everything on top of the head that was compared; returns the commit."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    additions = [CommitOperationAdd(path, plan.contents[path]) for path in todo.changed]
    for addition in additions:
        addition.upload_info.sha256 = bytes.fromhex(plan.digests[addition.path_in_repo])
    where: dict[str, Any] = {"repo_id": plan.repo, "repo_type": plan.spec.repo_type, "revision": plan.revision}
    if "README.md" in todo.changed:
        _check_card_online(plan, api)
    for start in range(0, len(additions), UPLOADED_AT_ONCE):
        on_progress("uploading", start, len(additions))
        api.preupload_lfs_files(additions=additions[start : start + UPLOADED_AT_ONCE], free_memory=False, **where)
    commit = api.create_commit(
        operations=[*additions, *(CommitOperationDelete(path) for path in todo.stale)],
        commit_message=f"{plan.kind.capitalize()} by ascii-maze {__version__}",
        parent_commit=todo.head,
        **where,
    )
    on_progress("uploading", len(additions), len(additions))
    return commit.oid


def _check_card_online(plan: Plan, api: "HfApi") -> None:
    """Ask the Hub whether it accepts the card before anything is uploaded (the client asks afterwards)."""
    from huggingface_hub.errors import BadRequestError
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    body = {"content": read(plan.contents["README.md"]).decode(), "repoType": plan.spec.repo_type}
    headers = build_hf_headers(token=api.token)
    try:
        hf_raise_for_status(get_session().post(f"{api.endpoint}/api/validate-yaml", json=body, headers=headers))
    except BadRequestError as error:
        said = " ".join((error.server_message or "").split())
        raise UsageError(f"{plan.folder / 'README.md'}: the Hub does not accept its metadata: {said}") from error


def _check_tag(plan: Plan, api: "HfApi", commit: str | None) -> bool:
    """Whether the tag is already on this commit.

    Raises:
        UsageError: it is on another.
    """
    if not plan.tag:
        return False
    tags = api.list_repo_refs(plan.repo, repo_type=plan.spec.repo_type).tags
    there = {tag.name: tag.target_commit for tag in tags}.get(plan.tag)
    if there and there != commit:
        raise UsageError(f"{plan.repo} already has a tag {plan.tag}, on another commit ({there}); give another --tag")
    return there is not None


def _tag(plan: Plan, api: "HfApi", commit: str) -> None:
    if not _check_tag(plan, api, commit):
        api.create_tag(plan.repo, tag=plan.tag, revision=commit, repo_type=plan.spec.repo_type)


def _url(plan: Plan, api: "HfApi") -> str:
    prefix = "" if plan.spec.repo_type == "model" else f"{plan.spec.repo_type}s/"
    return f"{api.endpoint}/{prefix}{plan.repo}"
