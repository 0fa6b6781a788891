"""The real Hub in the place of the one of these tests, for the contract test: what cannot be had there is skipped."""

import os

import pytest

# The namespace, an organisation kept for this: its repositories that the tests name are deleted after each.
NAMESPACE = os.environ.get("ASCII_MAZE_CONTRACT", "")


class RealHub:
    """Its address, and nothing of what the server of these tests can do beside: faults, a log, a look inside."""

    url = os.environ.get("HF_ENDPOINT", "https://huggingface.co")

    def __getattr__(self, name: str):
        pytest.skip(f"the real Hub has no '{name}'")


def repositories(api) -> list[tuple[str, str]]:
    """Kind and name of every repository of the namespace."""
    listings = {"model": api.list_models, "dataset": api.list_datasets, "space": api.list_spaces}
    return [(kind, repo.id) for kind, listed in listings.items() for repo in listed(author=NAMESPACE)]
