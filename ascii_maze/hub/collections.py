"""Adds repositories to a collection on the Hub, such as a dataset, its adapters and their report."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import UsageError
from .retry import in_one_line, repeated
from .shipment import check_repo_name

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LONGEST = 60  # characters of a title


def check_title(title: str) -> None:
    """Check the title of a collection.

    Raises:
        UsageError: it is empty or too long.
    """
    if not 0 < len(title.strip()) <= LONGEST:
        raise UsageError(f"a collection's title has 1 to {LONGEST} characters, not {len(title.strip())}")


def add_to_collection(
    title: str,
    repo: str,
    repo_type: str,
    private: bool = True,
    api: "HfApi | None" = None,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Add a repository to the collection of that title in its namespace, which is created if it is missing.

    A repository that is already in it keeps its position.

    Args:
        title: of the collection, such as `ASCII Maze`.
        repo: ORG/NAME.
        repo_type: `dataset`, `model` or `space`.
        private: whether a new collection is private.
        api: endpoint and account; default: those of the environment.
        sleep: waits for a number of seconds.

    Returns:
        The collection's URL.

    Raises:
        UsageError: the title is invalid, or `repo` is not ORG/NAME.
        AsciiMazeError: no permission, or the Hub does not answer.
    """
    from huggingface_hub import HfApi

    check_title(title)
    check_repo_name(repo)
    api = api or HfApi(library_name="ascii-maze")
    namespace = repo.split("/")[0]

    def add() -> str:
        found = api.create_collection(title.strip(), namespace=namespace, private=private, exists_ok=True)
        return api.add_collection_item(found.slug, repo, repo_type, exists_ok=True).url

    with in_one_line(api, f"collection '{title}'"):
        return repeated(add, lambda stage, step, steps: None, sleep)
