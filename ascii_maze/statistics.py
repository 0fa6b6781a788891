"""What a paper needs beside a rate: intervals, paired tests, ratios, breakdowns, and validity over path length."""

import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

RATES = ("valid", "optimal", "reaches_goal", "legal", "parsed")
RESAMPLES = 2_000


def summarise(rows: Sequence[dict]) -> dict:
    """Number of rows, the rates 0-1, and the Wilson 95 % interval of validity (Wilson, JASA 1927)."""
    from statsmodels.stats.proportion import proportion_confint

    count = len(rows)
    valid = sum(row["valid"] for row in rows)
    low, high = proportion_confint(valid, count, method="wilson")
    rates = {rate: sum(row[rate] for row in rows) / count for rate in RATES}
    progress = sum(row["progress"] for row in rows) / count
    return {"n": count, **rates, "valid_ci": [float(low), float(high)], "progress": progress}


def break_down(rows: Sequence[dict]) -> dict[str, dict[str, dict]]:
    """Rates by generator, path length and number of decision points; rows that lack a fact count in none of it.

    Lengths and numbers stand together from each power of two to the next: 1, 2-3, 4-7, 8-15 and so on.
    """
    facts: dict[str, Callable[[dict], tuple[int, str]]] = {
        "generator": lambda row: (0, row["generator"]),
        "path_length": lambda row: octave(row["path_length"]),
        "decision_points": lambda row: octave(row["decision_points"]),
    }
    table: dict[str, dict[str, dict]] = {}
    for fact, cell_of in facts.items():
        cells: dict[tuple[int, str], list[dict]] = {}
        for row in rows:
            if row.get(fact) is not None:
                cells.setdefault(cell_of(row), []).append(row)
        table[fact] = {name: summarise(cells[order, name]) for order, name in sorted(cells)}
    return table


def octave(number: int) -> tuple[int, str]:
    """The cell of a number in a breakdown: its rank and its name, as (4, `8-15`)."""
    low, high = 1 << max(number.bit_length() - 1, 0), (1 << number.bit_length()) - 1
    return number.bit_length(), str(number) if number < 2 else f"{low}-{high}"


def count_failures(rows: Sequence[dict]) -> dict[str, int]:
    """How often each kind of `ascii_maze.failures.FAILURES` occurs, in that order."""
    from .failures import FAILURES

    kinds = [row["failure"] for row in rows]
    return {kind: kinds.count(kind) for kind in FAILURES if kind in kinds}


def paired_tests(models: Sequence[str], splits: Sequence[str], predictions: Sequence[dict]) -> list[dict]:
    """Exact McNemar tests of validity between every two models on the same mazes, Holm-corrected over the table.

    Beside each stands how many times as often `b` is valid as `a`, with a 95 % interval; see `ratio`.
    """
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    valid = {(row["model"], row["split"], row["id"]): row["valid"] for row in predictions}
    tests = []
    for split in splits:
        ids = [row["id"] for row in predictions if row["split"] == split and models and row["model"] == models[0]]
        for one, two in itertools.combinations(models, 2):
            outcomes = {name: np.array([valid[name, split, i] for i in ids], dtype=bool) for name in (one, two)}
            only_one = int(np.sum(outcomes[one] & ~outcomes[two]))
            only_two = int(np.sum(outcomes[two] & ~outcomes[one]))
            p = float(mcnemar([[0, only_one], [only_two, 0]], exact=True).pvalue) if only_one + only_two else 1.0
            test = {"split": split, "a": one, "b": two, "only_a": only_one, "only_b": only_two, "p": p}
            tests.append({**test, **ratio(outcomes[one], outcomes[two])})
    if tests:
        for test, corrected in zip(tests, multipletests([test["p"] for test in tests], method="holm")[1]):
            test["p_holm"] = float(corrected)
    return tests


def ratio(one: np.ndarray, two: np.ndarray) -> dict:
    """Rate of `two` over that of `one`, with a 95 % percentile bootstrap interval over the mazes, always the same.

    Args:
        one: bool (n,), outcomes on mazes.
        two: bool (n,), on the same mazes.

    Returns:
        `ratio` and `ratio_ci`; None where `one` is never right, or where it so often is in no resample that the
        interval has no upper end.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    if not one.any() or len(one) < 2:
        return {"ratio": None, "ratio_ci": None}
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # an interval that is no number is left out below
        interval = bootstrap(
            (one, two),
            lambda a, b, axis=-1: b.mean(axis=axis) / a.mean(axis=axis),
            paired=True,
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=100,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
    bounds = [float(interval.low), float(interval.high)]
    return {"ratio": float(two.mean() / one.mean()), "ratio_ci": bounds if np.isfinite(bounds).all() else None}


def length_curve(lengths: Sequence[int], valid: Sequence[bool]) -> dict | None:
    """Logistic regression of validity on path length, and the length at which the curve falls to one half.

    Returns:
        `intercept` and `slope` (log odds, per move); `half_length` in moves with `half_length_ci`, 95 % by the delta
        method. The length is None where validity does not fall with length, its interval where the slope is not told
        from 0. None for all where no curve can be fitted: all are alike, or one length parts right from wrong.
    """
    from statsmodels.api import GLM, add_constant, families
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    x, y = np.asarray(lengths, dtype=float), np.asarray(valid, dtype=bool)
    if y.all() or not y.any() or len(np.unique(x)) < 2:
        return None
    if x[y].max() <= x[~y].min() or x[~y].max() <= x[y].min():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        fit = GLM(y.astype(float), add_constant(x), family=families.Binomial()).fit()
    (intercept, slope), covariance = fit.params, fit.cov_params()
    curve: dict[str, Any] = {"intercept": float(intercept), "slope": float(slope)}
    curve |= {"half_length": None, "half_length_ci": None}
    if slope >= 0:
        return curve
    half = -intercept / slope
    gradient = np.array([1.0, half]) / slope
    error = float(np.sqrt(gradient @ covariance @ gradient))
    curve["half_length"] = float(half)
    if fit.pvalues[1] < 0.05:
        curve["half_length_ci"] = [float(half - 1.96 * error), float(half + 1.96 * error)]
    return curve
