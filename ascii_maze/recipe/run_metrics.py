"""Reads and writes metrics.json of a training run: what it cost, and every figure that it logged.

The file is written last, so a run whose folder has it is finished.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict, cast

from ..errors import UsageError
from ..files import read_json, write_text

NAME = "metrics.json"


class GGUFFile(TypedDict):
    """A base that was read from a GGUF file: the file's name and the sha256 of its content."""

    file: str
    sha256: str


class OwnAnswers(TypedDict):
    """What the model itself answered before a run, whose rows are made of it; see `training.own_answers`.

    Attributes:
        mazes: that it was asked.
        answers: that it gave, to all of them.
        rows: that these make.
        tokens: prompts and answers, as often as they were sampled.
        seconds: of sampling, those before an interruption included.
    """

    mazes: int
    answers: int
    rows: int
    tokens: int
    seconds: float


class RunMetrics(TypedDict):
    """What metrics.json holds; the keys that older runs lack are not required.

    Attributes:
        base_model: as the recipe names it; None if it names none.
        base_gguf: what the base was read from; None where that was no GGUF file.
        steps: optimizer steps.
        samples: rows read, or rollouts of a method that generates.
        tokens: prompts and completions that the trained model read, without padding, over all processes.
        tokens_computed: of `tokens`, those left after reading what rows of a batch share once; where that is done.
        seconds: of training and evaluation, those before an interruption included.
        peak_memory_bytes: of the GPU, or resident memory of the first process on a CPU.
        device: name of the GPU, or `cpu`.
        history: the trainer's log, each line with its `step`.
        processes: how many trained.
        started_from: the adapter, as the recipe names it.
        dataset: from `training.data.identify_rows`.
        budget: as in the recipe, `tokens=300000`.
        chat: how the model reads conversations, see `models.chat.Reading`, and the `ends` of its answers, as tokens.
        own_answers: of a run whose rows are the model's own; `tokens` and `seconds` have none of them, see `spent`.
        versions: of the packages.
    """

    method: str
    base_model: str | None
    steps: int
    samples: int
    tokens: int
    seconds: float
    peak_memory_bytes: int
    device: str
    history: list[dict[str, Any]]
    base_gguf: NotRequired[GGUFFile | None]
    tokens_computed: NotRequired[int]
    processes: NotRequired[int]
    started_from: NotRequired[str | None]
    dataset: NotRequired[dict[str, Any]]
    budget: NotRequired[str | None]
    chat: NotRequired[dict[str, Any]]
    own_answers: NotRequired[OwnAnswers]
    versions: NotRequired[dict[str, str]]


class Spent(NamedTuple):
    """What a run has read and taken, sampling before its training included."""

    tokens: int
    seconds: float


def spent(metrics: RunMetrics) -> Spent:
    """The cost of a run, by which it is compared with others."""
    own = metrics.get("own_answers")
    before = Spent(own["tokens"], own["seconds"]) if own else Spent(0, 0.0)
    return Spent(metrics["tokens"] + before.tokens, metrics["seconds"] + before.seconds)


def read_metrics(folder: Path) -> RunMetrics:
    """Read metrics.json of a finished run.

    Raises:
        UsageError: it cannot be read, or is not what a run writes.
    """
    return check_metrics(read_json(folder / NAME), str(folder / NAME))


def check_metrics(values: dict[str, Any], where: str) -> RunMetrics:
    """Check that a parsed metrics.json is what a run writes.

    Args:
        where: the file's name, for the error.

    Raises:
        UsageError: a key is missing, or `history` is not a list of objects.
    """
    if missing := RunMetrics.__required_keys__ - values.keys():
        raise UsageError(f"{where} is not the metrics.json of a run: no '{min(missing)}'")
    if not isinstance(values["history"], list) or not all(isinstance(line, dict) for line in values["history"]):
        raise UsageError(f"{where}: 'history' must be a list of objects")
    return cast(RunMetrics, values)


def write_metrics(folder: Path, metrics: RunMetrics) -> None:
    """Write metrics.json, which says that the run in the folder is finished."""
    write_text(folder / NAME, json.dumps(metrics, indent=2))
