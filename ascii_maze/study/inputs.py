"""What a stage reads and what it has made, by content: models, adapters and datasets from outside the study.

A change of any of them is a change of the stage's key (`runner.key_of`); where they lie is not.
"""

import hashlib
from pathlib import Path

from ..errors import AsciiMazeError
from ..files import sha256_of
from ..models.pins import pin
from ..models.sources import settle_name
from ..packages import versions
from ..references import find_reference
from .source import embedded_model_digest

# Of what a model, an adapter or a dataset consists; cards, logs and checkpoints beside them are not read.
READ = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt", ".yaml", ".yml", ".parquet", ".gguf"})
# Of what a stage makes, what later ones read, and what is the same whenever it is made from the same.
HANDED_ON = (".safetensors", ".parquet")
# A card may be rewritten by hand; what is in the folder besides is the stage's.
OF_PEOPLE = ("README.md",)


def digest_of(name: str) -> str:
    """What stands behind the name of a model, an adapter or a dataset, or a file: the hash of its content.

    Of a repository on the Hub it is the commit; see `models.pins.pin`.

    Raises:
        AsciiMazeError: the Hub has neither a model nor a dataset of that name.
    """
    if name == "tiny":
        return embedded_model_digest()
    name = settle_name(name)
    reference = find_reference(name)
    if reference is None:
        return "nothing"
    if not reference.is_local:
        try:
            return pin(name)
        except AsciiMazeError:  # the Hub has no such model, or does not show it
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
    """Versions of the packages that compute; ours stands in the digest of its source."""
    return [f"{name} {version}" for name, version in versions().items() if name != "ascii-maze"]


def files_in(folder: Path) -> list[Path]:
    """All files of a folder, in order, hidden ones left out."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def made_in(folder: Path) -> dict[str, str]:
    """Path in a stage's folder -> sha256, of all that it has made there."""
    made = [path for path in files_in(folder) if path.name not in OF_PEOPLE]
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in made}


def spoiled(folder: Path, made: dict[str, str]) -> str:
    """What of a stage's files is gone or changed since it finished, in words; empty where all is as it was."""
    for name, digest in made.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is gone"
        if sha256_of(path) != digest:
            return f"{name} has changed"
    return ""


def handed_on(made: dict[str, str]) -> dict[str, str]:
    """Of the files that a stage has made, those whose content later stages read."""
    return {name: digest for name, digest in made.items() if name.endswith(HANDED_ON)}
