"""Pins models and datasets, so that they stay the same during a run and when it is resumed.

A branch or a tag of the Hub is resolved to its commit once, at the start. Local files are identified by their
digests.
"""

from functools import cache
from pathlib import Path
from typing import Any

from ..errors import AsciiMazeError, reason
from ..files import sha256_of
from ..references import find_reference
from .chat import AS_IT_IS, Chat

# Every model has one of them; if the Hub cannot be reached, its path in the cache has the commit.
CONFIGS = ("config.json", "adapter_config.json")


def pin(name: str, kind: str = "model") -> str:
    """`ORG/NAME`, `ORG/NAME@REVISION` -> `ORG/NAME@COMMIT`; any other name is returned unchanged.

    Without a network the commit is that in the cache. The name is unchanged if the cache has none, and for a dataset,
    which `datasets` finds in its cache by name only.

    Args:
        kind: `model` or `dataset`.

    Raises:
        AsciiMazeError: the Hub has no such repository or revision, or denies access.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    reference = find_reference(name)
    if reference is None or reference.is_local:
        return name
    try:
        commit = HfApi().repo_info(reference.name, revision=reference.revision, repo_type=kind).sha
    except (RepositoryNotFoundError, RevisionNotFoundError, GatedRepoError) as error:
        raise AsciiMazeError(f"cannot load the {kind} of '{name}': {reason(error)}") from error
    except Exception:  # no network or the Hub is down, which the HTTP clients report by various exceptions
        found = (
            try_to_load_from_cache(reference.name, file, revision=reference.revision, repo_type=kind)
            for file in CONFIGS
            if kind == "model"
        )
        commit = next((Path(path).parent.name for path in found if isinstance(path, str)), None)
    return f"{reference.name}@{commit}" if commit else name


def revision_of(name: str) -> str | None:
    """The revision in a Hub name, if any."""
    reference = find_reference(name)
    return reference.revision if reference else None


def fingerprint(source) -> dict[str, Any]:
    """The identity of a model: commits, and digests of local files, including those of an adapter's base.

    Args:
        source: `models`' Source, with pinned revisions.
    """
    args = source.model_args
    return {
        "model": [source.name, source.revision, digests_of(source.name)],
        "base": [args.model_name_or_path, args.model_revision, digests_of(args.model_name_or_path)],
        "loaded_as": str(args),
        "chat": source.chat,
    }


def find_pinned(name: str, base: str | None = None, chat: Chat = AS_IT_IS):
    """The source of a model and its base, each pinned to one commit; see `fingerprint`.

    Args:
        base: the location of an adapter's base, if it is not that in its config.
        chat: how conversations are rendered; by default with the tokenizer's own settings.

    Raises:
        AsciiMazeError: the name cannot be loaded.
    """
    from .sources import find_model

    source = find_model(pin(name), base=base, chat=chat)
    args = source.model_args
    if source.adapter is None or not args.model_name_or_path:
        return source
    given = f"{args.model_name_or_path}@{args.model_revision}" if args.model_revision else args.model_name_or_path
    args.model_revision = revision_of(pin(given)) or args.model_revision
    return source


def digests_of(name: str | None) -> dict[str, str]:
    """sha256 of each file of a local model, including `tiny`; empty for a repository of the Hub.

    Cards, figures and logs are ignored.
    """
    from .sources import resolve_model

    folder = Path(resolve_model(name or ""))
    if name and folder.is_file():
        return {folder.name: _digest(folder)}
    if not name or not folder.is_dir():
        return {}
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return {path.name: _digest(path) for path in files if path.suffix not in (".md", ".png", ".jsonl")}


def weights_of(name: str | None) -> dict[str, str]:
    """sha256 of each weights file of a local model; empty for a GGUF file and a repository of the Hub."""
    return {file: digest for file, digest in digests_of(name).items() if file.endswith(".safetensors")}


def _digest(path: Path) -> str:
    """The sha256 of a file, computed once while it is unchanged: a base is asked for with each of its adapters."""
    found = path.stat()
    return _digest_at(path, found.st_ino, found.st_size, found.st_mtime_ns)


@cache
def _digest_at(path: Path, inode: int, size: int, modified: int) -> str:
    return sha256_of(path)
