"""What benchmarks/stepwise.py runs for a base: trainings and evaluations."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

TINY = "tiny"
SPLITS = ("test", "test_larger")
ONCE = "at once"


class Run(NamedTuple):
    """A training run.

    Attributes:
        seen: its observation.
        start: the run whose adapter it starts from.
        budget: instead of the recipe's, for the embedded model.
        minutes: on two cores, for the embedded model and another base.
        once: whether only the first seed makes it.
    """

    recipe: str
    seen: str | None = None
    start: str | None = None
    budget: str | None = None
    minutes: tuple[float, float] = (0, 0)
    once: bool = False


RUNS = {
    "sft": Run("sft", budget="tokens=120000", minutes=(1.5, 30)),
    "sft_steps": Run("sft_steps", "full", minutes=(1, 0)),
    "sft_local": Run("sft_steps", "local", budget="tokens=1000000", minutes=(10, 40), once=True),
    "sft_window": Run("sft_steps", "window:2", budget="tokens=1000000", minutes=(10, 0), once=True),
    "grpo_steps": Run("grpo_steps", "full", "sft_steps", minutes=(4, 0)),
}
# Models evaluated per observation. Minutes for 100 mazes of each split, and for all mazes of a base.
EVALUATED = {
    ONCE: ("base", "sft"),
    "full": ("base", "sft_steps", "grpo_steps"),
    "window:2": ("base", "sft_window"),
    "local": ("base", "sft_local"),
    "none": ("base",),
}
MINUTES, BASE_MINUTES = (0.5, 20), (4, 30)


class Plan(NamedTuple):
    """Everything that is run for a base.

    Attributes:
        folder: of its runs and evaluations.
        limit: mazes per split.
        base_limit: mazes per split for the base, step by step.
        ways: how models are evaluated, keys of `EVALUATED`.
        overrides: of the recipes.
    """

    base: str
    folder: Path
    runs: dict[str, Run]
    seeds: list[int]
    limit: int
    base_limit: int
    ways: tuple[str, ...]
    overrides: dict[str, Any]

    def runs_of(self, seed: int) -> dict[str, Run]:
        """The training runs with a seed."""
        return {name: run for name, run in self.runs.items() if not run.once or seed == self.seeds[0]}

    @property
    def is_tiny(self) -> bool:
        """Whether the recipes are those of `recipes/tiny`."""
        return self.base == TINY

    def folder_of(self, name: str, seed: int) -> str:
        """Path to a model: the base, or the folder of a run."""
        return self.base if name == "base" else str(self.folder / f"seed-{seed}" / name)


class Judged(NamedTuple):
    """An evaluation of some models. The base, which may use up all its moves, gets fewer mazes."""

    way: str
    seed: int
    names: list[str]
    limit: int
    baselines: bool

    @property
    def of_base(self) -> bool:
        """Whether it evaluates the base step by step."""
        return self.names == ["base"]

    def folder(self, plan: Plan) -> Path:
        """Where it is written."""
        base = "-base" * self.of_base
        return plan.folder / f"seed-{self.seed}" / f"evaluation-{re.sub(r'[^a-z0-9]+', '-', self.way)}{base}"


def evaluations(plan: Plan) -> Iterator[Judged]:
    """Every evaluation. The base and the rule-based baselines are the same for every seed."""
    for seed in plan.seeds:
        first = seed == plan.seeds[0]
        for way in plan.ways:
            runs = [name for name in EVALUATED[way] if name in plan.runs_of(seed)]
            together = ["base"] * (first and way == ONCE) + runs
            if together:
                yield Judged(way, seed, together, plan.limit, first)
            if first and way != ONCE:
                yield Judged(way, seed, ["base"], min(plan.limit, plan.base_limit), not runs)


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan for a base."""
    folder = options.out / re.sub(r"\W+", "-", options.base).strip("-")
    if options.base == TINY:
        runs = {name: run for name, run in RUNS.items() if name in options.runs}
        return Plan(TINY, folder, runs, options.seeds or [0, 1, 2], options.limit or 500, 100, tuple(EVALUATED), {})
    runs = {name: RUNS[name] for name in ("sft", "sft_local") if name in options.runs}
    overrides = {"model_name_or_path": options.base, "budget": options.budget}
    return Plan(options.base, folder, runs, options.seeds or [0], options.limit or 100, 20, (ONCE, "local"), overrides)
