"""What a push sends, file by file, and what is asked of it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import sha256_of

Content = Path | bytes  # a file of the folder, or the bytes that are sent in its place


@dataclass(frozen=True)
class Wishes:
    """What the user says of a push that the folder does not.

    Attributes:
        repo: where it goes, ORG/NAME.
        base_model: the Hub id of an adapter's base, where that was local.
        dataset: the Hub id of the dataset it was trained and measured on, where that was local.
        license: the Hub's name of the licence it goes under.
        results: folders of evaluations and MRIs, for its card.
    """

    repo: str
    base_model: str | None = None
    dataset: str | None = None
    license: str | None = None
    results: tuple[Path, ...] = ()


def read(content: Content) -> bytes:
    """What is in a file, or the bytes that go in its place."""
    return content if isinstance(content, bytes) else content.read_bytes()


def size(content: Content) -> int:
    """Bytes that are sent."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def sha256(content: Content) -> str:
    """The digest in hexadecimal, as the Hub and build.json give it."""
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
    """A README.md as the Hub reads it; its head is `.data`.

    Raises:
        UsageError: the head is not YAML, or not what the Hub takes.
    """
    from huggingface_hub import DatasetCard, ModelCard, SpaceCard

    try:
        return {"dataset": DatasetCard, "model": ModelCard, "space": SpaceCard}[repo_type](text)
    except Exception as error:  # YAML's, and whatever the card's classes make of odd values
        raise UsageError(f"README.md: its head is not valid: {' '.join(str(error).split())}") from error
