"""What a study writes for programs: results.json, and the record of a stage; how results.json is written and read."""

import json
from pathlib import Path
from typing import Any, Literal, TypedDict

from ..evaluation.forgetting.schema import ModelForgetting
from ..evaluation.schema import DecisionRates
from ..files import read_json, write_text
from .tuning import Tuning


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


Verdict = Literal["more", "fewer", "equivalent", "not shown", "exploratory"]


class Contrast(TypedDict):
    """Model `a` against model `b` on the same mazes with the same seeds; see `evaluation.crossed` for the method.

    Attributes:
        outcome: the rate that is compared.
        planned: whether it was named before the study ran; only these are corrected for their number and claimed.
        mazes: how many, with each seed.
        difference: rate of `a` minus that of `b`, mean over the seeds.
        ci: 95 % interval.
        ci90: 90 % interval; within the margin where the test of equivalence is significant.
        p: of no difference, uncorrected.
        p_equivalent: of a difference of the study's margin or more, in either direction.
        smallest: the least true difference that 80 % of such studies would show; None if there is none.
        variance: of the difference, its own, of `seeds`, `mazes`, and `both` together with chance; `pooled` is that of
            seeds, mean over the contrasts of this split and outcome.
        verdict: of a planned contrast, by its corrected p; see `contrasts.verdict`.
    """

    a: str
    b: str
    split: str
    outcome: str
    planned: bool
    seeds: list[int]
    mazes: int
    difference: float
    ci: list[float]
    ci90: list[float]
    p: float
    p_holm: float | None
    p_equivalent: float
    p_equivalent_holm: float | None
    smallest: float | None
    variance: dict[str, float]
    verdict: Verdict


class SizeRate(TypedDict):
    """Of the mazes of one size, in cells: how many, and the share walked validly, mean over the seeds."""

    width: int
    height: int
    n: int
    valid: float


class RuleRate(TypedDict):
    """Of the mazes that some rule walks optimally (`easy`) or none does (`hard`): how many, and mean rates."""

    n: int
    optimal: float
    valid: float


class MeanRates(TypedDict):
    """A model on a split: means over the seeds, 0-1, with 95 % intervals that hold for other seeds and mazes.

    Attributes:
        seeds: each seed's own.
        by_size: by `4x4`.
        by_rules: `easy` and `hard`; an empty one is absent.
        parsed_lenient: and `valid_lenient`, where a path in a longer text counts; None of an evaluation of an earlier
            version.
        decisions: over all seeds; see `evaluation.schema.DecisionRates`.
    """

    n: int
    valid: float
    optimal: float
    reaches_goal: float
    legal: float
    parsed: float
    parsed_lenient: float | None
    valid_lenient: float | None
    valid_ci: list[float]
    optimal_ci: list[float]
    seeds: dict[str, dict[str, float]]
    by_size: dict[str, SizeRate]
    by_rules: dict[str, RuleRate]
    decisions: DecisionRates


class Cost(TypedDict):
    """The cost of a run; None where its metrics.json lacks a figure.

    Attributes:
        tokens: that it was trained on, rollouts among them.
        sampled_tokens: of answers that it sampled before, to be trained on some of them; see `training.own_answers`.
        seconds: of training and of sampling these answers.
        mazes: distinct ones that it trained on, at most.
        budget: of the recipe, `tokens=200000`.
        selected_on: the split that its recipe validates on.
        tuning: how its settings were chosen; None where no sweep says so.
        start: the model in the tables that it starts from.
        chain: the runs that it builds on: its start, its reward model, and those that these build on.
        chain_tokens: its own and those of `chain`; None if one of them is missing. So is `chain_seconds`.
    """

    seed: int
    method: str | None
    steps: int | None
    samples: int | None
    tokens: int | None
    sampled_tokens: int
    seconds: float | None
    peak_memory_bytes: int | None
    device: str | None
    mazes: int | None
    budget: str | None
    selected_on: str | None
    tuning: Tuning | None
    start: str
    chain: list[str]
    chain_tokens: int | None
    chain_seconds: float | None


class Forgotten(TypedDict):
    """What a model has lost: the mean over the seeds, and every seed's own; see `forgetting.schema.ModelForgetting`.

    In the mean, values that are not numbers are the first seed's.
    """

    mean: ModelForgetting
    seeds: dict[str, ModelForgetting]


class StageResult(TypedDict):
    """How a stage ended; `state` is one of `runner.Progress`."""

    name: str
    state: str
    seconds: float
    note: str
    command: str


class Settings(TypedDict):
    """The origin of the results: the study file, the dataset's config, seed and rows, versions, the machine."""

    study: dict[str, Any]
    dataset: dict[str, Any]
    dataset_sha256: str | None
    versions: dict[str, str]
    machine: str


class StudyResults(TypedDict):
    """results.json of a study; the results of failed stages are absent.

    `models` is by name and split; `contrasts` are the planned ones, then the exploratory; `planned` is the number of
    planned ones, computed or not; `findings` are their results in words, `unequal` those that compare runs trained on
    unequal terms; `training` is by name; `forgetting` by name, empty if it was not measured; `mri` is mri.json, empty
    without one.
    """

    models: dict[str, dict[str, MeanRates]]
    contrasts: list[Contrast]
    planned: int
    findings: list[str]
    unequal: list[str]
    training: dict[str, list[Cost]]
    forgetting: dict[str, Forgotten]
    mri: dict[str, Any]
    stages: list[StageResult]
    settings: Settings


def write_results(results: StudyResults, out: Path) -> None:
    """Write results.json into a study's folder."""
    write_text(out / "results.json", json.dumps(results, indent=2))


def read_results(out: Path) -> StudyResults:
    """Read results.json from a study's folder; see `files.read_json`."""
    return read_json(out / "results.json")  # type: ignore[return-value]
