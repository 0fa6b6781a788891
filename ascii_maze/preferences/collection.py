"""What is asked in one collection of preferences: its questions, frozen in collection.json before anybody answers.

A question is a maze with two answers to compare, or with one to rate. Which two are compared never changes
afterwards, so that a folder resumes, and answers of different days mean the same.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dataset_builder.checks import shown

from ..errors import UsageError
from ..files import read_json, write_text
from ..mazes.prompts import Message
from ..metrics.path_validity.maze import Maze, MazeError

COLLECTION = "collection.json"
VERSION = 1
Mode = Literal["compare", "rate"]


@dataclass(frozen=True)
class Answer:
    """What one model answered; `model` is never shown to those who are asked."""

    model: str
    completion: str


@dataclass(frozen=True)
class Question:
    """One thing that is asked.

    Attributes:
        id: of its maze and its answers, 12 hexadecimal digits.
        maze: in style `hash`.
        prompt: chat messages that the answers answer.
        answers: two to compare, in an order drawn from the id; or one to rate.
        split: `train`, or `validation` for mazes whose layout is in no question of `train`.
        best: of a gold question the number of the answer that is certainly better; None of any other.
        rating: of a gold question to rate, the lowest and highest rating that is not a mistake.
    """

    id: str
    maze: str
    prompt: list[Message]
    answers: tuple[Answer, ...]
    split: str
    best: int | None = None
    rating: tuple[int, int] | None = None

    @property
    def gold(self) -> bool:
        """Whether the right answer is certain."""
        return self.best is not None or self.rating is not None


@dataclass(frozen=True)
class Collection:
    """All that is asked, and how.

    Attributes:
        source: where the answers come from, in words.
        mode: `compare` two answers, or `rate` one from 1 to 5.
        per_item: people who are asked the same question.
        gold_share: of what a person is asked, questions whose answer is certain.
        repeat_share: of the same, questions that this person has answered before.
        seed: of all that is drawn.
        guideline: Markdown, shown to those who are asked.
        questions: in the order in which they are asked; gold ones apart.
    """

    source: str
    mode: Mode
    per_item: int
    gold_share: float
    repeat_share: float
    seed: int
    guideline: str
    questions: tuple[Question, ...]
    gold: tuple[Question, ...]

    @cached_property
    def by_id(self) -> dict[str, Question]:
        """Every question, gold ones too, by its id."""
        return {question.id: question for question in (*self.questions, *self.gold)}

    @property
    def digest(self) -> str:
        """Equal where the same is asked in the same way."""
        asked = {key: value for key, value in asdict(self).items() if key != "source"}
        return hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=8).hexdigest()


def drawn(*words: object) -> int:
    """A number of 64 bits drawn from some words: the same ones give the same number."""
    text = json.dumps([str(word) for word in words])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def question_id(maze: str, answers: Sequence[Answer]) -> str:
    """The id of a question, whichever of its answers stands first."""
    said = sorted((answer.model, answer.completion) for answer in answers)
    return hashlib.blake2b(json.dumps([maze, said]).encode(), digest_size=6).hexdigest()


def write_collection(folder: Path, collection: Collection) -> None:
    """Write collection.json, whole or not at all."""
    write_text(folder / COLLECTION, json.dumps({"version": VERSION, **asdict(collection)}, indent=1))


def read_collection(folder: Path) -> Collection:
    """Read the collection.json of a folder.

    Raises:
        UsageError: there is none, or it is not as `annotate` writes it.
    """
    path = folder / COLLECTION
    if not path.is_file():
        raise UsageError(f"{folder} holds no preferences; `ascii-maze annotate DATASET --out {folder}` collects some")
    values = read_json(path)
    if values.pop("version", None) != VERSION:
        raise UsageError(f'{path} is not of this version; expected "version": {VERSION}')
    names = {field.name for field in fields(Collection)}
    if set(values) != names:
        raise UsageError(f"{path}: expected {', '.join(sorted(names))}, and it has {', '.join(sorted(values))[:200]}")
    where = f"{path}: "
    _check_settings(values, where)
    for name in ("questions", "gold"):
        if not isinstance(values[name], list):
            raise UsageError(f"{where}'{name}' is not a list")
        values[name] = tuple(_question(value, f"{where}{name}, {k} (from 0)") for k, value in enumerate(values[name]))
    return Collection(**values)


def _check_settings(values: dict[str, Any], where: str) -> None:
    kinds = {"source": str, "guideline": str, "per_item": int, "seed": int}
    for name, kind in kinds.items():
        if type(values[name]) is not kind:
            raise UsageError(f"{where}'{name}' is {shown(values[name])}; expected {kind.__name__}")
    for name in ("gold_share", "repeat_share"):
        if not isinstance(values[name], int | float) or not 0 <= values[name] <= 0.5:
            raise UsageError(f"{where}'{name}' is {shown(values[name])}; expected a share of 0 to 0.5")
    if values["mode"] not in ("compare", "rate"):
        raise UsageError(f"{where}'mode' is {shown(values['mode'])}; expected compare or rate")
    if values["per_item"] < 1:
        raise UsageError(f"{where}'per_item' is {values['per_item']}; expected 1 or more")


def _question(value: Any, where: str) -> Question:
    try:
        answers = tuple(Answer(str(one["model"]), str(one["completion"])) for one in value["answers"])
        rating = value["rating"] and (int(value["rating"][0]), int(value["rating"][1]))
        maze = str(Maze.from_ascii(value["maze"]))
        question = Question(
            str(value["id"]), maze, list(value["prompt"]), answers, str(value["split"]), value["best"], rating
        )
    except (MazeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise UsageError(f"{where}: not a question: {type(error).__name__} {error}") from error
    if len(answers) not in (1, 2) or question.best not in (None, *range(len(answers))):
        raise UsageError(f"{where}: expected one answer or two, and 'best' to be one of them")
    if question.split not in ("train", "validation"):
        raise UsageError(f"{where}: split is {shown(question.split)}; expected train or validation")
    return question
