"""The page on which people choose the better of two answers."""

import time
from pathlib import Path
from typing import Any

from ..errors import AsciiMazeError
from ..evaluation.gallery import said
from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.scoring import parse_moves, read_maze
from ..metrics.path_validity.svg import follow, to_svg
from .assignment import Turn
from .collection import Collection
from .collector import Collector, Place
from .export import export
from .journal import read_journals
from .serving import Page

# Seconds between two exports while people answer.
EXPORT_EVERY = 15.0


def annotate_page(collector: Collector) -> Page:
    """The page for annotators."""
    from html import escape

    collection = collector.collection

    def place(sent: dict[str, Any]) -> dict[str, Any]:
        return view(collector.place(sent.get("annotator", "")))

    def answer(sent: dict[str, Any]) -> dict[str, Any]:
        given = sent.get("seconds")
        seconds = given if type(given) in (int, float) else None
        annotator, number = sent.get("annotator", ""), number_of(sent)
        return view(collector.answer(annotator, number, str(sent.get("question")), str(sent.get("choice")), seconds))

    def undo(sent: dict[str, Any]) -> dict[str, Any]:
        return view(collector.undo(sent.get("annotator", ""), number_of(sent)))

    return Page(
        title="annotate",
        files={"/": "annotate.html", "/annotate.js": "annotate.js", "/page.css": "page.css"},
        handlers={"/api/place": place, "/api/answer": answer, "/api/undo": undo},
        placeholders={
            "mode": escape(collection.mode),
            "guideline": to_html(collection.guideline),
        },
    )


def number_of(sent: dict[str, Any]) -> int:
    """The event number that a page sent; -1, which no event has, for anything else."""
    number = sent.get("number")
    return number if type(number) is int else -1


def to_html(markdown: str) -> str:
    """Markdown as HTML; HTML in it is shown as text."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).render(markdown)


def view(place: Place) -> dict[str, Any]:
    """The data sent to the page, which reveals no models, gold questions or repetitions."""
    return {
        "number": place.number,
        "done": place.done,
        "left": place.left,
        "question": place.turn and question_view(place.turn),
    }


def question_view(turn: Turn) -> dict[str, Any]:
    """The data of a question for the page, the left answer first."""
    maze, answers = read_maze(turn.question.maze), turn.question.answers
    ordered = [answers[turn.left], answers[1 - turn.left]] if len(answers) > 1 else list(answers)
    sides = []
    for answer in ordered:
        moves = parse_moves(answer.completion, maze.start) or ""
        text = said(maze, answer.completion)
        sides.append(
            {
                "svg": to_svg(maze, moves),
                "words": describe(maze, answer.completion),
                "text": text["completion"],
                "thought": text["thought"],
            }
        )
    return {"id": turn.question.id, "sides": sides}


def describe(maze: Maze, completion: str) -> str:
    """A text alternative to the drawing of a walk, with no more information than the drawing."""
    moves = parse_moves(completion, maze.start)
    if moves is None:
        return "The answer is not a path."
    walk = follow(maze, moves)
    made = len(walk.positions) - 1
    if walk.crash:
        end = f"a wall stops it after {made} moves"
    elif walk.positions[-1] == maze.goal:
        end = f"it arrives after {made} moves"
    else:
        row, column = walk.positions[-1]
        end = f"it ends after {made} moves at row {row + 1}, column {column + 1}, and G is at row {maze.goal[0] + 1}, "
        end += f"column {maze.goal[1] + 1}"
    return f"Path of {len(moves)} moves: {end}."


class Exporter:
    """Writes the folder as a dataset while people answer, at most every `EXPORT_EVERY` seconds."""

    def __init__(self, folder: Path, collection: Collection):
        self.folder, self.collection = folder, collection
        self.exported = 0.0

    def tick(self) -> None:
        """Export if it is due; a full disk does not stop the server, which keeps the answers."""
        if time.monotonic() - self.exported > EXPORT_EVERY:
            self.exported = time.monotonic()
            try:
                export(self.folder, self.collection, read_journals(self.folder).events)
            except AsciiMazeError:
                return
