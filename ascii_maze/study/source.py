"""The code that a stage can run, and its hash, so that a change elsewhere does not run the stage again.

A module counts with everything that it imports, at its head or inside functions. Its code is hashed as `ast.unparse`
writes it without docstrings, since a comment changes no outcome. Imports by a name built at run time cannot be seen,
so the stage names those modules; a test runs every kind of stage and compares what was imported with what was
counted.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

from ..tiny import EMBEDDED

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ascii_maze", "dataset_builder")
# Imported to push a finished training, or to draw an evaluation; neither changes an outcome.
WITHOUT = ("ascii_maze.hub", "ascii_maze.evaluation.gallery")


@cache
def source_digest(command: str, modules: tuple[str, ...]) -> str:
    """sha256 over the code on disk of some modules and everything that they import.

    Args:
        command: of `ascii-maze`; its function, which holds the options and their defaults, is included. A word that
            is not a command adds nothing.
        modules: dotted names of what it runs.
    """
    digest = hashlib.sha256(_source_of_command(command).encode())
    for name, path in sorted(modules_run(modules).items()):
        digest.update(f"{name}\n{code_of(ast.parse(path.read_bytes()))}\n".encode())
    return digest.hexdigest()


def code_of(tree: ast.AST) -> str:
    """The code of a module or a function, without comments, docstrings and layout; the tree loses its docstrings."""
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if ast.get_docstring(node, clean=False) is not None:
                    node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def modules_run(modules: tuple[str, ...]) -> dict[str, Path]:
    """These modules and all of this project that they import, transitively: dotted name -> file."""
    found: dict[str, Path] = {}
    todo = list(modules)
    while todo:
        name = todo.pop()
        path = _file_of(name)
        if path is None or name in found or name.startswith(WITHOUT):
            continue
        found[name] = path
        todo += [name.rpartition(".")[0], *_imports(name, path)]
    return found


def _file_of(name: str) -> Path | None:
    """The file of a module of this project; None for other modules, or for a name in a module."""
    if name.partition(".")[0] not in PACKAGES:
        return None
    path = ROOT.joinpath(*name.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


@cache
def _imports(name: str, path: Path) -> tuple[str, ...]:
    """What a module imports anywhere, as dotted names of modules or of names in them."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return tuple(found)


def _source_of_command(command: str) -> str:
    path = ROOT / "ascii_maze" / "cli" / f"{command}.py"
    tree = ast.parse(path.read_bytes() if path.is_file() else b"")
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == command]
    return "\n".join(map(code_of, found))


@cache
def embedded_model_digest(name: str) -> str:
    """sha256 over weights, tokenizer and chat template of an embedded model."""
    digest = hashlib.sha256()
    for path in sorted(EMBEDDED[name].iterdir()):
        if path.suffix in (".safetensors", ".json", ".jinja"):
            digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()
