"""A collection as a dataset: `preference`, the decided pairs in TRL's columns, and `annotations`, all answers.

The journals are the source: an export can be repeated from them at any time, and equal journals give equal rows. No
layout of a maze in `validation` or `gold` is in `train`, up to rotation and reflection. `gold` has the pairs with a
certainly better answer, regardless of the annotators' answers, to evaluate a reward model.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dataset_builder.build import write_table

from ..errors import UsageError
from ..files import read_json, remove_inside, sha256_of, staged, write_text
from .agreement import agree
from .card import render_card
from .collection import Answer, Collection, Question, read_collection
from .journal import Event, read_journals
from .judgements import decided, judge
from .schema import Agreement

RECORD = "preferences.json"
SPLITS = ("train", "validation", "gold")


def export(folder: Path, collection: Collection, events: Sequence[Event], name: str | None = None) -> Agreement:
    """Write both configs, the card and preferences.json into the folder of a collection; returns the figures of the
    card.

    Raises:
        UsageError: an answer is to no question of the collection.
        AsciiMazeError: something cannot be written.
    """
    figures = agree(collection, events)
    record = read_record(folder)
    if record and record["digest"] == figures["digest"] and is_whole(folder, record["files"]):
        return figures
    rows = {
        "annotations/train": annotation_rows(collection, events),
        **{f"preference/{split}": rows for split, rows in preference_rows(collection, events).items()},
    }
    with staged(folder) as stage:
        files = {}
        for place, found in rows.items():
            if found:
                path = f"{place}-00000-of-00001.parquet"
                files[path] = write_table(_table(place, found), stage / path)
        counts = {place: len(found) for place, found in rows.items()}
        record = {"version": 1, "digest": figures["digest"], "rows": counts, "files": files}
        write_text(stage / "README.md", render_card(name or folder.resolve().name, collection, figures, record))
        write_text(stage / RECORD, json.dumps(record, indent=2))
    for place, found in rows.items():
        stale = folder / f"{place}-00000-of-00001.parquet"
        if not found and stale.exists():  # from an export before answers were withdrawn
            remove_inside(stale, folder)
    return figures


def export_folder(folder: Path) -> Agreement:
    """`export` for the files of a folder."""
    return export(folder, read_collection(folder), read_journals(folder).events)


def is_whole(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether the exported files are all there, unchanged.

    Args:
        files: path -> sha256.
    """
    return all((folder / path).is_file() and sha256_of(folder / path) == digest for path, digest in files.items())


def read_record(folder: Path) -> dict[str, Any] | None:
    """The preferences.json of a folder; None if it is missing or unusable."""
    try:
        record = read_json(folder / RECORD)
    except UsageError:
        return None
    whole = isinstance(record.get("files"), dict) and isinstance(record.get("rows"), dict)
    return record if whole and isinstance(record.get("digest"), str) else None


def preference_rows(collection: Collection, events: Sequence[Event]) -> dict[str, list[dict[str, Any]]]:
    """Split -> its decided pairs, as rows of config `preference`."""
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for question, event, chosen, rejected in decided(collection, judge(collection, events)):
        rows[question.split].append(_pair(question, chosen, rejected, event))
    by_maze: dict[str, list[Question]] = {}
    for question in collection.gold:
        by_maze.setdefault(question.maze, []).append(question)
    for group in by_maze.values():
        # When rating, the two gold questions of a maze form one pair.
        answers = [answer for question in group for answer in question.answers]
        good = next(
            (q.answers[q.best or 0] for q in group if q.best is not None or (q.rating and q.rating[0] > 1)), None
        )
        bad = next((answer for answer in answers if answer != good), None)
        if good and bad:
            rows["gold"].append(_pair(group[0], good, bad, None))
    return rows


def _pair(question: Question, chosen: Answer, rejected: Answer, event: Event | None) -> dict[str, Any]:
    return {
        "id": question.id,
        "prompt": question.prompt,
        "chosen": [{"role": "assistant", "content": chosen.completion}],
        "rejected": [{"role": "assistant", "content": rejected.completion}],
        "maze": question.maze,
        "chosen_model": chosen.model,
        "rejected_model": rejected.model,
        "annotator": event.annotator if event else None,
        "simulated": event.simulated if event else False,
    }


def annotation_rows(collection: Collection, events: Sequence[Event]) -> list[dict[str, Any]]:
    """All answers as rows of config `annotations`; of withdrawn ones only the question is left."""
    gone = _undone(events)
    return [
        _annotation(collection.by_id[event.question], event, place in gone)
        for place, event in enumerate(events)
        if event.event != "undo" and event.question in collection.by_id
    ]


def _undone(events: Sequence[Event]) -> set[int]:
    """Indices of the answers that an `undo` revoked."""
    stacks: dict[str, list[int]] = {}
    gone = set()
    for place, event in enumerate(events):
        stack = stacks.setdefault(event.annotator, [])
        if event.event == "answer":
            stack.append(place)
        elif event.event == "undo" and stack:
            gone.add(stack.pop())
    return gone


def _annotation(question: Question, event: Event, undone: bool) -> dict[str, Any]:
    answered = event.event == "answer"
    first, second = question.answers[0], question.answers[-1] if len(question.answers) > 1 else None
    return {
        "id": question.id,
        "status": "withdrawn" if not answered else "undone" if undone else "kept",
        "annotator": event.annotator or None,
        "time": event.time,
        "seconds": event.seconds,
        "choice": event.choice,
        "rating": int(event.choice) if event.choice and event.choice.isdecimal() else None,
        "left": ("first", "second")[event.left] if answered and second else None,
        "tie": event.choice == "tie",
        "skipped": event.choice == "neither",
        "gold": question.gold,
        "repeat": event.repeat,
        "simulated": event.simulated,
        "split": question.split,
        "maze": question.maze,
        "prompt": question.prompt,
        "first": first.completion,
        "first_model": first.model,
        "second": second and second.completion,
        "second_model": second and second.model,
    }


def _table(place: str, rows: list[dict[str, Any]]):
    """Rows as an Arrow table with types that do not depend on the values."""
    import pyarrow

    messages = pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())]))
    kinds = {
        **dict.fromkeys(("prompt", "chosen", "rejected"), messages),
        **dict.fromkeys(("tie", "skipped", "gold", "repeat", "simulated"), pyarrow.bool_()),
        "seconds": pyarrow.float64(),
        "rating": pyarrow.int32(),
    }
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in rows[0]])
    return pyarrow.Table.from_pylist(rows, schema=schema)
