"""What the server of the pages gives away: the page, and nothing of the machine."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest

from ascii_maze.errors import AsciiMazeError
from ascii_maze.preferences.annotate_app import annotate_page
from ascii_maze.preferences.collector import Collector
from ascii_maze.preferences.serving import MOST_SENT, Page, handled, serve

from .conftest import plain_collection, served

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with served(annotate_page(Collector(folder, plain_collection(), []))) as url:
        yield url


def ask(url, method, path, body=None, headers=()):
    """Status, headers and body of a request with the path exactly as given."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request(method, path, body, dict(headers))
    response = connection.getresponse()
    found = response.status, dict(response.headers), response.read()
    connection.close()
    return found


@pytest.mark.parametrize(
    "path",
    [
        *("/gradio_api/file=/etc/passwd", "/file=/etc/passwd", "/file/etc/passwd", "/static/../../../../etc/passwd"),
        *("/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/page.css/../../journal.py"),
        *("/config", "/docs", "/openapi.json", "/gradio_api/info", "/gradio_api/proxy=http://127.0.0.1/", "/assets/x"),
        *("/theme.css", "/monitoring", "/login", "/manifest.json", "/svelte/x", "/gradio_api/queue/status"),
        "/gradio_api/proxy=https://example.com/",
    ],
)
def test_no_path_but_those_of_the_page_is_served(url, path):
    status, _, body = ask(url, "GET", path)
    assert status == 404
    assert body == b""


@pytest.mark.parametrize(
    "path", ["/gradio_api/upload", "/gradio_api/component_server", "/gradio_api/run/predict", "/gradio_api/queue/join"]
)
def test_nothing_can_be_uploaded_or_run(url, path):
    assert ask(url, "POST", path, b"{}", JSON.items())[0] == 404


def test_the_browser_is_told_to_load_and_run_nothing_but_ours(url):
    status, headers, body = ask(url, "GET", "/")
    assert status == 200
    headers = {name.lower(): value for name, value in headers.items()}
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert b"http://" not in body
    assert b"https://" not in body
    assert b"{{" not in body


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({}, b"{}", 415),
        ({**JSON, "Origin": "https://example.com"}, b"{}", 403),
        ({**JSON, "Origin": "null"}, b"{}", 403),
        (JSON, b"x" * (MOST_SENT + 1), 413),
        (JSON, b"[]", 400),
        (JSON, b"{", 400),
        (JSON, b"\xff", 400),
        (JSON, b"[" * 50_000, 400),
        (JSON, b"{}", 400),
        (JSON, json.dumps({"annotator": ["x"]}).encode(), 400),
    ],
)
def test_requests_that_no_page_of_ours_makes_are_refused(url, headers, body, status):
    assert ask(url, "POST", "/api/place", body, headers.items())[0] == status


@pytest.mark.parametrize("value", [None, "x", -1, 1e400, {}, [], True, 10**400])
def test_odd_values_are_one_line_or_no_answer(url, value):
    place = json.loads(ask(url, "POST", "/api/place", json.dumps({"annotator": "odd"}).encode(), JSON.items())[2])
    sent = {"annotator": "odd", "number": place["number"], "question": place["question"]["id"], "choice": value}
    for key in ("choice", "number", "question", "seconds"):
        body = json.dumps({**sent, "choice": "nonsense", key: value}).encode()
        status, _, said = ask(url, "POST", "/api/answer", body, JSON.items())
        assert status in (200, 400)
        assert "\n" not in said.decode()
    after = json.loads(ask(url, "POST", "/api/place", json.dumps({"annotator": "odd"}).encode(), JSON.items())[2])
    assert after["number"] == place["number"]


def test_a_body_without_an_end_is_refused(url):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("POST", "/api/place", iter([b"x" * 1000]), JSON, encode_chunked=True)
    assert connection.getresponse().status == 413


def test_what_the_page_is_told_does_not_betray_models_or_gold(url):
    body = ask(url, "POST", "/api/place", json.dumps({"annotator": "spy"}).encode(), JSON.items())[2]
    question = json.loads(body)["question"]
    assert set(question) == {"id", "sides"}
    assert {key for side in question["sides"] for key in side} == {"svg", "words", "text", "thought"}


def test_a_port_that_is_taken_is_one_line():
    page = Page("empty", {}, {}, {})
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(AsciiMazeError, match=r"port .*: Address already in use; give another --port"):
            serve(page, port=other.getsockname()[1])
    with pytest.raises(AsciiMazeError, match=r"cannot listen on 203\.0\.113\.9"):
        serve(page, host="203.0.113.9", port=0)


def test_an_error_of_our_own_tells_its_line_and_no_other_is_swallowed():
    def fails(sent):
        raise AsciiMazeError("no room\x1b[31m")

    assert handled(fails, b"{}") == (500, {"error": "no room\\x1b[31m"})

    def breaks(sent):
        raise KeyError("x")

    with pytest.raises(KeyError):
        handled(breaks, b"{}")
