"""A collection of preferences: its questions and settings, frozen in collection.json before the first answer.

A question is a maze with two answers to compare, or with one to rate. The pairs never change afterwards,
so that a collection can be resumed, and answers of different days are comparable.
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
    """One model's answer; `model` is never shown to annotators."""

    model: str
    completion: str


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        id: of its maze and its answers, 12 hexadecimal digits.
        maze: in style `hash`.
        prompt: the chat messages that were answered.
        answers: two to compare, in random order by the id; or one to rate.
        split: `train`, or `validation` for mazes with layouts that no question of `train` has.
        best: index of the certainly better answer of a gold question; None for other questions.
        rating: lowest and highest correct rating of a gold question to rate.
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
        """Whether the right answer is known."""
        return self.best is not None or self.rating is not None


@dataclass(frozen=True)
class Collection:
    """All questions and settings.

    Attributes:
        source: a description of the origin of the answers.
        mode: `compare` two answers, or `rate` one from 1 to 5.
        per_item: number of people per question.
        gold_share: share of gold questions among those that a person is asked.
        repeat_share: share of questions that the person has answered before.
        seed: of all random choices.
        guideline: Markdown, shown to annotators.
        questions: in the order in which they are asked, without gold ones.
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
        """All questions, including gold ones, by id."""
        return {question.id: question for question in (*self.questions, *self.gold)}

    @property
    def digest(self) -> str:
        """A digest of the questions and settings."""
        asked = {key: value for key, value in asdict(self).items() if key != "source"}
        return hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=8).hexdigest()


def drawn(*words: object) -> int:
    """A pseudorandom 64-bit number, as a function of some words."""
    text = json.dumps([str(word) for word in words])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def question_id(maze: str, answers: Sequence[Answer]) -> str:
    """The id of a question, which does not depend on the order of its answers."""
    said = sorted((answer.model, answer.completion) for answer in answers)
    return hashlib.blake2b(json.dumps([maze, said]).encode(), digest_size=6).hexdigest()


def write_collection(folder: Path, collection: Collection) -> None:
    """Write collection.json, whole or not at all."""
    write_text(folder / COLLECTION, json.dumps({"version": VERSION, **asdict(collection)}, indent=1))


def read_collection(folder: Path) -> Collection:
    """Read the collection.json of a folder.

    Raises:
        UsageError: there is none, or it is invalid.
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
