"""A collection about the shared small dataset, one made by hand, and a browser."""

import dataclasses
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ascii_maze import generate_mazes
from ascii_maze.mazes.prompts import prompt_messages
from ascii_maze.preferences.collection import Answer, Collection, Question, question_id
from ascii_maze.preferences.opening import Wishes, new_collection
from ascii_maze.preferences.serving import serve


def plain_collection(questions: int = 12, models=("a", "b"), **settings) -> Collection:
    """Questions about as many mazes, in each the right answer against a wrong one, without gold or repetitions."""
    asked = []
    for maze in generate_mazes("depth_first", 4, 4, questions, 0):
        answers = (Answer(models[0], " ".join(maze.solve())), Answer(models[1], "U U"))
        name = question_id(str(maze), answers)
        asked.append(Question(name, str(maze), prompt_messages(maze), answers, "train"))
    begun = Collection("made up", "compare", 2, 0.0, 0.0, 0, "Look well.", tuple(asked), ())
    return dataclasses.replace(begun, **settings)


@pytest.fixture(scope="session")
def asked(dataset) -> Collection:
    """Forty pairs of the dataset, with gold questions and repetitions one in ten each."""
    return new_collection(Wishes(str(dataset), limit=40, gold_share=0.1, repeat_share=0.1))


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, driven by Playwright; where it is missing these tests are skipped, and in CI they fail.

    Of a module, and no longer: while Playwright is at work it runs an event loop, in which others cannot run theirs.
    """
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        said = "no Chromium on this machine; `apt-get install chromium` adds it"
        if os.environ.get("ASCII_MAZE_REQUIRE_BROWSER"):
            pytest.fail(said)
        pytest.skip(said)
    from playwright.sync_api import sync_playwright

    only_here = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-background-networking"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=only_here)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium):
    """A function that opens a page; whatever it then asks for must be of its own server, and no script may fail."""
    asked, failed, contexts = [], [], []

    def open_tab(url: str, **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        context.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("dialog", lambda dialog: failed.append(f"dialog {dialog.message}"))
        page.goto(url)
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:"))] == []
    assert failed == []


@contextmanager
def served(page) -> Iterator[str]:
    """The address of a page that is served in threads of this process."""
    serving = serve(page, port=0)
    try:
        yield serving.url
    finally:
        serving.close()


def contrasts(page) -> dict[str, float]:
    """The lowest contrast of text with what is behind it (WCAG), by the kind of element."""
    return page.evaluate(CONTRASTS)


CONTRASTS = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return getComputedStyle(document.body).backgroundColor;
  };
  const found = {};
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest("svg") || node.matches(":disabled")) continue;
    const pair = [light(getComputedStyle(node).color), light(behind(node))].sort();
    const ratio = (pair[1] + 0.05) / (pair[0] + 0.05);
    found[node.tagName] = Math.min(found[node.tagName] ?? 99, ratio);
  }
  return found;
}"""
