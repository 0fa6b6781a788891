"""Serves a custom page on Gradio's server, without Gradio's own pages.

Gradio's server mode runs and shares it; on a Space it is the Space's app. Its own pages, files, uploads and API are
not reachable: only what `Page` lists is served, so no path of the machine can be read and nothing can be uploaded. A
content security policy lets the browser load only from this server and run only its scripts, even if a model writes
markup.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import AsciiMazeError, UsageError, one_line, reason
from ..metrics.path_validity.maze import MazeError
from .extra import PAGES as MODULES
from .extra import require

PAGES = Path(__file__).resolve().parent / "pages"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
MOST_SENT = 65_536  # most bytes of a request
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors {ancestors}"
)
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
# The request that Gradio sends to itself at startup, also sent by the Hub to a Space.
OF_GRADIO = ("/gradio_api/startup-events",)
# The origins that embed a Space.
HUB = "https://huggingface.co https://*.hf.space"

# The JSON object of a request -> that of the response.
Handler = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Page:
    """A page to serve.

    Attributes:
        title: for the log.
        files: path -> a file of `pages/`; `/` is the page.
        handlers: path -> function that answers a POST of JSON.
        placeholders: names in double braces in the page -> the text or HTML that replaces them.
    """

    title: str
    files: Mapping[str, str]
    handlers: Mapping[str, Handler]
    placeholders: Mapping[str, str]


@dataclass(frozen=True)
class Serving:
    """A server that runs in threads of this process.

    Attributes:
        url: the address on this machine.
        share_url: the address on the internet, if it is shared.
    """

    url: str
    share_url: str | None
    close: Callable[[], None]


def serve(page: Page, host: str = "127.0.0.1", port: int = 7860, share: bool = False) -> Serving:
    """Start serving a page.

    Args:
        host: the address to listen on; `127.0.0.1` is this machine alone.
        port: 0 for any free port.
        share: whether to open a Gradio tunnel for everybody who knows the link.

    Raises:
        AsciiMazeError: Gradio is not installed, the port is taken, or there is no such address.
    """
    require(*MODULES)
    port = free_port(host, port)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    from gradio import Server

    server = Server(docs_url=None, redoc_url=None, openapi_url=None)
    _add_routes(server, page)
    server.add_middleware(Guard, page=page)
    try:
        app, url, share_url = server.launch(
            server_name=host,
            server_port=port,
            share=share,
            prevent_thread_lock=True,
            quiet=True,
            ssr_mode=False,
            num_workers=0,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            run_history=False,
            max_file_size=MOST_SENT,
        )
    except Exception as error:  # from Gradio, its tunnel, or the system
        raise AsciiMazeError(f"cannot serve on {host}, port {port}: {reason(error)}") from error
    return Serving(url, share_url, partial(app.get_blocks().close, verbose=False))


def free_port(host: str, port: int) -> int:
    """The port if it is free; any free one for 0.

    Raises:
        AsciiMazeError: it is taken, or there is no such address.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return probe.getsockname()[1]
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or error
        raise AsciiMazeError(f"cannot listen on {host}, port {port}: {said}; give another --port") from error


def _add_routes(server, page: Page) -> None:
    """The files and handlers of a page as routes of a FastAPI server."""
    from fastapi.responses import Response

    for path, name in page.files.items():
        content = (PAGES / name).read_text(encoding="utf-8")
        for key, value in page.placeholders.items():
            content = content.replace("{{ " + key + " }}", value)
        kind = TYPES[Path(name).suffix]
        server.get(path)(_file_route(Response(content, media_type=kind)))
    for path, handler in page.handlers.items():
        server.post(path)(_json_route(handler))


def _file_route(response):
    async def send():
        return response

    return send


def _json_route(handler: Handler):
    from fastapi import Request
    from fastapi.concurrency import run_in_threadpool
    from fastapi.responses import JSONResponse

    async def answer(request: Request):
        status, content = await run_in_threadpool(handled, handler, await request.body())
        return JSONResponse(content, status)

    # FastAPI resolves annotations in the module's namespace, but `Request` is imported in this function.
    answer.__annotations__["request"] = Request
    return answer


def handled(handler: Handler, body: bytes) -> tuple[int, dict[str, Any]]:
    """The HTTP status and JSON that answer a request; of errors only the messages of this package are shown."""
    try:
        return 200, handler(json_object(body))
    except (UsageError, MazeError) as error:
        return 400, {"error": one_line(error)}
    except AsciiMazeError as error:
        return 500, {"error": one_line(error)}


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a page sent.

    Raises:
        UsageError: it is something else.
    """
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError("expected a JSON object") from error
    if not isinstance(sent, dict):
        raise UsageError("expected a JSON object")
    return sent


class Guard:
    """ASGI middleware that passes only the requests a page lists, and adds its security headers."""

    def __init__(self, app, page: Page):
        self.app, self.gets, self.posts = app, {*page.files, *OF_GRADIO}, set(page.handlers)
        self.on_a_space = bool(os.environ.get("SPACE_ID"))  # behind a proxy, and public
        ancestors = HUB if self.on_a_space else "'none'"
        headers = {**HEADERS, "Content-Security-Policy": POLICY.format(ancestors=ancestors)}
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope, receive, send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refused = 404 if scope["type"] != "http" else self.refusal(scope)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif refused:
            await send({"type": "http.response.start", "status": refused, "headers": self.headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self.app(scope, receive, self.marked(send))

    def refusal(self, scope) -> int | None:
        """The HTTP status that refuses a request; None to pass it on."""
        headers = dict(scope["headers"])
        path, method = scope["path"], scope["method"]
        if method in ("GET", "HEAD"):
            return None if path in self.gets else 404
        if method != "POST" or path not in self.posts:
            return 404
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or int(length) > MOST_SENT:
            return 413
        # A form on another site can send text; sending JSON requires a CORS permission, which is not given.
        if headers.get(b"content-type", b"").split(b";")[0].strip() != b"application/json":
            return 415
        origin = headers.get(b"origin")
        if not self.on_a_space and origin and origin.partition(b"://")[2] != headers.get(b"host"):
            return 403
        return None

    def marked(self, send):
        """`send` with the security headers."""

        async def sending(message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self.headers]}
            await send(message)

        return sending


def wait_until_stopped(tick: Callable[[], None], seconds: float = 5.0) -> None:
    """Wait for Ctrl-C or SIGTERM, and call `tick` every few seconds."""
    import signal

    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        while not stopped.wait(seconds):
            tick()
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
