"""Every public function, class and method says what it does, and what of ours it raises itself."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for folder in ("ascii_maze", "dataset_builder") for path in (ROOT / folder).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """The tree of a module."""
    return ast.parse(path.read_text())


def public(tree: ast.AST, inside: str = ""):
    """The public classes, functions and methods of a module, each with its dotted name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{inside}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{node.name}.")


def command(function: ast.FunctionDef) -> bool:
    """Whether it is a command, whose docstring is its `--help`."""
    return any(
        "typer." in ast.unparse(part) or "app.command" in ast.unparse(part)
        for part in [function.args, *function.decorator_list]
    )


def raised(function: ast.AST, errors: set[str]) -> set[str]:
    """The errors of ours that a function raises in its own lines."""
    found = [node.exc for node in ast.walk(function) if isinstance(node, ast.Raise) and node.exc is not None]
    calls = [node.func for node in found if isinstance(node, ast.Call)]
    return {node.id for node in calls if isinstance(node, ast.Name)} & errors


@cache
def our_errors() -> set[str]:
    """The names of every error class of the project."""
    classes = [node for path in SOURCES for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)]
    return {node.name for node in classes if node.name.endswith("Error")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_public_says_what_it_does_and_what_it_raises(path):
    tree, errors = parsed(path), our_errors()
    silent = [name for name, node in public(tree) if ast.get_docstring(node) is None]
    assert silent == []
    functions = [
        (name, node) for name, node in public(tree) if isinstance(node, ast.FunctionDef) and not command(node)
    ]
    unsaid = [name for name, node in functions if raised(node, errors) and "Raises:" not in ast.get_docstring(node)]
    assert unsaid == []
    assert ast.get_docstring(tree) or not tree.body


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_site_shows_no_paragraph_as_a_box(path):
    from griffe import Docstring, DocstringSectionKind

    for name, node in public(parsed(path)):
        sections = Docstring(ast.get_docstring(node)).parse("google")  # a line with a colon, then one further in
        assert DocstringSectionKind.admonition not in {section.kind for section in sections}, name
