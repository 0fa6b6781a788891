"""The model that each fine-tune started from: DPO from an SFT adapter changes that adapter, not the base."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import read_json
from ..models.adapter_config import fetch
from ..models.sources import Source


def find_starts(sources: Mapping[str, Source]) -> tuple[dict[str, str], dict[str, str]]:
    """Which adapters started from another of these, according to the files of their runs.

    Args:
        sources: of `models.find_adapters`.

    Returns:
        Name -> name, only of those; and {what is missing: why} for starts that are not among them.
    """
    starts, missing = {}, {}
    for name, source in sources.items():
        recorded = _recorded(source)
        if recorded is None:
            continue
        found = next(
            (other for other, one in sources.items() if other != name and _is_at(one, recorded, source)), None
        )
        if found:
            starts[name] = found
        else:
            missing[f"'{name}' against its start"] = (
                f"it started from {recorded}, which is not among the adapters; give --adapter NAME={recorded}, too"
            )
    return starts, missing


def _recorded(source: Source) -> str | None:
    path = fetch(source.name, source.revision, "metrics.json")
    found: Any = read_json(path).get("started_from") if path else None
    return found if isinstance(found, str) and found else None


def _is_at(one: Source, recorded: str, started: Source) -> bool:
    """Whether an adapter is the one that a run started from, also if both folders have been moved together."""
    if one.name == recorded:
        return True
    here = Path(one.name)
    if not here.is_dir():
        return False
    moved = Path(started.name).parent / Path(recorded).name
    there = Path(recorded) if Path(recorded).is_dir() else moved
    return here.resolve() == there.resolve()
