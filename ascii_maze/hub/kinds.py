"""The kinds of things that can be pushed.

Each is a line in `KINDS`: what its folder must hold, what of it goes, and what is changed in the copy that goes. A new
kind is a line there, and a function if something has to be changed.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError

Content = Path | bytes  # a file as it lies in the folder, or what is sent in its place


@dataclass(frozen=True)
class Kind:
    """A kind of thing that can be pushed.

    Attributes:
        repo_type: `dataset`, `model` or `space`.
        needs: files without which a folder is none of this kind; `{name}` is the repository's.
        suffixes: of the files that go.
        folders: patterns of the folders, beside the top one, from which files go.
        card_keys: what the head of README.md must say.
        made_by: what gives such a folder.
        prepare: (contents by path, repository, base model) -> contents to send in place of the folder's own.
        manifest: the file whose `files` lists what a push put there, so that a later one may delete it.
        space_sdk: of a Space.
    """

    repo_type: str
    needs: tuple[str, ...]
    suffixes: tuple[str, ...]
    folders: tuple[str, ...]
    card_keys: tuple[str, ...]
    made_by: str
    prepare: Callable[[dict[str, Content], str, str | None], dict[str, bytes]]
    manifest: str | None = None
    space_sdk: str | None = None


def prepare_dataset(contents: dict[str, Content], repo: str, base_model: str | None) -> dict[str, bytes]:
    """The card with the repository's name in its snippets; the parquet files must be those of build.json.

    Raises:
        UsageError: a file is missing, changed, or none of this build's.
    """
    record = _read_json(contents, "build.json")
    if not isinstance(record.get("files"), dict) or not isinstance(record.get("config"), dict):
        raise UsageError("build.json has no 'files' or no 'config'; build the dataset again")
    listed = record["files"]
    for path in sorted(set(listed) - set(contents)):
        raise UsageError(f"{path} is not there, says build.json; build the dataset again in an empty folder")
    for path in contents:
        if path.endswith(".parquet") and path not in listed:
            raise UsageError(f"{path} is none of this build's, says build.json; build the dataset again elsewhere")
    for path, digest in listed.items():
        if sha256(contents[path]) != digest:
            raise UsageError(f"{path} is not as it was built, says build.json; build the dataset again")
    card = read(contents["README.md"]).decode()
    name = record["config"].get("name")
    return {"README.md": card.replace(f'load_dataset("{name}"', f'load_dataset("{repo}"').encode()}


def prepare_adapter(contents: dict[str, Content], repo: str, base_model: str | None) -> dict[str, bytes]:
    """Everything that names the base model, naming it by its Hub id.

    Raises:
        UsageError: the base is a folder or the embedded model, and there is no `base_model` to say instead.
    """
    config = _read_json(contents, "adapter_config.json")
    trained_on = config.get("base_model_name_or_path") or ""
    base = base_model or trained_on
    # What a user names is looked up on the Hub before anything is sent; what training wrote down may be a folder.
    if base == "tiny" or not is_hub_name(base) or (not base_model and Path(base).exists()):
        said = f"'{base}' is no model on the Hub" if base_model else f"its base model is '{base}' on this machine"
        raise UsageError(f"{said}; publish that and name it: --base-model ORG/NAME")
    card = parse_card("model", _renamed(read(contents["README.md"]).decode(), trained_on, base))
    card.data.base_model, card.data["base_model_relation"] = base, "adapter"
    replaced = {
        "README.md": str(card).encode(),
        "adapter_config.json": _json({**config, "base_model_name_or_path": base}),
        "metrics.json": _json({**_read_json(contents, "metrics.json"), "base_model": base}),
    }
    if "recipe.yaml" in contents:
        replaced["recipe.yaml"] = _renamed(read(contents["recipe.yaml"]).decode(), trained_on, base).encode()
    return replaced


def _renamed(text: str, old: str, new: str) -> str:
    """A card or recipe with another base model, where it stands as code or as the recipe's key."""
    text = text.replace(f"`{old}`", f"`{new}`")
    return re.sub(rf"(?m)^(model_name_or_path: *['\"]?){re.escape(old)}(['\"]?)$", rf"\g<1>{new}\g<2>", text)


def prepare_metric(contents: dict[str, Content], repo: str, base_model: str | None) -> dict[str, bytes]:
    """A metric goes as it lies."""
    return {}


def prepare_report(contents: dict[str, Content], repo: str, base_model: str | None) -> dict[str, bytes]:
    """A card that shows report.html as a static Space, where the folder has none."""
    if "README.md" in contents:
        return {}
    title = repo.split("/")[1]
    head = f"title: {title}\nsdk: static\napp_file: report.html\nlicense: apache-2.0\ntags:\n- ascii-maze\n"
    return {"README.md": f"---\n{head}---\n\n# {title}\n\nA report of ascii-maze: see report.html.\n".encode()}


KINDS = {
    "dataset": Kind(
        repo_type="dataset",
        needs=("build.json", "README.md"),
        suffixes=(".parquet", ".json", ".md", ".yaml", ".png", ".svg"),
        folders=("*",),
        card_keys=("license", "configs"),
        made_by="ascii-maze build",
        prepare=prepare_dataset,
        manifest="build.json",
    ),
    "adapter": Kind(
        repo_type="model",
        needs=("adapter_config.json", "adapter_model.safetensors", "metrics.json", "README.md"),
        suffixes=(".safetensors", ".json", ".md", ".jinja", ".yaml", ".png", ".svg"),
        folders=("figures",),
        card_keys=("library_name", "base_model"),
        made_by="ascii-maze train",
        prepare=prepare_adapter,
    ),
    "metric": Kind(
        repo_type="space",
        needs=("{name}.py", "app.py", "requirements.txt", "README.md"),
        suffixes=(".py", ".txt", ".md", ".json", ".yaml", ".png", ".svg"),
        folders=(),
        card_keys=("title", "sdk", "tags"),
        made_by="ascii_maze.metric_path()",
        prepare=prepare_metric,
        space_sdk="gradio",
    ),
    "report": Kind(
        repo_type="space",
        needs=("report.html",),
        suffixes=(".html", ".json", ".md", ".png", ".svg", ".csv"),
        folders=("figures", "tables", "evaluation"),
        card_keys=("title", "sdk"),
        made_by="ascii-maze study",
        prepare=prepare_report,
        space_sdk="static",
    ),
}


def is_hub_name(name: str) -> bool:
    """Whether the Hub would take this as the name of a repository, with or without a namespace."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


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


def read(content: Content) -> bytes:
    """What is in a file, or the bytes that go in its place."""
    return content if isinstance(content, bytes) else content.read_bytes()


def _read_json(contents: dict[str, Content], path: str) -> dict[str, Any]:
    try:
        values = json.loads(read(contents[path]))
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} is not an object in JSON")
    return values


def _json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, indent=2).encode()


def size(content: Content) -> int:
    """Bytes that are sent."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def sha256(content: Content) -> str:
    """The digest in hexadecimal, as the Hub and build.json give it."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
