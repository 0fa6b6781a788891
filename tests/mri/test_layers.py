"""Inside the wing too imports point one way: numbers know nothing of drawing, and drawing runs no model."""

import ast
from pathlib import Path

import pytest

import ascii_maze.mri

from ..test_layers import imports_of

WING = Path(ascii_maze.mri.__file__).parent
REPORT = sorted((WING / "report").glob("*.py"))
# Everything but `run.py`, which has numbers measured and then drawn.
NUMBERS = sorted(path for path in WING.rglob("*.py") if path not in {*REPORT, WING / "run.py"})
DRAWS = ("ascii_maze.mri.report", "ascii_maze.mri.run", "ascii_maze.plots", "ascii_maze.templating")


def packages_of(path: Path) -> set[str]:
    """The packages that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", NUMBERS, ids=lambda path: str(path.relative_to(WING)))
def test_numbers_do_not_import_what_draws(path):
    assert [name for _, name in imports_of(path) if name.startswith(DRAWS)] == []
    assert not packages_of(path) & {"matplotlib", "seaborn"}


@pytest.mark.parametrize("path", REPORT, ids=lambda path: path.name)
def test_drawing_runs_no_model(path):
    assert not packages_of(path) & {"torch", "transformers", "peft"}
