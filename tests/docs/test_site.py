"""The documentation site: it builds without a warning and without a network, its notebook runs, it fetches nothing."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.validator import validate

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
# Elements whose address a browser fetches by itself; a link is followed by a reader.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
POINTERS = {"canonical", "prev", "next"}  # kinds of <link> that are not fetched


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; the guard of these tests refuses any connection."""
    out = tmp_path_factory.mktemp("site")
    words = ["-m", "mkdocs", "build", "--strict", "--site-dir", out]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "WARNING" not in done.stderr
    return out


class Addresses(HTMLParser):
    """What a page has a browser fetch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag in FETCHED and not set((values.get("rel") or "").split()) & POINTERS:
            self.found.append(values.get(FETCHED[tag]) or "")


def test_no_page_fetches_anything_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        parser = Addresses()
        parser.feed(page.read_text(encoding="utf-8"))
        assert [address for address in parser.found if re.match(r"(https?:)?//", address)] == [], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_the_reference_has_every_command_and_every_public_name(site):
    import ascii_maze
    from ascii_maze.cli import app

    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    for command in app.registered_commands:
        assert f'id="{command.callback.__name__.replace("_", "-")}"' in commands
    python = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in ascii_maze.__all__:
        assert re.search(rf'id="ascii_maze\.[\w.]*\b{name}"', python), name


def test_every_page_is_in_the_navigation():
    import yaml

    listed = re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    there = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted(there)
    assert yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["strict"]


def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    """Cell by cell in one namespace, as a kernel does; a line with `!` is a command, and nothing is installed."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    validate(notebook)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}{os.pathsep}{ROOT}")
    namespace: dict = {}
    for cell in notebook.cells:
        if cell.cell_type != "code" or cell.source.startswith("%pip"):
            continue
        if cell.source.startswith("!ascii-maze "):
            words = cell.source.split()[1:]
            done = subprocess.run([sys.executable, "-m", "ascii_maze", *words], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-2000:]
        else:
            exec(compile(cell.source, NOTEBOOK.name, "exec"), namespace)  # noqa: S102, it is ours
    assert set(namespace["results"]["models"]) > {"base", "sft"}


def test_the_notebook_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
