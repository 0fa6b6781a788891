"""The files of a push, and the user's options."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import sha256_of

Content = Path | bytes  # a file of the folder, or bytes sent in its place


@dataclass(frozen=True)
class Wishes:
    """The user's options for a push, besides the folder.

    Attributes:
        repo: the repository, ORG/NAME.
        base_model: the Hub id of an adapter's base, if that was local.
        dataset: the Hub id of the dataset it was trained and evaluated on, if that was local.
        license: the Hub's identifier of its licence.
        results: folders of evaluations and MRIs, for its card.
    """

    repo: str
    base_model: str | None = None
    dataset: str | None = None
    license: str | None = None
    results: tuple[Path, ...] = ()


def read(content: Content) -> bytes:
    """The content of a file, or the bytes sent in its place."""
    return content if isinstance(content, bytes) else content.read_bytes()


def size(content: Content) -> int:
    """Number of bytes sent."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def sha256(content: Content) -> str:
    """The digest in hexadecimal, as in build.json and on the Hub."""
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else sha256_of(content)


def parse_json(contents: dict[str, Content], path: str) -> Any:
    """Parse a JSON file of a push.

    Raises:
        UsageError: it is not JSON.
    """
    try:
        return json.loads(read(contents[path]))
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error


def read_json(contents: dict[str, Content], path: str) -> dict[str, Any]:
    """Parse a JSON file that must hold an object.

    Raises:
        UsageError: it does not.
    """
    values = parse_json(contents, path)
    if not isinstance(values, dict):
        raise UsageError(f"{path} is not an object in JSON")
    return values


def to_json(values: Any) -> bytes:
    """Values as the content of a JSON file."""
    return json.dumps(values, indent=2).encode()


def parse_card(repo_type: str, text: str) -> Any:
    """A README.md as the Hub reads it; its metadata is `.data`.

    Raises:
        UsageError: the metadata is not YAML, or not what the Hub accepts.
    """
    from huggingface_hub import DatasetCard, ModelCard, SpaceCard

    try:
        return {"dataset": DatasetCard, "model": ModelCard, "space": SpaceCard}[repo_type](text)
    except Exception as error:  # YAML errors, and any that the card classes raise on malformed values
        raise UsageError(f"README.md: its metadata is not valid: {' '.join(str(error).split())}") from error
