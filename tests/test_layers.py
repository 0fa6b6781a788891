"""Imports point downward, also those inside functions: from a line of `LAYERS` to those below it, or within a wing."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# From the top down. A wing is a folder, or a file beside the folders; two on one line do not import each other.
LAYERS = (
    ("cli", "__main__", "launch", "doctor"),
    ("study",),
    ("preferences",),
    ("training",),
    ("mri",),
    ("hub",),
    ("evaluation", "integrations"),
    ("dataset_builder",),
    ("models",),
    ("environment", "tiny", "recipe"),
    ("mazes",),
    ("templating",),
    ("terminal", "configuration", "plots", "references", "packages"),
    ("metrics",),
    ("files", "errors"),
)
RANK = {wing: rank for rank, line in enumerate(LAYERS) for wing in line}
# `ascii_maze` itself offers names of several wings, which it imports when they are asked for.
FRONT = "ascii_maze"
SOURCES = sorted(path for folder in ("ascii_maze", "dataset_builder") for path in (ROOT / folder).rglob("*.py"))
# A commands' file starts another of its line: `ascii-maze train` is what `accelerate launch` runs.
NEIGHBOURS = {("__main__", "cli"), ("cli", "launch"), ("cli", "doctor"), ("files", "errors")}


def wing_of(module: str) -> str:
    """`ascii_maze.mri.regions.edges` -> `mri`; `dataset_builder.build` -> `dataset_builder`."""
    top, *inner = module.split(".")
    return inner[0] if top == "ascii_maze" and inner else top


def imports_of(path: Path) -> list[tuple[int, str]]:
    """Line and dotted name of whatever a file of ours imports from this project, anywhere in it."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            # `from . import kernels` imports a module, `from .kernels import solve` a name in one.
            whole = base == "ascii_maze"
            found += [(node.lineno, f"{base}.{alias.name}" if whole else base) for alias in node.names]
    return [(line, name) for line, name in found if name.split(".")[0] in ("ascii_maze", "dataset_builder")]


def offends(path: Path, name: str) -> bool:
    """Whether an import goes up, or aside."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    here, there = wing_of(module), wing_of(name)
    if here == there or (here, there) in NEIGHBOURS or there not in RANK:
        return False
    return RANK[there] <= RANK[here]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path):
    if wing_of(".".join(path.relative_to(ROOT).with_suffix("").parts)) in ("__init__", FRONT):
        return
    wrong = [f"line {line}: {name}" for line, name in imports_of(path) if offends(path, name)]
    assert not wrong, f"{path.relative_to(ROOT)} imports from above or beside it: {'; '.join(wrong)}"


def test_every_wing_has_its_place():
    for folder in (ROOT / "ascii_maze", ROOT / "dataset_builder"):
        for path in folder.iterdir() if folder.name == "ascii_maze" else [folder]:
            if path.suffix == ".py" or (path / "__init__.py").is_file():
                assert path.stem in {*RANK, "__init__"}, f"{path.name} has no place in LAYERS"


def test_the_metric_imports_nothing_of_the_rest():
    folder = ROOT / "ascii_maze" / "metrics" / "path_validity"
    for path in folder.glob("*.py"):
        assert all(name.startswith("ascii_maze.metrics.path_validity") for _, name in imports_of(path)), path.name


def test_an_import_inside_a_function_is_seen_and_one_that_climbs_offends(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "ascii_maze" / "mazes").mkdir(parents=True)
    path = tmp_path / "ascii_maze" / "mazes" / "new.py"
    path.write_text(
        "def f():\n    from ..training.run import run\n    from .splits import split_of\n    import numpy\n"
    )
    assert imports_of(path) == [(2, "ascii_maze.training.run"), (3, "ascii_maze.mazes.splits")]
    assert [offends(path, name) for _, name in imports_of(path)] == [True, False]
