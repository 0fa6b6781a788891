"""All numbers of an evaluation, computed from the parts in which its answers were written."""

from collections.abc import Sequence
from pathlib import Path

from .predictions import read_scores
from .schema import Analysis, Outcome, Rates, SizeRates, SplitRates
from .statistics import (
    break_down,
    count_failures,
    decision_rates,
    length_curve,
    paired_tests,
    summarise,
    summarise_thoughts,
    voted,
)
from .step_statistics import summarise_steps


def measure(
    parts: dict[str, dict[str, list[Path]]], models: list[str], splits: Sequence[str]
) -> dict[str, dict | list]:
    """All numbers, from the parts of each model and split, one at a time.

    Args:
        models: to be tested against each other.
    """
    summaries: dict[str, dict[str, SplitRates]] = {name: {} for name in parts}
    analyses: dict[str, dict[str, Analysis]] = {name: {} for name in parts}
    solved: dict[str, dict] = {name: {} for name in parts}
    outcome: Outcome = "optimal"
    for name, of in parts.items():
        for split, files in of.items():
            rows = read_scores(files)
            summaries[name][split], analyses[name][split] = summarise_split(rows), analyse_split(rows)
            outcome = "reaches_goal" if stepped(rows) else "optimal"  # an evaluation is of one kind
            solved[name][split] = voted(rows, outcome)
    return {"models": summaries, "analysis": analyses, "paired": paired_tests(models, splits, solved, outcome)}


def summarise_split(rows) -> SplitRates:
    """Rates of one model on one split, and by size, from the smallest."""
    by_size: dict[str, SizeRates] = {}
    for (width, height), found in rows.groupby(["width", "height"], sort=True):
        by_size[f"{width}x{height}"] = {**rates_of(found), "width": int(width), "height": int(height)}
    return {**rates_of(rows), "by_size": by_size, "decisions": decision_rates(rows)}


def rates_of(rows) -> Rates:
    """The rates of some answers, and the figures of thoughts and of walks step by step."""
    rates = summarise(rows)
    if rows["thought_length"].notna().any():
        rates["thoughts"] = summarise_thoughts(rows)
    if stepped(rows):
        rates["stepwise"] = summarise_steps(rows)
    return rates


def stepped(rows) -> bool:
    """Whether the answers are walks step by step."""
    return bool(rows["observation"].notna().any())


def analyse_split(rows) -> Analysis:
    """Rates by the facts of the mazes, how often each failure occurs, and validity over path length."""
    once = rows[rows["vote"] & rows["path_length"].notna()]
    return {
        "by": break_down(rows),
        "failures": count_failures(rows),
        "length_curve": length_curve(once["path_length"].to_numpy(), once["valid"].to_numpy()),
    }
