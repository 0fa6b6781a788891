"""What a study writes for programs: results.json, and the record of a stage; how results.json is written and read."""

import json
from pathlib import Path
from typing import Any, TypedDict

from ..files import read_json, write_text


class StageRecord(TypedDict):
    """`stages/NAME.json`: the last attempt of a stage.

    `key` is the hash of all that its outcome depends on, `made` the sha256 of each file in its folder when it
    finished, `seconds` the time of all attempts together.
    """

    key: str
    finished: bool
    seconds: float
    command: str
    product: str
    made: dict[str, str]


class SizeRate(TypedDict):
    """Of the mazes of one size: how many, and the share walked validly, mean over the seeds."""

    n: int
    valid: float


class MeanRates(TypedDict):
    """A model on a split: means over the seeds, 0-1; `seeds` has each seed's own, `by_size` is by `4x4`."""

    n: int
    valid: float
    optimal: float
    reaches_goal: float
    legal: float
    parsed: float
    valid_ci: list[float]
    seeds: dict[str, dict[str, float]]
    by_size: dict[str, SizeRate]


class SeedTest(TypedDict):
    """Exact McNemar test of one seed: mazes that the model walks and the other does not, the other way round, p."""

    seed: int
    won: int
    lost: int
    p: float
    p_holm: float


class Cost(TypedDict):
    """What a run took; None where its metrics.json does not say."""

    seed: int
    method: str | None
    steps: int | None
    samples: int | None
    tokens: int | None
    seconds: float | None
    peak_memory_bytes: int | None
    device: str | None


class StageResult(TypedDict):
    """How a stage ended; `state` is one of `runner.Progress`."""

    name: str
    state: str
    seconds: float
    note: str
    command: str


class Settings(TypedDict):
    """What the results are of: the study file, the dataset's config, seed and rows, versions, the machine."""

    study: dict[str, Any]
    dataset: dict[str, Any]
    dataset_sha256: str | None
    versions: dict[str, str]
    machine: str


class StudyResults(TypedDict):
    """results.json of a study; what a failed stage would have given is absent.

    `models` is by name and split; `paired` by name, the other model and split, a test for each seed; `training` by
    name; `mri` is mri.json, empty without one.
    """

    models: dict[str, dict[str, MeanRates]]
    paired: dict[str, dict[str, dict[str, list[SeedTest]]]]
    training: dict[str, list[Cost]]
    mri: dict[str, Any]
    stages: list[StageResult]
    settings: Settings


def write_results(results: StudyResults, out: Path) -> None:
    """Write results.json into a study's folder."""
    write_text(out / "results.json", json.dumps(results, indent=2))


def read_results(out: Path) -> StudyResults:
    """Read results.json from a study's folder; see `files.read_json`."""
    return read_json(out / "results.json")  # type: ignore[return-value]
