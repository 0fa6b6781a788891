"""The page of `annotate` in a real browser."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from ascii_maze.preferences.annotate_app import annotate_page, describe
from ascii_maze.preferences.collection import Answer
from ascii_maze.preferences.collector import Collector
from ascii_maze.preferences.journal import kept, read_journals

from ..browser import DESKTOP, PHONE, complaints
from .conftest import plain_collection, served

NASTY = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"
NASTY += "\x1b[31m&lt;b&gt;\u202edrawer"


@contextmanager
def annotating(tmp_path, collection):
    with served(annotate_page(Collector(tmp_path, collection, []))) as url:
        yield url


def begin(page, name="ana"):
    page.fill("#annotator", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("#question:not([hidden])")


def press(page, key):
    """Press a key and wait until the question has changed."""
    before = page.inner_text("#progress")
    page.keyboard.press(key)
    page.wait_for_function("(before) => document.getElementById('progress').textContent !== before", arg=before)


def wait_for_progress(page, said):
    """Wait until so many answers are counted. A function, since the page's policy lets no text be run."""
    begins = "(said) => document.getElementById('progress').textContent.startsWith(said)"
    page.wait_for_function(begins, arg=said)


def start(folder, *words):
    command = [sys.executable, "-m", "ascii_maze", "annotate", *words, "--out", str(folder), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate()[1])
    return process, json.loads(line)


def test_forty_pairs_by_keys_alone_with_the_server_killed_in_the_middle(dataset, tmp_path, tab):
    folder = tmp_path / "preferences"
    server, told = start(folder, str(dataset), "--limit", "40", "--port", "0")
    port = told["url"].rstrip("/").rsplit(":", 1)[1]
    try:
        page = tab(told["url"], console=False)  # which says that the server is gone
        page.keyboard.type("ana")
        page.keyboard.press("Enter")
        page.wait_for_selector("#question:not([hidden])")
        for number in range(17):
            press(page, "12=0"[number % 4])
        server.kill()
        server.wait()
        page.keyboard.press("1")
        page.wait_for_selector("#error:not([hidden])")
        assert "Not saved" in page.inner_text("#error")
        server, _ = start(folder, "--port", port)
        press(page, "1")  # the same key again
        assert page.is_hidden("#error")
        page.reload()
        page.wait_for_selector("#question:not([hidden])")
        assert page.inner_text("#progress").startswith("ana: 18 answered")
        while page.is_visible("#question"):
            press(page, "ArrowRight")
        assert "That was all" in page.inner_text("#done")
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        if server.poll() is None:
            os.kill(server.pid, signal.SIGKILL)
    mine = kept(read_journals(folder).events)["ana"]
    fresh = [event.question for event in mine if not event.repeat]
    assert len(fresh) == len(set(fresh))
    assert {question["id"] for question in json.loads((folder / "collection.json").read_text())["questions"]} < set(
        fresh
    )
    assert [event.choice for event in mine[2:4]] == ["tie", "neither"]
    assert all(event.seconds is not None and event.seconds < 60 for event in mine)
    assert (folder / "annotations" / "train-00000-of-00001.parquet").is_file()


def test_what_a_model_wrote_is_text_and_no_more(tmp_path, tab):
    collection = plain_collection(2)
    nasty = dataclasses.replace(collection.questions[0], answers=(Answer("a", NASTY), Answer("b", "R R")))
    collection = dataclasses.replace(
        collection, questions=(nasty,), guideline=f"Look {NASTY} [x](javascript:alert(1))"
    )
    with annotating(tmp_path, collection) as url:
        page = tab(url, console=False)  # which says what was not run
        begin(page)
        assert NASTY in page.locator("#sides pre").all_text_contents()
        page.keyboard.press("?")
        assert "onerror" in page.inner_text("#guideline")
        assert page.locator("img, #sides script, a[href^='javascript']").count() == 0
        assert page.title() == "Which answer is better?"
        assert page.evaluate("getComputedStyle(document.querySelector('#sides pre')).unicodeBidi") == "isolate"
        # Nor would the browser run it if it were more than text.
        page.evaluate("(html) => { document.querySelector('main').innerHTML = html }", NASTY)
        page.wait_for_timeout(100)
        assert page.title() == "Which answer is better?"


def test_with_the_mouse(tmp_path, tab):
    with annotating(tmp_path, plain_collection()) as url:
        page = tab(url)
        page.fill("#annotator", "bo")
        page.click("text=Begin")
        page.click("text=Left is better")
        wait_for_progress(page, "bo: 1 ")
        page.click("#undo")
        wait_for_progress(page, "bo: 0 ")
        page.click("#help")
        assert page.is_visible("#guideline")
        page.click("#guideline button")
        assert page.is_hidden("#guideline")
        page.click("text=Not you?")
        begin(page, "cy")
        assert page.inner_text("#progress").startswith("cy: 0 answered")
    assert [event.event for event in read_journals(tmp_path).events] == ["answer", "undo"]


def test_with_keys_alone(tmp_path, tab):
    with annotating(tmp_path, plain_collection()) as url:
        page = tab(url)
        assert page.evaluate("document.activeElement.id") == "annotator"
        begin(page)
        first = page.inner_text("#ask")
        assert page.evaluate("document.activeElement.id") == "ask"  # which a screen reader then reads
        assert "Left: Path of" in page.text_content("#status")
        press(page, "2")
        press(page, "z")
        assert page.inner_text("#ask") == first
        page.keyboard.press("?")
        page.keyboard.press("1")  # is not an answer while the guideline is open
        page.keyboard.press("Escape")
        assert page.inner_text("#ask") == first
        page.keyboard.press(" ")
        assert page.locator(".walker").count() == 2
        lengths = (
            "() => [...document.querySelectorAll('#sides .path')].map((path) => path.getAttribute('points').length)"
        )
        begun = max(page.evaluate(lengths))
        page.wait_for_function(f"(begun) => Math.max(...({lengths})()) > begun", arg=begun)
        reached = set()
        for _ in range(14):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.textContent.trim()"))
        assert {"1 Left is better", "0 Cannot say", "Walk it space"} <= reached
        press(page, "1")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_it_fits_the_screen_and_can_be_read(tmp_path, tab, colours, width):
    with annotating(tmp_path, plain_collection()) as url:
        page = tab(url, color_scheme=colours, viewport={"width": width, "height": 800})
        for prepare in (lambda: None, lambda: begin(page), lambda: page.keyboard.press("?")):
            prepare()
            assert complaints(page) == []
        pictures = page.locator("#sides svg[role=img]")
        assert pictures.count() == 2
        assert all("moves" in picture.get_attribute("aria-label") for picture in pictures.all())


def test_ratings_are_asked_one_by_one(tmp_path, tab):
    collection = plain_collection(3, mode="rate")
    single = tuple(dataclasses.replace(q, answers=q.answers[:1]) for q in collection.questions)
    with annotating(tmp_path, dataclasses.replace(collection, questions=single)) as url:
        page = tab(url)
        begin(page)
        assert page.locator("#sides figure").count() == 1
        for key in ("5", "1", "0"):
            press(page, key)
    assert [event.choice for event in kept(read_journals(tmp_path).events)["ana"]] == ["5", "1", "neither"]


def test_a_name_that_cannot_be_and_a_full_disk_are_said_on_the_page(tmp_path, tab):
    with annotating(tmp_path, plain_collection()) as url:
        page = tab(url, console=False)  # which says that the server has refused
        page.fill("#annotator", "a/b")
        page.keyboard.press("Enter")
        page.wait_for_selector("#error:not([hidden])")
        assert "annotator 'a/b': expected a name" in page.inner_text("#error")
        begin(page)
        (tmp_path / "answers").write_text("in the way of the folder")
        page.keyboard.press("1")
        page.wait_for_selector("#error:not([hidden])")
        assert "not saved" in page.inner_text("#error")
        (tmp_path / "answers").unlink()
        press(page, "1")
        assert page.is_hidden("#error")
    assert len(read_journals(tmp_path).events) == 1


def test_two_people_at_once_are_kept_apart(tmp_path, tab):
    with annotating(tmp_path, plain_collection(per_item=1)) as url:
        pages = {name: tab(url) for name in ("ana", "bo")}
        for name, page in pages.items():
            begin(page, name)
        for _ in range(6):
            for page in pages.values():
                press(page, "1")
        assert all(page.is_visible("#done") for page in pages.values())
    answers = kept(read_journals(tmp_path).events)
    assert {name: len(mine) for name, mine in answers.items()} == {"ana": 6, "bo": 6}
    assert len({event.question for mine in answers.values() for event in mine}) == 12


def test_a_walk_is_described_by_what_its_drawing_shows():
    from ascii_maze import Maze

    maze = Maze.from_ascii("#####\n#S G#\n#####")
    assert describe(maze, "R R") == "Path of 2 moves: it arrives after 2 moves."
    assert describe(maze, "R D R") == "Path of 3 moves: a wall stops it after 1 moves."
    assert "row 2, column 3, and G is at row 2, column 4" in describe(maze, "R")
    assert describe(maze, "to the right") == "The answer is not a path."
