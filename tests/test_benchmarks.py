"""What benchmarks import of the project is there; nobody runs all of them after a move."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))


def names_of(module: str) -> set[str]:
    """What a module defines or imports, and the modules of a package; it is read, not run."""
    spec = find_spec(module)
    path = Path(spec.origin)
    found = {each.stem for each in path.parent.iterdir()} if spec.submodule_search_locations else set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # names that `__getattr__` offers
    return found


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("ascii_maze", "dataset_builder"):
            assert find_spec(node.module), f"line {node.lineno}: no {node.module}"
            missing = {alias.name for alias in node.names} - names_of(node.module)
            assert not missing, f"line {node.lineno}: {node.module} has no {missing}"
