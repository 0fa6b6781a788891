"""What `forgetting` writes: forgetting.json, answers.parquet and divergences.parquet, as types."""

import json
from pathlib import Path
from typing import TypedDict

from ...errors import UsageError
from ...files import read_json, write_text

NAME, ANSWERS, DIVERGENCES = "forgetting.json", "answers.parquet", "divergences.parquet"


class PassAt(TypedDict):
    """Pass@k on hard mazes, for shortest walks and for valid ones: k -> rate 0-1."""

    mazes: int
    optimal: dict[str, float]
    valid: dict[str, float]


class LoopWalks(TypedDict):
    """Shortest walks in mazes that have several, all figures means over the mazes.

    Attributes:
        there: number of shortest walks of a maze.
        found: number of different ones among a model's answers.
        share: `found` over `there`, or over the number of answers if that is smaller, 0-1.
    """

    mazes: int
    there: float
    found: float
    share: float


class Divergence(TypedDict):
    """Divergence of a model from its start, in nats per answer, mean over answers; see `divergence.divergences`.

    Attributes:
        answers: on which each is measured.
        forward: KL(start || model) on the start's answers.
        reverse: KL(model || start) on the model's own.
    """

    start: str
    answers: int
    forward: float
    reverse: float


class Habit(TypedDict):
    """Moves of walks by the embedded model's old habit where there was a choice, and the share of them that a model
    finds the most likely.
    """

    moves: int
    right: float


class PlainText(TypedDict):
    """How well a model predicts a text unrelated to mazes; `sha256` is the text's."""

    tokens: int
    perplexity: float
    sha256: str


class AskingCost(TypedDict):
    """The cost of sampling from one model; `tokens` counts prompts and answers, each time they were sampled."""

    answers: int
    tokens: int
    seconds: float


class ModelForgetting(TypedDict):
    """The figures of one model; None where one does not apply or there are no such mazes."""

    pass_at: PassAt
    loops: LoopWalks | None
    divergence: Divergence | None
    habit: Habit | None
    plain_text: PlainText | None
    cost: AskingCost


class AskedSettings(TypedDict):
    """What was asked, and how.

    Attributes:
        asked_sha256: of all questions.
        hard_mazes: how many; so are `loop_mazes`.
        samples: answers to each maze.
        compared: of these, how many are compared with the start's.
        versions: of the packages that can change an answer.
    """

    asked_sha256: str
    hard_mazes: int
    loop_mazes: int
    samples: int
    compared: int
    temperature: float
    seed: int
    batch_size: int
    versions: dict[str, str]


class Settings(AskedSettings):
    """What was asked of which models: name -> location, and name -> the model that it started from."""

    models: dict[str, str]
    starts: dict[str, str]
    dataset: str
    splits: list[str]


class Forgetting(TypedDict):
    """forgetting.json: the figures of each model by name, the first of which is the base, and what was asked."""

    models: dict[str, ModelForgetting]
    settings: Settings


def write_forgetting(out: Path, results: Forgetting) -> None:
    """Write forgetting.json, which says that the folder is complete."""
    write_text(out / NAME, json.dumps(results, indent=2))


def read_forgetting(path: Path) -> Forgetting:
    """Read forgetting.json.

    Raises:
        UsageError: it cannot be read, or is not what `forgetting` writes.
    """
    results = read_json(path)
    if not isinstance(results.get("models"), dict) or not isinstance(results.get("settings"), dict):
        raise UsageError(f"{path} is not from `ascii-maze forgetting`: expected models and settings in it")
    return results  # type: ignore[return-value]
