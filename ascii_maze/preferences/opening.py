"""Creates or resumes a collection; its questions are frozen before the first one is asked."""

from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError, reason
from .collection import COLLECTION, Collection, Mode, read_collection, write_collection
from .source import find_questions

GUIDELINES: dict[str, str] = {"compare": "guideline.md", "rate": "guideline_rate.md"}
MOST_GUIDELINE = 100_000  # characters
EXPORTED = ("README.md", "preferences.json", "preference", "annotations")  # see `export.export`
DEFAULTS = {"mode": "compare", "per_item": 2, "gold_share": 0.05, "repeat_share": 0.05, "seed": 0}


class Wishes(NamedTuple):
    """The requested settings of a collection; None if not given.

    Attributes:
        source: see `source.find_questions`; None to resume the folder's collection.
        limit: most questions.
        guideline: a Markdown file; None for the default.
    """

    source: str | None = None
    split: str = "train"
    limit: int = 500
    mode: Mode | None = None
    per_item: int | None = None
    gold_share: float | None = None
    repeat_share: float | None = None
    seed: int | None = None
    guideline: Path | None = None


def asked_for(folder: Path, wishes: Wishes) -> Collection | None:
    """The requested collection, before anything is written; None if that of the folder is resumed.

    Raises:
        UsageError: the source has no questions, or none is named and there is no collection to resume.
        AsciiMazeError: the source cannot be read.
    """
    if wishes.source is not None:
        return new_collection(wishes)
    if not (folder / COLLECTION).is_file():
        raise UsageError(f"{folder} holds no preferences to resume; name a dataset or predictions to ask about")
    return None


def open_collection(folder: Path, wishes: Wishes, asked: Collection | None) -> Collection:
    """The collection of a folder locked by this process: the existing one, or a new one.

    Args:
        asked: from `asked_for`.

    Raises:
        UsageError: the folder has a different collection, or something that the export of a new one would replace.
        AsciiMazeError: the folder cannot be written.
    """
    there = read_collection(folder) if (folder / COLLECTION).is_file() else None
    if there is None:
        assert asked is not None
        if found := next((name for name in EXPORTED if (folder / name).exists()), None):
            raise UsageError(f"{folder / found} is not of a collection and would be lost; name another --out")
        write_collection(folder, asked)
        return asked
    if asked is not None and there.digest != asked.digest:
        raise UsageError(
            f"{folder} was begun with other questions or settings, or '{wishes.source}' has changed; leave the source "
            "and the options out to resume it, or name another --out"
        )
    if asked is None:
        for name, value in _said(wishes).items():
            if getattr(there, name) != value:
                raise UsageError(
                    f"{folder} was begun with another {name} than is asked for now; leave that out to resume it, or "
                    "name another --out"
                )
    return there


def new_collection(wishes: Wishes) -> Collection:
    """A new collection with the requested settings.

    Raises:
        UsageError: the source has no questions, or the guideline cannot be read.
        AsciiMazeError: the source cannot be read.
    """
    assert wishes.source is not None
    settings = {**DEFAULTS, **{name: value for name, value in _said(wishes).items() if name != "guideline"}}
    mode: Mode = wishes.mode or "compare"
    asked = find_questions(wishes.source, wishes.split, wishes.limit, mode, settings["seed"])
    return Collection(
        source=f"{Path(wishes.source).name or wishes.source}, split {wishes.split}",
        guideline=read_guideline(wishes.guideline, mode),
        questions=asked.questions,
        gold=asked.gold,
        **settings,
    )


def _said(wishes: Wishes) -> dict:
    """The settings that are not None."""
    said = {name: getattr(wishes, name) for name in DEFAULTS}
    if wishes.guideline is not None:
        said["guideline"] = read_guideline(wishes.guideline, "compare")
    return {name: value for name, value in said.items() if value is not None}


def read_guideline(path: Path | None, mode: Mode) -> str:
    """The Markdown of a file, or the default guideline.

    Raises:
        UsageError: it cannot be read, or is too long.
    """
    place = path or Path(__file__).resolve().parent / GUIDELINES[mode]
    try:
        text = place.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"cannot read the guideline {place}: {reason(error)}") from error
    if len(text) > MOST_GUIDELINE:
        raise UsageError(f"the guideline {place} has {len(text):,} characters; expected at most {MOST_GUIDELINE:,}")
    return text
