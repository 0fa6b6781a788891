"""Samples every model's answers, in parts that are kept: an interrupted run resumes after the last."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...files import read_json, write_text
from ...models.budgets import tokens_read
from ...models.generation import Decoding, answer_mazes
from ...terminal import OnProgress
from .questions import Asked, Questions
from .schema import AskingCost, Settings

TEMPERATURE = 1.0
PART = 16  # mazes


class Loaded(NamedTuple):
    """A model and its tokenizer."""

    model: Any
    tokenizer: Any


class Answers(NamedTuple):
    """What one model has answered to hard mazes and to those with loops: the samples of each."""

    hard: list[list[str]]
    loops: list[list[str]]
    cost: AskingCost


def once(make: Callable[[], Loaded]) -> Callable[[], Loaded]:
    """A model that is loaded at its first use."""
    made: list[Loaded] = []

    def opened() -> Loaded:
        if not made:
            made.append(make())
        return made[0]

    return opened


def ask(
    name: str,
    opened: Callable[[], Loaded],
    questions: Questions,
    settings: Settings,
    folder: Path,
    on_progress: OnProgress,
) -> Answers:
    """A model's answers to all mazes; those already in the parts are not sampled again."""
    cost = AskingCost(answers=0, tokens=0, seconds=0.0)
    total, done = len(questions.hard) + len(questions.loops), 0
    found: dict[str, list[list[str]]] = {"hard": [], "loops": []}
    for kind, mazes in (("hard", questions.hard), ("loops", questions.loops)):
        for start in range(0, len(mazes), PART):
            file = folder / f"{kind}-{start:06}.json"
            chunk = mazes[start : start + PART]
            if not file.is_file():
                write_text(file, json.dumps(asked_now(opened(), chunk, f"{kind}/{start}", settings)))
            part = read_json(file)
            found[kind] += part["answers"]
            cost["answers"] += settings["samples"] * len(chunk)
            cost["tokens"] += part["tokens"]
            cost["seconds"] = round(cost["seconds"] + part["seconds"], 3)
            done += len(chunk)
            on_progress(name, done, total)
    return Answers(found["hard"], found["loops"], cost)


def asked_now(loaded: Loaded, mazes: Sequence[Asked], place: str, settings: Settings) -> dict[str, Any]:
    """Sampled answers to some mazes, and the cost of sampling them."""
    began = time.monotonic()
    rows = [{"prompt": one.prompt, "maze": one.maze} for one in mazes]
    decoding = Decoding(settings["samples"], TEMPERATURE, settings["seed"], settings["batch_size"])
    answers = answer_mazes(*loaded, rows, decoding.for_part(place))
    tokens = tokens_read(loaded.tokenizer, [one.prompt for one in mazes], answers)
    return {"answers": answers, "tokens": tokens, "seconds": round(time.monotonic() - began, 3)}
