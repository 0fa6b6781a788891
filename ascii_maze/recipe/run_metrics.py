"""Reads and writes metrics.json of a training run: its cost, and all logged metrics.

The file is written last, so a run whose folder has it is finished.
"""

import json
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from ..errors import UsageError
from ..files import read_json, write_text

NAME = "metrics.json"


class GGUFFile(TypedDict):
    """A base that was read from a GGUF file: the file's name and the sha256 of its content."""

    file: str
    sha256: str


class OwnAnswers(TypedDict):
    """The model's own answers, sampled before a run to make its rows; see `training.own_answers`.

    Attributes:
        mazes: number of mazes.
        answers: number of answers to all of them.
        rows: number of rows made from them.
        tokens: of prompts and answers, counted once per sample.
        seconds: of sampling, including those before an interruption.
    """

    mazes: int
    answers: int
    rows: int
    tokens: int
    seconds: float


class RunMetrics(TypedDict):
    """The content of metrics.json; keys that older runs lack are not required.

    Attributes:
        base_model: as the recipe names it; None if it names none.
        base_gguf: the GGUF file of the base; None if it is not from one.
        base_weights: file -> sha256 of a local base's weights in safetensors; empty for any other.
        steps: optimizer steps.
        samples: rows read, or rollouts for a method that generates.
        tokens: prompts and completions that the trained model read, without padding, over all processes.
        tokens_computed: those of `tokens` that were computed if shared prefixes are read once; absent otherwise.
        seconds: of training without its evaluations, including those before an interruption.
        peak_memory_bytes: of the GPU, or resident memory of the first process on a CPU.
        device: name of the GPU, or `cpu`.
        history: the trainer's log, each line with its `step`.
        processes: number of training processes.
        started_from: the adapter that training started from, as the recipe names it.
        dataset: from `training.data.identify_rows`.
        budget: as in the recipe, `tokens=300000`.
        chat: how conversations are rendered, see `models.chat.Reading`, and the tokens that end answers, `ends`.
        own_answers: of a run on the model's own answers; not included in `tokens` and `seconds`.
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
    base_weights: NotRequired[dict[str, str]]
    tokens_computed: NotRequired[int]
    processes: NotRequired[int]
    started_from: NotRequired[str | None]
    dataset: NotRequired[dict[str, Any]]
    budget: NotRequired[str | None]
    chat: NotRequired[dict[str, Any]]
    own_answers: NotRequired[OwnAnswers]
    versions: NotRequired[dict[str, str]]


def seconds_spent(metrics: RunMetrics) -> float:
    """The seconds of a run, including those in which it sampled answers of its own."""
    own = metrics.get("own_answers")
    return metrics["seconds"] + (own["seconds"] if own else 0.0)


def read_metrics(folder: Path) -> RunMetrics:
    """Read metrics.json of a finished run.

    Raises:
        UsageError: it cannot be read, or is not the metrics.json of a run.
    """
    return check_metrics(read_json(folder / NAME), str(folder / NAME))


def check_metrics(values: dict[str, Any], where: str) -> RunMetrics:
    """Check that a parsed metrics.json has the form that runs write.

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
    """Write metrics.json, which marks the run in the folder as finished."""
    write_text(folder / NAME, json.dumps(metrics, indent=2))
