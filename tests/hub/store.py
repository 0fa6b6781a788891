"""What a Hub holds: users, repositories, commits, files. Knows nothing of HTTP; contents lie in a folder."""

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path


class HubError(Exception):
    """An answer other than success: HTTP status, the Hub's X-Error-Code and its words."""

    def __init__(self, status: int, message: str, code: str | None = None):
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class User:
    """Who a token belongs to. `role` is that of the token: read, write or expired."""

    name: str
    role: str
    orgs: tuple[str, ...] = ()


@dataclass(frozen=True)
class File:
    """A file of a commit: its git object id, its size, and for a large one the sha256 of its content."""

    oid: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True)
class Commit:
    """A state of a repository."""

    oid: str
    parent: str | None
    title: str
    files: dict[str, File]


@dataclass
class Repo:
    """A repository. `large`: sha256 of large objects that it may refer to; `ignored`: paths that no commit takes."""

    kind: str
    name: str
    private: bool
    gated: bool = False
    sdk: str | None = None
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    large: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)

    def commit(self, revision: str) -> Commit:
        """By branch, tag, or the beginning of its id."""
        oid = self.branches.get(revision.removeprefix("refs/heads/")) or self.tags.get(revision) or revision
        found = [commit for name, commit in self.commits.items() if name.startswith(oid) and len(oid) >= 7]
        if len(found) != 1:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found[0]

    def history(self, revision: str) -> list[Commit]:
        """The commits up to a revision, newest first."""
        history = [self.commit(revision)]
        while history[-1].parent:
            history.append(self.commits[history[-1].parent])
        return history


def git_oid(content: bytes) -> str:
    """The id that git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Store:
    """Users and repositories, with the Hub's rules on who may see and change them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.sizes: dict[str, int] = {}  # of large files, by sha256

    def user(self, token: str | None) -> User | None:
        """Whose token this is; None without a token."""
        if token is None:
            return None
        user = self.users.get(token)
        if user is None or user.role == "expired":
            raise HubError(401, "Invalid credentials in Authorization header")
        return user

    def repo(self, kind: str, name: str, user: User | None, content: bool = False) -> Repo:
        """A repository that the user may see, or with `content` read files of."""
        repo = self.repos.get((kind, name))
        if repo is None or (repo.private and not self._is_member(user, name)):
            raise HubError(404 if user else 401, "Repository not found", "RepoNotFound")
        if content and repo.gated and not self._is_member(user, name):
            raise HubError(403 if user else 401, f"Access to {name} is restricted", "GatedRepo")
        return repo

    def writable(self, kind: str, name: str, user: User | None) -> Repo:
        """A repository that the user may change."""
        repo = self.repo(kind, name, user, content=True)
        self._may_write(user, name)
        return repo

    @staticmethod
    def _is_member(user: User | None, name: str) -> bool:
        return user is not None and name.split("/")[0] in (user.name, *user.orgs)

    def _may_write(self, user: User | None, name: str) -> None:
        if user is None:
            raise HubError(401, "Invalid username or password.")
        if user.role != "write":
            raise HubError(403, "Forbidden: you must use a write token")
        if not self._is_member(user, name):
            raise HubError(403, f"You don't have the rights to write under the namespace {name.split('/')[0]}")

    def create(self, kind: str, name: str, user: User | None, private: bool, sdk: str | None = None) -> Repo:
        """Make a repository, with the first commit that the Hub makes."""
        self._may_write(user, name)
        with self.lock:
            if (kind, name) in self.repos:
                raise HubError(409, f"You already created this {kind} repo: {name}")
            repo = self.repos[kind, name] = Repo(kind, name, private, sdk=sdk)
            first = self._add_commit(repo, None, "initial commit", {".gitattributes": self.put(b"*.parquet lfs\n")})
            repo.branches["main"] = first.oid
        return repo

    def put(self, content: bytes) -> File:
        """Keep a small file."""
        oid = git_oid(content)
        (self.folder / oid).write_bytes(content)
        return File(oid, len(content))

    def put_large(self, repo: Repo, sha256: str, content: bytes) -> None:
        """Keep a large file, if it is what its name says."""
        if hashlib.sha256(content).hexdigest() != sha256:
            raise HubError(422, "the content has another sha256")
        (self.folder / sha256).write_bytes(content)
        self.sizes[sha256] = len(content)
        repo.large.add(sha256)

    def large_file(self, repo: Repo, sha256: str) -> File:
        """A large file that was put, as git has it: its id is that of a pointer."""
        if sha256 not in repo.large:
            raise HubError(400, f"LFS pointer pointed to a file that does not exist: {sha256}")
        size = self.sizes[sha256]
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
        return File(git_oid(pointer.encode()), size, sha256)

    def read(self, file: File) -> bytes:
        """The content of a file."""
        return (self.folder / (file.sha256 or file.oid)).read_bytes()

    def commit(
        self, repo: Repo, branch: str, parent: str | None, title: str, changes: dict[str, File | None]
    ) -> Commit:
        """Add a commit to a branch, on condition that the branch still stands on `parent`; None deletes a file."""
        with self.lock:
            if branch not in repo.branches:
                raise HubError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
            head = repo.commits[repo.branches[branch]]
            if parent is not None and not head.oid.startswith(parent):
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            gone = [path for path, file in changes.items() if file is None]
            for path in gone:
                if path not in head.files:
                    raise HubError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
            files = {**head.files, **{path: file for path, file in changes.items() if file is not None}}
            files = {path: file for path, file in files.items() if path not in gone}
            commit = self._add_commit(repo, head.oid, title, files)
            repo.branches[branch] = commit.oid
        return commit

    @staticmethod
    def _add_commit(repo: Repo, parent: str | None, title: str, files: dict[str, File]) -> Commit:
        identity = repr((repo.kind, repo.name, len(repo.commits), parent, title, sorted(files.items())))
        commit = Commit(hashlib.sha1(identity.encode()).hexdigest(), parent, title, files)
        repo.commits[commit.oid] = commit
        return commit
