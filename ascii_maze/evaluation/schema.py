"""What `evaluate` writes, as types: results.json, its one writer and reader, and the rows of predictions.parquet.

All rates are 0-1. Intervals are [low, high] at 95 %.
"""

import json
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, get_args

from ..errors import UsageError
from ..files import read_json, write_text

# The share of answers for which each is true; see `PathScore`.
Rate = Literal["valid", "optimal", "reaches_goal", "legal", "parsed"]
RATES: tuple[Rate, ...] = get_args(Rate)
# What paired tests compare: shortest paths, or arrivals of walks step by step; earlier versions compared valid paths.
Outcome = Literal["optimal", "reaches_goal", "valid"]
COMPARED: dict[Outcome, str] = {"optimal": "shortest paths", "reaches_goal": "arrivals", "valid": "valid paths"}
# Two of these under the lenient reading, which also finds paths in longer texts; see the scorer's `lenient.py`.
LenientRate = Literal["parsed_lenient", "valid_lenient"]
LENIENT_RATES: tuple[LenientRate, ...] = get_args(LenientRate)


class StepRates(TypedDict):
    """Rates of one model on mazes that it walked step by step; every figure is a mean over the walks.

    Attributes:
        success: share that ends on the goal, moves against walls allowed; `success_ci` is Wilson's interval.
        optimal: share that arrives by a shortest path, without a move against a wall.
        spl: success weighted by path length, see `environment.episode.Episode`.
        loop_rate: share of a walk's moves that it had already made from the same place.
        bumps: moves against a wall.
        moves: those among them.
        turns: moves in one message or call, looks and errors.
        looks: turns that only asked for the observation.
        errors: turns that were neither moves nor `look` nor `stop`, or not one valid call.
        reward: see `environment.episode.Episode`.
        ended: of `environment.episode.ENDS` -> share of the walks that ended so.
    """

    success: float
    success_ci: list[float]
    optimal: float
    spl: float
    loop_rate: float
    bumps: float
    moves: float
    turns: float
    looks: float
    errors: float
    reward: float
    ended: dict[str, float]


class ThoughtRates(TypedDict):
    """The reasoning before answers; see `mazes.reasoning.check_thought`.

    Attributes:
        share: of the answers that have any.
        length: its mean over these, in characters.
        true: mean share of its statements that are true of the maze; None where none makes a statement.
        valid_but_false: share of all answers that are valid although their reasoning has a false statement.
    """

    share: float
    length: float
    true: float | None
    valid_but_false: float


class Rates(TypedDict):
    """Rates of one model on some mazes.

    Attributes:
        n: mazes.
        valid_ci: Wilson's interval.
        progress: mean, see `PathScore`.
        exact: share of answers equal to the dataset's own solution, where it has solutions.
        samples: answers per maze, where there are several; then also:
        pass_at: k -> how often at least one of k samples is valid.
        majority: how often the walk that most samples take is valid.
        stepwise: rates of walks step by step, for which `valid` means arrival without a move against a wall.
        thoughts: of answers with reasoning, if there are any.
    """

    n: int
    valid: float
    optimal: float
    reaches_goal: float
    legal: float
    parsed: float
    parsed_lenient: float
    valid_lenient: float
    valid_ci: list[float]
    progress: float
    exact: NotRequired[float]
    samples: NotRequired[int]
    pass_at: NotRequired[dict[str, float]]
    majority: NotRequired[float]
    majority_ci: NotRequired[list[float]]
    stepwise: NotRequired[StepRates]
    thoughts: NotRequired[ThoughtRates]


class SizeRates(Rates):
    """Rates on the mazes of one size, in cells."""

    width: int
    height: int


class DecisionRate(TypedDict):
    """Moves at decisions, and the share of them that brought the goal nearer; None where there are none."""

    n: int
    right: float | None


class DecisionRates(DecisionRate):
    """Over all decisions, and over those where the greedy rule is right or goes wrong; see `mazes.heuristics`."""

    greedy_right: DecisionRate
    greedy_wrong: DecisionRate


class SplitRates(Rates):
    """Rates on a whole split, by size: `5x5` -> its rates, and at decisions."""

    by_size: dict[str, SizeRates]
    decisions: DecisionRates


class BinRates(Rates):
    """Rates on mazes with some count between two bounds, both included."""

    low: int
    high: int


class Breakdown(TypedDict):
    """Rates by generator, and by bins of path length and of decision points: `8-15` -> the rates of that bin.

    `solved_by`: rates on mazes that a rule solves optimally (`easy`), and on those that none does (`hard`).
    """

    generator: dict[str, Rates]
    solved_by: dict[str, Rates]
    path_length: dict[str, BinRates]
    decision_points: dict[str, BinRates]


class LengthCurve(TypedDict):
    """Logistic regression of validity on path length; see `statistics.length_curve`."""

    intercept: float
    slope: float
    half_length: float | None
    half_length_ci: list[float] | None


class Analysis(TypedDict):
    """Breakdowns of one model on one split.

    Attributes:
        failures: kind, of `mazes.failures.FAILURES` -> answers.
    """

    by: Breakdown
    failures: dict[str, int]
    length_curve: LengthCurve | None


class Ratio(TypedDict):
    """A rate of a model over that of another, with its 95 % interval; see `statistics.ratio` for when it is None."""

    ratio: float | None
    ratio_ci: list[float] | None


class PairedTest(Ratio):
    """Exact McNemar test of two models on the same mazes of one split.

    Attributes:
        outcome: what solves a maze: a shortest path; or, in walks step by step, arriving, moves against walls allowed;
            or, in results of an earlier version, a valid path.
        only_a: mazes that `a` solves and `b` does not.
        p_holm: corrected for all tests of the evaluation.
        ratio: share of mazes that `b` solves over that of `a`.
    """

    outcome: Outcome
    split: str
    a: str
    b: str
    only_a: int
    only_b: int
    p: float
    p_holm: float


class Settings(TypedDict):
    """What was asked, and how.

    Attributes:
        models: name -> what was given for it: a folder, a Hub id, a file of predictions.
        dataset_revision: the commit, of a dataset on the Hub.
        dataset_sha256: of splits, ids and mazes: equal where the same mazes were asked.
        asked_sha256: of all that was asked: the same, prompts, and the facts that answers are scored by.
        splits: split -> mazes asked.
        decoding: in words, as `greedy`.
        temperature, seed: None if all answers are from files.
        chat: how the models were told to read conversations; how each does is in `loaded`.
        versions: of Python and the packages that can change the numbers.
        system_prompt: of the first prompt; empty where that has none.
        loaded: name -> what was loaded for it.
        stepwise: the observation and the moves that were allowed, if mazes were walked step by step.
    """

    models: dict[str, str]
    dataset: str
    dataset_revision: str | None
    dataset_sha256: str
    asked_sha256: str
    splits: dict[str, int]
    limit: int | None
    decoding: str
    samples: int
    temperature: float | None
    seed: int | None
    batch_size: int
    chat: dict[str, Any]
    versions: dict[str, str]
    system_prompt: str
    prompt: list[dict[str, str]]
    loaded: dict[str, dict[str, Any]]
    stepwise: NotRequired[dict[str, Any]]


class Results(TypedDict):
    """results.json. `models` and `analysis`: name -> split; the baselines are the last of the models."""

    models: dict[str, dict[str, SplitRates]]
    analysis: dict[str, dict[str, Analysis]]
    paired: list[PairedTest]
    settings: Settings


class Prediction(TypedDict):
    """A row of predictions.parquet, with its columns in this order: one answer to one maze, scored.

    Attributes:
        size: in cells, as `5x5`.
        path_length: moves of a shortest path; None where there is none.
        solved_by: rules that walk a shortest path, separated by spaces, empty where none does; see `mazes.heuristics`.
            None where there is no path.
        sample: index of the answer among those to the same maze.
        exact: equal to the dataset's own solution; None where it has none.
        vote: whether this answer represents the majority of the samples of its maze.
        failure: of `mazes.failures.FAILURES`; None for a shortest path.
        thought_length: characters of the reasoning before the answer; None where there is none.
        thought_statements: how many statements about the maze it makes; see `mazes.reasoning`.
        thought_true: share of them that are true, 0-1; None where there are none.
        observation: of a walk step by step; this and all that follow are None for other answers.
        ended: of `environment.episode.ENDS`.
        loops: and the other counts, see `environment.episode.Episode`.
        talk: the conversation without the rules, as JSON: [role, content] of each message.
    """

    id: str
    model: str
    split: str
    size: str
    width: int
    height: int
    generator: str | None
    path_length: int | None
    decision_points: int
    solved_by: str | None
    maze: str
    sample: int
    completion: str
    # The fields of PathScore.
    parsed: bool
    legal: bool
    reaches_goal: bool
    valid: bool
    optimal: bool
    excess_moves: int | None
    legal_prefix: float
    progress: float
    wall_hits: int
    revisits: int
    # The fields of Lenient.
    parsed_lenient: bool
    valid_lenient: bool
    exact: bool | None
    vote: bool
    failure: str | None
    failure_move: int | None
    failure_junction: int | None
    # The fields of Decisions.
    decisions: int
    decisions_right: int
    decisions_against_greedy: int
    decisions_right_against_greedy: int
    observation: str | None
    ended: str | None
    moves: int | None
    turns: int | None
    looks: int | None
    errors: int | None
    loops: int | None
    spl: float | None
    reward: float | None
    talk: str | None
    # Of an answer with reasoning.
    thought_length: int | None
    thought_statements: int | None
    thought_true: float | None


def write_results(path: Path, results: Results) -> None:
    """Write results.json, whole or not at all."""
    write_text(path, json.dumps(results, indent=2))


def read_results(path: Path) -> Results:
    """Read results.json.

    Raises:
        UsageError: it cannot be read, or is not what `evaluate` writes.
    """
    results = read_json(path)
    kinds = {"models": dict, "analysis": dict, "paired": list, "settings": dict}
    known = all(isinstance(results.get(key), kind) for key, kind in kinds.items())
    if not known or not all(isinstance(test, dict) for test in results["paired"]):
        raise UsageError(f"{path} is not from `ascii-maze evaluate`: expected {', '.join(kinds)} in it")
    for test in results["paired"]:
        test.setdefault("outcome", "reaches_goal" if "stepwise" in results["settings"] else "valid")
    return results  # type: ignore[return-value]
