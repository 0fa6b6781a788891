"""Which models and which dataset exactly: they stay the same while answers are made, and when that is resumed.

A branch or a tag of the Hub is resolved to its commit once, at the start. What lies on this machine is known by the
digests of its files.
"""

from pathlib import Path
from typing import Any

from ..errors import AsciiMazeError, reason
from ..files import sha256_of
from ..references import find_reference
from .chat import AS_IT_IS, Chat

# Every model has one of them; where the Hub cannot be reached, it tells the commit in the cache.
CONFIGS = ("config.json", "adapter_config.json")


def pin(name: str, kind: str = "model") -> str:
    """`ORG/NAME`, `ORG/NAME@REVISION` -> `ORG/NAME@COMMIT`; what is not a repository of the Hub stays as it is.

    Without a network it is the commit in the cache; the name stays where that has none, and of a dataset, which
    `datasets` finds in its cache by its name alone.

    Args:
        kind: `model` or `dataset`.

    Raises:
        AsciiMazeError: the Hub knows no such repository or revision, or does not show it.
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
    except Exception:  # no network, the Hub is down; the clients of this library have several errors for it
        found = (
            try_to_load_from_cache(reference.name, file, revision=reference.revision, repo_type=kind)
            for file in CONFIGS
            if kind == "model"
        )
        commit = next((Path(path).parent.name for path in found if isinstance(path, str)), None)
    return f"{reference.name}@{commit}" if commit else name


def revision_of(name: str) -> str | None:
    """The revision that a name of the Hub's names."""
    reference = find_reference(name)
    return reference.revision if reference else None


def fingerprint(source) -> dict[str, Any]:
    """What tells one model from another: commits, and digests of the files here, also of an adapter's base.

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
    """What there is of a model's name, its base included, each at one commit; see `fingerprint`.

    Args:
        base: where an adapter's base is now, if not where its config says.
        chat: how it reads conversations; by default as its tokenizer says.

    Raises:
        AsciiMazeError: nothing can be loaded by that name.
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
    """sha256 of each file of a model on this machine, `tiny` too; nothing for a repository of the Hub.

    Cards, figures and logs do not count.
    """
    from .sources import resolve_model

    folder = Path(resolve_model(name or ""))
    if name and folder.is_file():
        return {folder.name: sha256_of(folder)}
    if not name or not folder.is_dir():
        return {}
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return {path.name: sha256_of(path) for path in files if path.suffix not in (".md", ".png", ".jsonl")}
