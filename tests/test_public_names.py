"""What people copy uses only what `import ascii_maze` offers: inner modules move."""

import ast
import re
import textwrap
from pathlib import Path

import pytest

import ascii_maze

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("docs", "model_cards", "dataset_builder", "ascii_maze/tiny", "ascii_maze/metrics", "ascii_maze/templating")
PAGES = sorted(
    {
        *ROOT.glob("README*.md"),
        *(path for folder in FOLDERS for kind in ("*.md", "*.jinja") for path in (ROOT / folder).rglob(kind)),
    }
)
CODE = re.compile(r"```(?:python|py)\n(.*?)```", re.DOTALL)
JINJA = re.compile(r"{%.*?%}\n?|{{.*?}}", re.DOTALL)


def borrowed(text: str) -> list[str]:
    """What a page takes from the package that `import ascii_maze` does not offer."""
    wrong = []
    for code in CODE.findall(text):
        for line in JINJA.sub("x", code).splitlines():
            if not re.match(r"\s*(from|import)\b", line):
                wrong += [name for name in re.findall(r"\bascii_maze\.(\w+)", line) if name not in ascii_maze.__all__]
                continue
            (node,) = ast.parse(textwrap.dedent(line)).body
            if isinstance(node, ast.ImportFrom) and node.module == "ascii_maze":
                wrong += [alias.name for alias in node.names if alias.name not in ascii_maze.__all__]
            elif isinstance(node, ast.ImportFrom):
                wrong += [node.module] * (node.module or "").startswith(("ascii_maze.", "dataset_builder"))
            else:
                wrong += [alias.name for alias in node.names if alias.name.startswith(("ascii_maze.", "dataset_b"))]
    return wrong


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_and_cards_use_what_the_package_offers(path):
    assert borrowed(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("from ascii_maze import Maze, load_model", []),
        ("import ascii_maze\nascii_maze.metric_path()", []),
        ("from ascii_maze.models.generation import load_model", ["ascii_maze.models.generation"]),
        ("import ascii_maze.recipe", ["ascii_maze.recipe"]),
        ("from ascii_maze import recipe", ["recipe"]),
        ("import ascii_maze\nascii_maze.recipe.load()", ["recipe"]),
        ("from dataset_builder.build import build", ["dataset_builder.build"]),
    ],
)
def test_the_rule_itself_finds_what_it_is_for(code, wrong):
    assert borrowed(f"```python\n{code}\n```") == wrong


@pytest.mark.parametrize("name", ascii_maze.__all__)
def test_what_is_offered_is_there(name):
    assert getattr(ascii_maze, name).__doc__
