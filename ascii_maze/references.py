"""Resolves the name of a model or dataset, on the command line or in a recipe.

tiny, tiny-plain         the embedded models, if a model is expected
outputs/tiny/sft         a file or folder, if there is one of that name
ORG/NAME, ORG/NAME@v1    a repository of the Hub, at its newest commit or at a branch, a tag or a commit
"""

import functools
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from .errors import is_first_here, printable

# The Hub's names of users and repositories: no `.` or `-` at either end, and no `--` or `..`.
_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_LONGEST = 96  # most characters of either part
HUB_FORM = "ORG/NAME or ORG/NAME@REVISION"  # for messages
_PATIENCE = 5  # seconds in which the Hub must answer its first request
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


class Reference(NamedTuple):
    """A file or folder, or a repository of the Hub.

    Attributes:
        name: a path as given, or ORG/NAME.
        revision: a branch, tag or commit of the Hub's repository; None for the newest commit, and for a path.
        is_local: whether it is a path that exists.
    """

    name: str
    revision: str | None = None
    is_local: bool = False

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name


def is_hub_name(name: str) -> bool:
    """Whether the Hub accepts a text as the name of a repository, with or without a namespace."""
    parts = name.split("/")
    if len(parts) > 2 or not all(len(part) <= _LONGEST and _PART.fullmatch(part) for part in parts):
        return False
    return "--" not in name and ".." not in name and not name.endswith(".git")


def is_revision(text: str) -> bool:
    """Whether git takes a text as the name of a branch, tag or commit, and ORG/NAME@REVISION can name it."""
    wrong_part = any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in text.split("/"))
    return _REVISION.fullmatch(text) is not None and ".." not in text and not wrong_part


def find_reference(text: str) -> Reference | None:
    """The file, folder or repository that a text names; None if it is neither an existing path nor a Hub name.

    A path that exists wins over a repository of the same name, as everywhere in the Hugging Face libraries.
    """
    if not text.strip():  # `Path("")` is the working directory
        return None
    try:
        if Path(text).exists():
            return Reference(text, is_local=True)
    except (OSError, ValueError):  # too long for a path, or with a null character
        return None
    name, at, revision = text.partition("@")
    if "/" not in name or not is_hub_name(name) or (at and not is_revision(revision)):
        return None
    return Reference(name, revision or None)


def is_on_hub(text: str) -> bool:
    """Whether a text names a repository of the Hub, and not a local file or folder."""
    reference = find_reference(text)
    return reference is not None and not reference.is_local


def hub_answers() -> bool:
    """Whether the Hub answers, whatever it says; asked once per process.

    If it does not, this process and those that it starts use the Hub's cache alone, as with `HF_HUB_OFFLINE=1`, which
    is reported. Otherwise the client would wait for each file of each model: for over a minute and a half where a
    firewall drops packets.
    """
    from huggingface_hub import constants

    return not constants.HF_HUB_OFFLINE and _answers(constants.ENDPOINT)


@functools.cache
def _answers(endpoint: str) -> bool:
    from huggingface_hub import constants, get_session

    try:
        get_session().head(endpoint, timeout=_PATIENCE)
    except Exception:  # no network, which the HTTP clients report by various exceptions
        if is_first_here():
            print(printable(f"the Hub at {endpoint} cannot be reached; using its cache"), file=sys.stderr, flush=True)
        constants.HF_HUB_OFFLINE = True
        os.environ["HF_HUB_OFFLINE"] = "1"
        if datasets := sys.modules.get("datasets"):  # which has its own copy
            datasets.config.HF_HUB_OFFLINE = True
        return False
    return True
