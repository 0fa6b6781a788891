"""What an evaluation shows, in sentences: the rates, and differences with the tests that show them."""

from collections.abc import Mapping
from typing import Any

from ..environment.explorers import ALL_BASELINES
from ..errors import printable
from ..mazes.baselines import UPPER_BOUND
from .schema import COMPARED, PairedTest, Results

LEVEL, POWER = 0.05, 0.8


def findings(results: Results) -> list[str]:
    """Sentences for the head of a report: for each split the models' rates, and what their paired tests show.

    A difference is claimed where its exact McNemar test, corrected by Holm, is below `LEVEL`. Where none is shown, the
    sentence says which one these mazes would have shown in 80 % of such evaluations; see `smallest_difference`.
    """
    said = []
    for split in dict.fromkeys(split for by_split in results["models"].values() for split in by_split):
        tests = [test for test in results["paired"] if test["split"] == split]
        shown = [_more(test, results) for test in tests if test["p_holm"] < LEVEL]
        others = [_not_shown(test, results) for test in tests if test["p_holm"] >= LEVEL]
        said.append(_rates(results, split))
        compared = COMPARED[tests[0]["outcome"]] if tests else ""
        if shown:
            said.append(f"{split}: more {compared}, p < {LEVEL} after Holm's correction: {', '.join(shown)}.")
        if others:
            wanted = f"in brackets the difference that would have been shown {100 * POWER:.0f} % of the time"
            said.append(f"{split}: no difference in {compared} shown ({wanted}): {', '.join(others)}.")
    return said


def _rates(results: Results, split: str) -> str:
    """Shortest and valid paths of every model, and of the best rule."""
    cells = {name: by_split[split] for name, by_split in results["models"].items() if split in by_split}
    models = [
        f"{printable(name)} {100 * cell['optimal']:.1f} % ({100 * cell['valid']:.1f})"
        for name, cell in cells.items()
        if name not in ALL_BASELINES
    ]
    count = max(cell["n"] for cell in cells.values())
    best = best_rule(results["models"], split)
    rule = f"; the best rule that does not plan, {best}, {100 * cells[best]['optimal']:.1f} %" if best else ""
    return f"{split}, {count:,} mazes: walked by a shortest path (by any valid one) {', '.join(models)}{rule}."


def best_rule(models: Mapping[str, Mapping[str, Any]], split: str) -> str | None:
    """The baseline that walks most mazes by a shortest path, of those that do not know the solution.

    Args:
        models: name -> split -> rates, of an evaluation or of a study.
    """
    rules = [name for name in models if name in ALL_BASELINES and name != UPPER_BOUND and split in models[name]]
    return max(rules, key=lambda name: models[name][split]["optimal"], default=None)


def _more(test: PairedTest, results: Results) -> str:
    """Which of two models solves more mazes, and by how much."""
    first, second = (test["a"], test["b"]) if test["only_a"] > test["only_b"] else (test["b"], test["a"])
    points = 100 * abs(test["only_a"] - test["only_b"]) / _mazes(test, results)
    return f"{printable(first)} than {printable(second)} by {points:.1f} points"


def _not_shown(test: PairedTest, results: Results) -> str:
    """The difference of two models, and the smallest that would have been shown, at Holm's strictest level."""
    n = _mazes(test, results)
    found = smallest_difference(n, (test["only_a"] + test["only_b"]) / n, LEVEL / len(results["paired"]))
    could = "none" if found is None else f"{100 * found:.1f}"
    points = 100 * (test["only_b"] - test["only_a"]) / n
    return f"{printable(test['b'])} and {printable(test['a'])} {points:+.1f} points ({could})"


def _mazes(test: PairedTest, results: Results) -> int:
    return results["models"][test["a"]][test["split"]]["n"]


def p_text(p: float | None) -> str:
    """A p value in a sentence; nothing without one."""
    return "" if p is None else "< 0.001" if p < 0.001 else f"= {p:.2g}"


def smallest_difference(n: int, discordant: float, level: float) -> float | None:
    """The difference of two paired shares that McNemar's test shows with a probability of `POWER`.

    Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 1987.

    Args:
        n: pairs.
        discordant: the share of pairs whose two outcomes differ.
        level: of the two-sided test.

    Returns:
        The difference, 0-1; None where not even one in which all discordant pairs point the same way is shown.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z, of_power = norm.isf(level / 2), norm.ppf(POWER)

    def missing(difference: float) -> float:
        spread = z * discordant**0.5 + of_power * max(0.0, discordant - difference**2) ** 0.5
        return spread - difference * n**0.5

    if not discordant or missing(discordant) > 0:
        return None
    return float(brentq(missing, 0, discordant))
