"""Pages in a real browser: Debian's Chromium, driven by Playwright, and what axe-core has against a page."""

import os
import shutil
from pathlib import Path

import pytest

# Success criteria of WCAG 2.1, levels A and AA: contrast, labels, names of what can be used, structure.
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
PHONE, DESKTOP = 360, 1280  # widths, in CSS pixels


@pytest.fixture(scope="module")
def chromium():
    """The browser; where it is missing these tests are skipped, or fail if ASCII_MAZE_REQUIRE_BROWSER is set.

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
    """A function that opens a page; it may fetch from its own server alone, and neither fail nor log an error.

    `console=False` is for a page that is meant to meet one, such as a server that is gone.
    """
    asked, failed, contexts = [], [], []

    def open_tab(page: str | Path, console: bool = True, **options):
        url = page.as_uri() if isinstance(page, Path) else page
        context = chromium.new_context(**{"viewport": {"width": DESKTOP, "height": 800}, **options})
        contexts.append(context)
        opened = context.new_page()
        opened.set_default_timeout(15_000)
        context.on("request", lambda request: request.url != url and asked.append(request.url))
        opened.on("pageerror", lambda error: failed.append(str(error)))
        opened.on("dialog", lambda dialog: failed.append(f"dialog {dialog.message}"))
        if console:
            opened.on("console", lambda said: said.type == "error" and failed.append(said.text))
        opened.goto(url)
        return opened

    yield open_tab
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:"))] == []
    assert failed == []


def complaints(page) -> list[str]:
    """What is wrong with a page as it is shown now, in words: axe-core's violations, and scrolling sideways."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={**RULES, "resultTypes": ["violations"]}).response["violations"]
    said = [f"{rule['id']}: {node['failureSummary']}: {node['html']}" for rule in found for node in rule["nodes"]]
    wide, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return said + [f"scrolls sideways: {wide} pixels wide in {room}"] * (wide > room)


def complaints_at_every_size(page) -> list[str]:
    """The complaints about a page at phone and desktop width, in light and dark colours; empties its drawings."""
    # axe-core looks at every shape, a hundred thousand of them in an MRI, and has no rule about any.
    page.evaluate("document.querySelectorAll('svg > :not(title, desc)').forEach((shape) => shape.remove())")
    said = []
    for width in (PHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": 800})
        for colours in ("light", "dark"):
            page.emulate_media(color_scheme=colours)
            said += [f"{width} pixels, {colours}: {line}" for line in complaints(page)]
    return said
