"""What a stage reads and what it has made, by content: models, adapters and datasets from outside the study.

A change of their content changes the stage's key (`runner.key_of`); a change of their location does not.
"""

import hashlib
from pathlib import Path

from ..errors import AsciiMazeError
from ..files import sha256_of
from ..models.pins import pin
from ..models.sources import settle_name
from ..packages import versions
from ..references import find_reference
from ..tiny import EMBEDDED
from .source import embedded_model_digest

# The files of a model, an adapter or a dataset; cards, logs and checkpoints are not read.
READ = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt", ".yaml", ".yml", ".parquet", ".gguf"})
# Of a stage's files, those that later stages read, and that are reproduced exactly from the same inputs.
HANDED_ON = (".safetensors", ".parquet")
# A card may be edited by hand; a stage with any other file changed is run again.
OF_PEOPLE = ("README.md",)


def digest_of(name: str) -> str:
    """The hash of the content of a model, an adapter, a dataset or a file.

    For a repository on the Hub it is the commit; see `models.pins.pin`.

    Raises:
        AsciiMazeError: the Hub has neither a model nor a dataset of that name.
    """
    if name in EMBEDDED:
        return embedded_model_digest(name)
    name = settle_name(name)
    reference = find_reference(name)
    if reference is None:
        return "nothing"
    if not reference.is_local:
        try:
            return pin(name)
        except AsciiMazeError:  # the Hub has no such model, or it is private
            return pin(name, "dataset")
    path = Path(name)
    if path.is_file():
        return sha256_of(path)
    digest = hashlib.sha256()
    for file in files_in(path):
        name = file.relative_to(path).as_posix()
        if file.suffix in READ and not name.startswith("checkpoint-"):
            digest.update(f"{name} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


def environment() -> list[str]:
    """Versions of the packages that compute; ours is covered by the digest of its source."""
    return [f"{name} {version}" for name, version in versions().items() if name != "ascii-maze"]


def files_in(folder: Path) -> list[Path]:
    """All files of a folder, in order, hidden ones left out."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def made_in(folder: Path) -> dict[str, str]:
    """Path in a stage's folder -> sha256, for every file that it has made."""
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files_in(folder)}


def spoiled(folder: Path, made: dict[str, str]) -> str:
    """Which of a stage's files are missing or changed since it finished, in words; empty if none."""
    for name, digest in made.items():
        path = folder / name
        if path.name in OF_PEOPLE:
            continue
        if not path.is_file():
            return f"{name} is gone"
        if sha256_of(path) != digest:
            return f"{name} has changed"
    return ""


def handed_on(made: dict[str, str]) -> dict[str, str]:
    """Of a stage's files, those whose content later stages read."""
    return {name: digest for name, digest in made.items() if name.endswith(HANDED_ON)}
