"""`ascii-maze agreement`: statistics of people's answers, as agreement.json and a self-contained page."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError
from ..files import is_ours, output_folder, read_json, write_text
from ..metrics.path_validity.scoring import parse_moves, read_maze
from ..metrics.path_validity.svg import to_svg
from ..templating import PAGES, render
from .agreement import agree
from .card import in_words, lines_of
from .collection import Collection, Question, read_collection
from .journal import read_journals
from .judgements import Judgement, judge
from .schema import Agreement

DISPUTED = 6
SHOWN_CHARACTERS = 400


class Reported(NamedTuple):
    """The result of `write_agreement`, and the files with an incomplete last line."""

    figures: Agreement
    torn: list[Path]


def write_agreement(folder: Path, out: Path | None = None) -> Reported:
    """Write agreement.json and agreement.html of a collection into `out`, by default its subfolder `agreement`.

    The collection is only read, so people may be answering at the same time.

    Raises:
        UsageError: the folder holds no collection, or a damaged one.
        AsciiMazeError: a file cannot be written.
    """
    collection, journals = read_collection(folder), read_journals(folder)
    figures = agree(collection, journals.events)
    out = out or folder / "agreement"
    with output_folder(out, kind="report on agreement"):
        check_replaceable(out)
        write_text(out / "agreement.json", json.dumps(figures, indent=2))
        write_text(out / "agreement.html", render_page(collection, figures, judge(collection, journals.events)))
    return Reported(figures, journals.torn)


def check_replaceable(out: Path) -> None:
    """Check that only an earlier report is replaced.

    Raises:
        UsageError: a file of the same name is not from one.
    """
    found = next((name for name in ("agreement.json", "agreement.html") if os.path.lexists(out / name)), None)
    if found is None or is_ours(out):
        return
    try:
        earlier = "digest" in read_json(out / "agreement.json")
    except UsageError:
        earlier = False
    if not earlier:
        raise UsageError(f"{out / found} is not a report of ascii-maze, and would be lost; give another --out")


def render_page(collection: Collection, figures: Agreement, judgements: list[Judgement]) -> str:
    """The page; all text of models and annotators is escaped."""
    context = {
        "collection": collection,
        "figures": figures,
        "lines": lines_of(figures),
        "share": in_words,
        "scale": max([1.0, *(abs(bound) for one in figures["models"] for bound in one["score_ci"])]),
        "disputed": [_drawn(question, counts) for question, counts in disputed(collection, judgements)],
    }
    return render(PAGES / "agreement.html.jinja", context)


def disputed(collection: Collection, judgements: list[Judgement]) -> list[tuple[Question, Counter[str]]]:
    """At most `DISPUTED` questions on which people differ, those with the most answers first."""
    votes: dict[str, Counter[str]] = {}
    for event, question in (one for one in judgements if one.counted):
        if event.choice:
            votes.setdefault(question.id, Counter())[event.choice] += 1
    differ = [(name, counts) for name, counts in votes.items() if len(counts) > 1]
    differ.sort(key=lambda pair: (-pair[1].total(), max(pair[1].values()), pair[0]))
    return [(collection.by_id[name], counts) for name, counts in differ[:DISPUTED]]


def _drawn(question: Question, counts: Counter[str]) -> list[dict]:
    """A question's answers as data for the page."""
    from markupsafe import Markup

    maze = read_maze(question.maze)
    walks = []
    for number, answer in enumerate(question.answers):
        svg = to_svg(maze, parse_moves(answer.completion, maze.start) or "")
        if len(question.answers) == 1:
            votes = ", ".join(
                f"{count} of {counts.total()} rate it {choice}" for choice, count in sorted(counts.items())
            )
        else:
            votes = f"{counts[('first', 'second')[number]]} of {counts.total()} prefer it"
        walks.append(
            {
                "svg": Markup(svg),  # noqa: S704, numbers alone come from the answer
                "model": answer.model,
                "votes": votes,
                "completion": answer.completion[:SHOWN_CHARACTERS],
            }
        )
    return walks
