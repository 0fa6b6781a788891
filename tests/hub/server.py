"""A Hub on this machine: the HTTP side, for the unmodified huggingface_hub client. Standard library only.

    with HubServer(folder) as hub:
        hub.store.users["hf_..."] = User("ann", "write", orgs=("org",))
        api = HfApi(endpoint=hub.url, token="hf_...")

It keeps a log of requests, and goes wrong on demand: `hub.fault("POST", "/commit/", status=503)`. Large files come by
git's protocol or by xet, as the client likes. A job is taken down and not run: `hub.jobs` has what was asked, and
`hub.job_log` and `hub.job_stage` what becomes of it. It knows of no pull requests, discussions or searches.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from .store import File, HubError, Repo, Store, User
from .xet import Xet

DATE = "2026-01-01T00:00:00.000Z"
LARGE_SUFFIXES = (".parquet", ".safetensors", ".bin", ".png")
LICENSES = ("apache-2.0", "mit", "cc-by-4.0", "other")


@dataclass
class Fault:
    """What goes wrong with requests of a method whose path holds `path`, so many times, after letting `skip` pass.

    Attributes:
        status: answered, with `headers`, instead of carrying the request out.
        drop: `request`: the connection breaks while the body is being read; `answer`: after it was carried out.
        seconds: to wait first.
        action: called first.
    """

    method: str
    path: str
    times: int = 1
    skip: int = 0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: str | None = None
    seconds: float = 0
    action: Callable[[], object] | None = None


@dataclass(frozen=True)
class Request:
    """A line of the log; `status` 0 stands for a dropped connection."""

    method: str
    path: str
    status: int
    host: str
    authorized: bool


class HubServer(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1 while its block lasts.

    Args:
        folder: for the contents of files.
        page: entries of a folder in one answer.
        part: bytes; a larger upload goes in parts of so many.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, page: int = 1000, part: int = 8 << 20):
        super().__init__(("127.0.0.1", 0), Handler)
        self.store, self.page, self.part = Store(folder), page, part
        self.xet = Xet()
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.fired = 0  # faults that have happened
        self.jobs: list[dict] = []
        self.job_log, self.job_stage = ["a line"], "COMPLETED"
        self.collections: dict[str, dict] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def storage_url(self) -> str:
        """Where large files are fetched from: another origin, which must not get to see a token."""
        return f"http://localhost:{self.server_port}"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address) -> None:
        """A client that went away is no news."""

    def fault(self, method: str, path: str, **what) -> None:
        """Let the next such request go wrong; see `Fault`."""
        self.faults.append(Fault(method, path, **what))

    def next_fault(self, method: str, path: str) -> Fault | None:
        """The fault due for a request, counted down."""
        with self._lock:
            for fault in self.faults:
                if fault.method == method and fault.path in path and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        return None
                    fault.times -= 1
                    self.fired += 1
                    return fault
        return None

    def asked(self, method: str, path: str = "", status: int | None = None) -> list[Request]:
        """The requests so far of a method, whose path holds `path`, that were answered so."""
        return [
            request
            for request in self.requests
            if request.method == method and path in request.path and status in (None, request.status)
        ]


class Handler(BaseHTTPRequestHandler):
    """One connection. `ROUTES`, at the end, says which method answers which request."""

    server: HubServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # with unbuffered writes and Nagle's algorithm an answer takes 40 ms
    disable_nagle_algorithm = True

    def log_message(self, *args) -> None:
        """Nothing on stderr."""

    def answer(self) -> None:
        """Read a request, let it go wrong if it is to, carry it out, answer."""
        path = urlsplit(self.path).path
        fault = self.server.next_fault(self.command, path) or Fault("", "")
        self.muted = False
        if fault.drop == "answer":  # the whole request has come, and may be the last that its sender did
            self.body = self.read_body()
        if fault.action:
            fault.action()
        time.sleep(fault.seconds)
        if fault.drop == "request":
            self.rfile.read(min(1, int(self.headers.get("Content-Length") or 0)))
            return self.hang_up()
        if fault.drop != "answer":
            self.body = self.read_body()
        if fault.status:
            page = b"<html><body>Something went wrong</body></html>"  # a proxy's, so not JSON
            return self.reply(fault.status, page, {"Content-Type": "text/html", **fault.headers})
        self.muted = fault.drop == "answer"
        try:
            self.route(path)
        except HubError as error:
            headers = {"X-Error-Message": str(error), **({"X-Error-Code": error.code} if error.code else {})}
            self.reply(error.status, {"error": str(error)}, headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def log(self, status: int) -> None:
        """Add to the server's log; before the answer, so that who has the answer finds its request there."""
        host, authorized = self.headers.get("Host", "").split(":")[0], "Authorization" in self.headers
        self.server.requests.append(Request(self.command, urlsplit(self.path).path, status, host, authorized))

    def hang_up(self) -> None:
        """Close the connection without an answer."""
        self.log(0)
        self.close_connection = True
        self.connection.shutdown(2)

    def read_body(self) -> bytes:
        """The body, by its length or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def route(self, path: str) -> None:
        """Find the method for a request; the raw path is split before it is unquoted."""
        for method, pattern, action in ROUTES:
            match = pattern.fullmatch(path)
            if match and method == self.command.replace("HEAD", "GET"):
                groups = [unquote(group or "") for group in match.groups()]
                if any(part in (".", "..") for group in groups for part in group.split("/")):
                    raise HubError(400, "Invalid path")
                return action(self, *groups)
        raise HubError(404, f"no such endpoint: {self.command} {path}")

    def reply(self, status: int, body: bytes | dict | list = b"", headers: dict[str, str] | None = None) -> None:
        """Answer with bytes or JSON."""
        if self.muted:
            return self.hang_up()
        self.log(status)
        headers = dict(headers or {})
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    @property
    def user(self) -> User | None:
        """Whose token came with the request."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return self.server.store.user(token if scheme == "Bearer" else None)

    @property
    def query(self) -> dict[str, list[str]]:
        """The query of the address."""
        return parse_qs(urlsplit(self.path).query)

    def readable(self, kinds: str, name: str, content: bool = False) -> Repo:
        """The repository of an address, if the user may see it; `kinds` is `models`, `datasets` or `spaces`."""
        return self.server.store.repo(kinds[:-1], name, self.user, content)

    def writable(self, kinds: str, name: str) -> Repo:
        """The repository of an address, if the user may change it."""
        return self.server.store.writable(kinds[:-1], name, self.user)

    # Accounts and repositories

    def whoami(self) -> None:
        user = self.user
        if user is None:
            raise HubError(401, "Invalid username or password.")
        token = {"displayName": "a token", "role": user.role}
        orgs = [{"name": name, "roleInOrg": "write"} for name in user.orgs]
        auth = {"type": "access_token", "accessToken": token}
        self.reply(200, {"type": "user", "id": user.name, "name": user.name, "orgs": orgs, "auth": auth})

    def create_repo(self) -> None:
        asked = json.loads(self.body)
        user = self.user
        kind, name = asked.get("type") or "model", f"{asked.get('organization') or user.name}/{asked['name']}"
        prefix = "" if kind == "model" else f"{kind}s/"
        body = {"url": f"{self.server.url}/{prefix}{name}", "name": name}
        try:
            self.server.store.create(kind, name, user, asked.get("visibility") == "private", asked.get("sdk"))
        except HubError as error:
            if error.status != 409:
                raise
            return self.reply(409, {**body, "error": str(error)})
        self.reply(200, body)

    def list_repos(self, kinds: str) -> None:
        author, user = self.query.get("author", [""])[0], self.user
        seen = []
        for kind, name in self.server.store.repos:
            if kind == kinds[:-1] and name.startswith(f"{author}/"):
                with suppress(HubError):
                    repo = self.server.store.repo(kind, name, user)
                    seen.append({"_id": name, "id": name, "modelId": name, "private": repo.private, "tags": []})
        self.reply(200, seen)

    def delete_repo(self) -> None:
        asked = json.loads(self.body)
        kind, name = asked.get("type") or "model", f"{asked.get('organization') or self.user.name}/{asked['name']}"
        self.writable(f"{kind}s", name)
        del self.server.store.repos[kind, name]
        self.reply(200)

    def settings(self, kinds: str, name: str) -> None:
        repo, asked = self.writable(kinds, name), json.loads(self.body)
        if "visibility" in asked:
            repo.private = asked["visibility"] == "private"
        if "gated" in asked:
            repo.gated = bool(asked["gated"])
        self.reply(200, {})

    def validate_yaml(self) -> None:
        """Two of the Hub's rules: a head that ends, and a licence that it knows."""
        content = json.loads(self.body)["content"]
        head = re.match(r"---\n(.*?)\n---", content, re.DOTALL)
        if head is None:
            return self.reply(200, {"errors": [], "warnings": [{"message": "empty or missing yaml metadata"}]})
        named = re.search(r"^license: *(\S+)$", head[1], re.MULTILINE)
        if named and named[1] not in LICENSES:
            message = f'"license" must be one of [{", ".join(LICENSES)}]'
            return self.reply(400, {"error": message, "errors": [{"message": message}], "warnings": []})
        self.reply(200, {"errors": [], "warnings": []})

    def info(self, kinds: str, name: str, revision: str) -> None:
        repo = self.readable(kinds, name)
        commit = repo.commit(revision or "main")
        body = {
            "_id": name,
            "id": name,
            "author": name.split("/")[0],
            "sha": commit.oid,
            "lastModified": DATE,
            "createdAt": DATE,
            "private": repo.private,
            "gated": "auto" if repo.gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": [{"rfilename": path} for path in sorted(commit.files)],
        }
        self.reply(200, {**body, "sdk": repo.sdk} if repo.sdk else body)

    # Jobs and collections

    def create_job(self, namespace: str) -> None:
        """Take a job down, as if it had started at once."""
        if self.user is None or self.user.role != "write" or namespace not in (self.user.name, *self.user.orgs):
            raise HubError(403, "no permission to run jobs")
        spec = json.loads(self.body)
        job = {**spec, "id": f"job{len(self.server.jobs)}", "owner": {"id": "1", "name": namespace, "type": "user"}}
        job["status"] = {"stage": "RUNNING"}
        self.server.jobs.append(job)
        self.reply(200, {**job, "secrets": dict.fromkeys(job.get("secrets", {}), "")})

    def job(self, namespace: str, name: str) -> None:
        job = self.named_job(name)
        self.reply(200, {**job, "status": {"stage": self.server.job_stage, "message": None}, "secrets": {}})

    def named_job(self, name: str) -> dict:
        found = [job for job in self.server.jobs if job["id"] == name]
        if self.user is None or not found:
            raise HubError(404, "no such job")
        return found[0]

    def job_logs(self, namespace: str, name: str) -> None:
        self.named_job(name)
        events = [{"data": line, "timestamp": DATE} for line in ["===== Job started", *self.server.job_log]]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
        self.reply(200, body, {"Content-Type": "text/event-stream"})

    def create_collection(self) -> None:
        asked = json.loads(self.body)
        slug = f"{asked['namespace']}/{asked['title'].lower().replace(' ', '-')}-{'0' * 24}"
        if slug in self.server.collections:
            return self.reply(409, {"error": "exists already", "slug": slug})
        self.server.collections[slug] = {**self.collection_base(slug), **asked, "position": 0, "items": []}
        self.reply(200, self.server.collections[slug])

    def collection_base(self, slug: str) -> dict:
        owner = {"name": slug.split("/")[0], "type": "org"}
        return {"slug": slug, "lastUpdated": DATE, "gating": False, "owner": owner, "theme": "blue", "upvotes": 0}

    def collection(self, slug: str) -> None:
        self.reply(200, self.server.collections[slug])

    def add_to_collection(self, slug: str) -> None:
        found, item = self.server.collections[slug], json.loads(self.body)["item"]
        there = any(other["id"] == item["id"] for other in found["items"])
        if there:
            raise HubError(409, "this item is there already")
        found["items"].append({"_id": f"i{len(found['items'])}", **item, "position": len(found["items"])})
        self.reply(200, found)

    # Revisions

    def refs(self, kinds: str, name: str) -> None:
        repo = self.readable(kinds, name)

        def listed(group: str, refs: dict[str, str]) -> list[dict]:
            return [{"name": ref, "ref": f"refs/{group}/{ref}", "targetCommit": oid} for ref, oid in refs.items()]

        self.reply(
            200, {"branches": listed("heads", repo.branches), "tags": listed("tags", repo.tags), "converts": []}
        )

    def commits(self, kinds: str, name: str, revision: str) -> None:
        history = self.readable(kinds, name).history(revision)
        same = {"message": "", "date": DATE, "authors": [{"user": "someone"}]}
        self.reply(200, [{"id": commit.oid, "title": commit.title, **same} for commit in history])

    def create_branch(self, kinds: str, name: str, branch: str) -> None:
        repo = self.writable(kinds, name)
        if branch in repo.branches:
            raise HubError(409, f"Reference already exists: {branch}")
        repo.branches[branch] = repo.commit(json.loads(self.body or b"{}").get("startingPoint", "main")).oid
        self.reply(200, {})

    def create_tag(self, kinds: str, name: str, revision: str) -> None:
        repo, tag = self.writable(kinds, name), json.loads(self.body)["tag"]
        if tag in repo.tags:
            raise HubError(409, f"Tag reference exists already: {tag}")
        repo.tags[tag] = repo.commit(revision).oid
        self.reply(200, {})

    # Listing files

    def tree(self, kinds: str, name: str, revision: str, folder: str) -> None:
        commit = self.readable(kinds, name).commit(revision)
        folder = folder.strip("/")
        inside = [path for path in commit.files if not folder or path.startswith(f"{folder}/")]
        if folder and not inside:
            raise HubError(404, f"{folder} does not exist on {revision}", "EntryNotFound")
        depth = len(folder.split("/")) if folder else 0
        entries = {path: file_entry(path, commit.files[path]) for path in inside}
        for path in inside:
            parts = path.split("/")
            for end in range(depth + 1, len(parts)):
                entries.setdefault("/".join(parts[:end]), folder_entry("/".join(parts[:end])))
        if self.query.get("recursive", ["false"])[0].lower() != "true":
            entries = {path: entry for path, entry in entries.items() if path.count("/") == depth}
        self.reply_in_pages([entries[path] for path in sorted(entries)])

    def reply_in_pages(self, entries: list[dict]) -> None:
        start = int(self.query.get("cursor", ["0"])[0])
        end = start + self.server.page
        headers = {}
        if end < len(entries):
            keep = "&".join(f"{key}={quote(value[0])}" for key, value in self.query.items() if key != "cursor")
            address = f"{self.server.url}{urlsplit(self.path).path}?{keep}&cursor={end}"
            headers["Link"] = f'<{address}>; rel="next"'
        self.reply(200, entries[start:end], headers)

    def paths_info(self, kinds: str, name: str, revision: str) -> None:
        commit = self.readable(kinds, name).commit(revision)
        found = []
        for path in parse_qs(self.body.decode()).get("paths", []):
            if path in commit.files:
                found.append(file_entry(path, commit.files[path]))
            elif any(other.startswith(f"{path}/") for other in commit.files):
                found.append(folder_entry(path))
        self.reply(200, found)

    # Sending files

    def preupload(self, kinds: str, name: str, revision: str) -> None:
        repo, asked = self.writable(kinds, name), json.loads(self.body)["files"]
        there = repo.commit(revision).files
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE_SUFFIXES) else "regular",
                "shouldIgnore": file["path"] in repo.ignored,
                **({"oid": there[file["path"]].sha256 or there[file["path"]].oid} if file["path"] in there else {}),
            }
            for file in asked
        ]
        self.reply(200, {"files": files})

    def lfs_batch(self, prefix: str, name: str) -> None:
        kinds = prefix.strip("/") or "models"
        repo = self.writable(kinds, name)
        objects = [self.lfs_object(repo, kinds, file) for file in json.loads(self.body)["objects"]]
        self.reply(200, {"transfer": "basic", "objects": objects})

    def lfs_object(self, repo: Repo, kinds: str, file: dict) -> dict:
        """How to upload one object; without `actions` if it is there already."""
        sha256, size = file["oid"], file["size"]
        if sha256 in repo.large:
            return {"oid": sha256, "size": size}
        address = f"{self.server.url}/upload/{kinds}/{repo.name}/{sha256}"
        upload = {"href": address}
        if size > self.server.part:
            parts = range(1, -(-size // self.server.part) + 1)
            header = {"chunk_size": str(self.server.part), **{str(part): f"{address}/{part}" for part in parts}}
            upload = {"href": address, "header": header}
        return {"oid": sha256, "size": size, "actions": {"upload": upload}}

    def upload(self, kinds: str, name: str, sha256: str) -> None:
        """The address is the permission, as with the signed addresses of the Hub's storage."""
        store = self.server.store
        store.put_large(store.repos[kinds[:-1], name], sha256, self.body)
        self.reply(200)

    def upload_part(self, kinds: str, name: str, sha256: str, part: str) -> None:
        self.server.store.parts.setdefault(sha256, {})[int(part)] = self.body
        self.reply(200, headers={"ETag": f'"{sha256[:8]}-{part}"'})

    def complete_upload(self, kinds: str, name: str, sha256: str) -> None:
        store, parts = self.server.store, self.server.store.parts.pop(sha256)
        etags = [part["etag"] for part in json.loads(self.body)["parts"]]
        if etags != [f'"{sha256[:8]}-{part}"' for part in sorted(parts)]:
            raise HubError(400, "the parts are not those that were sent")
        store.put_large(store.repos[kinds[:-1], name], sha256, b"".join(parts[part] for part in sorted(parts)))
        self.reply(200, {})

    def commit(self, kinds: str, name: str, branch: str) -> None:
        repo = self.writable(kinds, name)
        lines = [json.loads(line) for line in self.body.splitlines()]
        header, changes = lines[0]["value"], self.read_changes(repo, branch, lines[1:])
        commit = self.server.store.commit(repo, branch, header.get("parentCommit"), header["summary"], changes)
        address = f"{self.server.url}/{name}/commit/{commit.oid}"
        self.reply(200, {"success": True, "commitOid": commit.oid, "commitUrl": address})

    def read_changes(self, repo: Repo, branch: str, lines: list[dict]) -> dict[str, File | None]:
        """The operations of a commit: path -> new file, or None to delete."""
        store, changes = self.server.store, {}
        for line in lines:
            path, value = line["value"]["path"], line["value"]
            if path.startswith("/") or any(part in ("", ".", "..", ".git") for part in path.rstrip("/").split("/")):
                raise HubError(400, f"Invalid path: {path}")
            if line["key"] == "file":
                changes[path] = store.put(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                changes[path] = store.large_file(repo, value["oid"])
            elif line["key"] == "deletedFile":
                changes[path] = None
            elif line["key"] == "deletedFolder":
                there = repo.commit(branch).files
                changes.update(dict.fromkeys(other for other in there if other.startswith(f"{path.rstrip('/')}/")))
        return changes

    # Xet. What a token lets do is written on it; a real one would be signed.

    def xet_token(self, kinds: str, name: str, access: str, revision: str) -> None:
        repo = self.writable(kinds, name) if access == "write" else self.readable(kinds, name, content=True)
        token, expires = f"{access}:{repo.kind}:{repo.name}", int(time.time()) + 3600
        address = f"{self.server.url}/xet"
        headers = {"X-Xet-Cas-Url": address, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(expires)}
        self.reply(200, {"casUrl": address, "accessToken": token, "exp": expires}, headers)

    def xet_repo(self, access: str) -> Repo:
        """The repository that the request's token is for."""
        allowed, _, named = self.headers.get("Authorization", "").removeprefix("Bearer ").partition(":")
        if allowed not in (access, "write"):
            raise HubError(401, "no token of xet")
        return self.server.store.repos[tuple(named.split(":"))]

    def xet_xorb(self, xorb: str) -> None:
        self.xet_repo("write")
        new = self.server.xet.xorbs.setdefault(xorb, self.body) is self.body
        self.reply(200, {"was_inserted": new})

    def xet_shard(self) -> None:
        repo = self.xet_repo("write")
        try:
            files = self.server.xet.add(self.body)
        except KeyError as error:
            raise HubError(400, f"no xorb {error}") from error
        for file in files:
            self.server.store.sizes[file.sha256] = file.size
            repo.large.add(file.sha256)
        self.reply(200, {"result": 1})

    def xet_reconstruction(self, file: str) -> None:
        self.xet_repo("read")
        if file not in self.server.xet.files:
            raise HubError(404, "no such file")
        if self.headers.get("Range", "bytes=0-").startswith("bytes=0-"):
            address = f"{self.server.url}/xorbs"
            return self.reply(200, self.server.xet.reconstruction(self.server.xet.files[file], address))
        self.reply(416)  # these files are small enough to be asked for whole, and then there is no more

    def xorb(self, xorb: str) -> None:
        self.reply_range(self.server.xet.xorbs[xorb], {})

    # Fetching files

    def resolve(self, prefix: str, name: str, revision: str, path: str) -> None:
        repo = self.readable(prefix.strip("/") or "models", name, content=True)
        commit = repo.commit(revision)
        file = commit.files.get(path)
        headers = {"X-Repo-Commit": commit.oid}
        if file is None:
            message = f"Entry not found: {path}"
            return self.reply(
                404, {"error": message}, {**headers, "X-Error-Code": "EntryNotFound", "X-Error-Message": message}
            )
        if file.sha256 is None:
            return self.reply_range(self.server.store.read(file), {**headers, "ETag": f'"{file.oid}"'})
        headers |= {"X-Linked-Size": str(file.size), "X-Linked-ETag": f'"{file.sha256}"'}
        if file.sha256 in self.server.xet.by_sha256:
            address = f"{self.server.url}/api/{prefix.strip('/') or 'models'}/{name}/xet-read-token/{commit.oid}"
            headers |= {"X-Xet-Hash": self.server.xet.by_sha256[file.sha256].hash}
            headers |= {"Link": f'<{address}>; rel="xet-auth"'}
        self.reply(302, headers={**headers, "Location": f"{self.server.storage_url}/storage/{file.sha256}"})

    def storage(self, sha256: str) -> None:
        content = (self.server.store.folder / sha256).read_bytes()
        self.reply_range(content, {"ETag": f'"{sha256}"'})

    def reply_range(self, content: bytes, headers: dict[str, str]) -> None:
        """The content, or the part of it that the Range header asks for."""
        headers = {**headers, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not asked or not any(asked.groups()):
            return self.reply(200, content, headers)
        if not asked[1]:
            first, last = max(len(content) - int(asked[2]), 0), len(content) - 1
        else:
            first, last = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
        if first > last:
            return self.reply(416, headers={"Content-Range": f"bytes */{len(content)}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        self.reply(206, content[first : last + 1], headers)


def file_entry(path: str, file: File) -> dict:
    """A file as listings show it."""
    entry = {"type": "file", "oid": file.oid, "size": file.size, "path": path}
    if file.sha256:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 130}
    return entry


def folder_entry(path: str) -> dict:
    """A folder as listings show it."""
    return {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}


_REPO = "/api/(models|datasets|spaces)/([^/]+/[^/]+)"
_FILES = "/(datasets/|spaces/|)([^/]+/[^/]+)"
_OBJECT = "/(models|datasets|spaces)/([^/]+/[^/]+)/([0-9a-f]{64})"
ROUTES = [
    (method, re.compile(pattern), action)
    for method, pattern, action in [
        ("GET", "/api/whoami-v2", Handler.whoami),
        ("POST", "/api/repos/create", Handler.create_repo),
        ("DELETE", "/api/repos/delete", Handler.delete_repo),
        ("GET", "/api/(models|datasets|spaces)", Handler.list_repos),
        ("POST", "/api/validate-yaml", Handler.validate_yaml),
        ("POST", "/api/jobs/([^/]+)", Handler.create_job),
        ("GET", "/api/jobs/([^/]+)/([^/]+)", Handler.job),
        ("GET", "/api/jobs/([^/]+)/([^/]+)/logs", Handler.job_logs),
        ("POST", "/api/collections", Handler.create_collection),
        ("GET", "/api/collections/([^/]+/[^/]+)", Handler.collection),
        ("POST", "/api/collections/([^/]+/[^/]+)/items", Handler.add_to_collection),
        ("PUT", f"{_REPO}/settings", Handler.settings),
        ("GET", f"{_REPO}/refs", Handler.refs),
        ("GET", f"{_REPO}/commits/([^/]+)", Handler.commits),
        ("POST", f"{_REPO}/branch/([^/]+)", Handler.create_branch),
        ("POST", f"{_REPO}/tag/([^/]+)", Handler.create_tag),
        ("GET", f"{_REPO}/tree/([^/]+)(/.+)?", Handler.tree),
        ("POST", f"{_REPO}/paths-info/([^/]+)", Handler.paths_info),
        ("POST", f"{_REPO}/preupload/([^/]+)", Handler.preupload),
        ("POST", f"{_REPO}/commit/([^/]+)", Handler.commit),
        ("GET", f"{_REPO}(?:/revision/([^/]+))?", Handler.info),
        ("GET", f"{_REPO}/xet-(read|write)-token/([^/]+)", Handler.xet_token),
        ("POST", "/xet/v1/xorbs/default/([0-9a-f]{64})", Handler.xet_xorb),
        ("POST", "/xet/v1/shards", Handler.xet_shard),
        ("GET", "/xet/v1/reconstructions/([0-9a-f]{64})", Handler.xet_reconstruction),
        ("GET", "/xorbs/([0-9a-f]{64})", Handler.xorb),
        ("POST", rf"{_FILES}\.git/info/lfs/objects/batch", Handler.lfs_batch),
        ("PUT", f"/upload{_OBJECT}", Handler.upload),
        ("PUT", f"/upload{_OBJECT}/([0-9]+)", Handler.upload_part),
        ("POST", f"/upload{_OBJECT}", Handler.complete_upload),
        ("GET", f"{_FILES}/resolve/([^/]+)/(.+)", Handler.resolve),
        ("GET", "/storage/([0-9a-f]{64})", Handler.storage),
    ]
]
