"""What the how-to pages promise beyond their commands, which tests/test_readme.py runs."""

import re
from pathlib import Path
from types import MappingProxyType

import pytest

from ascii_maze.mazes import carvers, generators
from ascii_maze.recipe import load_recipe
from ascii_maze.study.findings import findings, sentence_of
from ascii_maze.study.settings import load_study
from dataset_builder import config, config_values
from dataset_builder.build import build
from dataset_builder.config import load_config

from ..study.test_findings import CONTRAST
from ..test_readme import ROOT, blocks

PAGES = "docs/howto"


def test_the_generator_of_its_page_fills_the_config_of_its_page(tmp_path: Path, monkeypatch):
    page = f"{PAGES}/generator.md"
    kernel = blocks(page, 'python title="ascii_maze/mazes/carvers.py"')[0].replace(
        "cache=True, ", ""
    )  # no file to cache
    namespace = dict(vars(carvers))
    exec(compile(kernel, page, "exec"), namespace)  # noqa: S102, it is ours
    known = MappingProxyType({**generators.GENERATORS, "columns": namespace["carve_columns"]})
    monkeypatch.setattr(generators, "GENERATORS", known)
    choices = [one._replace(known=known) if one.what == "generator" else one for one in config_values.CHOICES]
    monkeypatch.setattr(config_values, "CHOICES", choices)
    (tmp_path / "my.yaml").write_text(blocks(page, "yaml")[0])
    record = build(config.load_config(str(tmp_path / "my.yaml")), tmp_path / "my-mazes")
    assert record["rows"]["prompts/test_unseen"] == 20


def test_the_study_of_its_page_asks_what_the_page_says(tmp_path: Path):
    (tmp_path / "my.yaml").write_text(blocks(f"{PAGES}/compare.md", "yaml")[0])
    study = load_study(tmp_path / "my.yaml")
    assert study.contrasts == [["grpo", "sft"], ["grpo", "sft_twice"]]


@pytest.mark.parametrize("verdict", ["more", "fewer", "equivalent", "none"])
def test_a_finding_is_worded_as_its_page_says(verdict):
    contrast = {**CONTRAST, "a": "grpo", "verdict": verdict}
    beginning, _, _ = sentence_of(contrast, 0.05).partition(":")
    assert f"`{beginning}: " in (ROOT / PAGES / "compare.md").read_text()


def test_the_page_says_of_one_seed_what_the_findings_say():
    claim = "these runs and not the methods"
    assert claim in findings([{**CONTRAST, "seeds": [0]}], 1, 0.05)[1]
    assert claim in " ".join((ROOT / PAGES / "compare.md").read_text().split())


@pytest.mark.parametrize(("page", "read"), [("dataset", load_config), ("recipes", load_recipe), ("study", load_study)])
def test_the_file_that_a_page_shows_is_read(page, read, tmp_path: Path):
    path = tmp_path / "my.yaml"
    path.write_text(blocks(f"{PAGES}/{page}.md", "yaml")[0])
    assert read(path if read is load_study else str(path))


def test_every_page_is_in_the_menu_and_on_the_first_page():
    menu, first = (ROOT / name for name in ("mkdocs.yml", "docs/index.md"))
    pages = {f"howto/{page.name}" for page in (ROOT / PAGES).glob("*.md")}
    assert pages == set(re.findall(r"howto/\w+\.md", menu.read_text()))
    assert pages == set(re.findall(r"howto/\w+\.md", first.read_text()))
