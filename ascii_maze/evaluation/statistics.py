"""Statistics of an evaluation: intervals, paired tests, ratios, breakdowns, and validity over path length.

`rows` is a pandas table with the small columns of predictions.parquet, one row per sample of a maze; the samples of a
maze are adjacent, and every maze has the same number.
"""

import itertools
import warnings
from collections.abc import Sequence
from typing import cast

import numpy as np

from .schema import (
    LENIENT_RATES,
    RATES,
    BinRates,
    Breakdown,
    DecisionRate,
    DecisionRates,
    LengthCurve,
    Outcome,
    PairedTest,
    Rate,
    Rates,
    Ratio,
    ThoughtRates,
)

RESAMPLES = 2_000


def summarise(rows) -> Rates:
    """Number of mazes, the rates 0-1, and the Wilson 95 % interval of validity (Wilson, JASA 1927).

    With several samples a rate is the mean over all of them; its interval counts mazes, not answers, since the samples
    of a maze are correlated, and is conservative. `pass_at` and the validity of the majority vote are added.
    """
    samples, rates = int(rows["sample"].max()) + 1, rows[[*RATES, *LENIENT_RATES]].mean()
    count = len(rows) // samples
    summary = cast(Rates, {"n": count, **rates.to_dict(), "valid_ci": wilson(rates["valid"], count)})
    summary["progress"] = float(rows["progress"].mean())
    if rows["exact"].notna().any():
        summary["exact"] = float(rows["exact"].mean())
    if samples > 1:
        majority = voted(rows, "valid").mean()
        summary["samples"] = samples
        summary["pass_at"] = pass_at(rows["valid"].to_numpy(dtype=bool).reshape(-1, samples))
        summary["majority"], summary["majority_ci"] = float(majority), wilson(majority, count)
    return summary


def summarise_thoughts(rows) -> ThoughtRates:
    """Length and truth of the reasoning before some answers."""
    said = rows["thought_true"]
    return {
        "share": float(rows["thought_length"].notna().mean()),
        "length": float(rows["thought_length"].mean()),
        "true": float(said.mean()) if said.notna().any() else None,
        "valid_but_false": float((rows["valid"] & (said < 1)).mean()),
    }


def wilson(rate: float, count: int) -> list[float]:
    """Wilson's 95 % interval of a rate over `count` mazes."""
    from statsmodels.stats.proportion import proportion_confint

    return [float(bound) for bound in proportion_confint(rate * count, count, method="wilson")]


def pass_at(valid: np.ndarray) -> dict[str, float]:
    """Unbiased estimate of how often at least one of k samples is valid (Chen et al., arXiv:2107.03374).

    Args:
        valid: bool (mazes, samples).

    Returns:
        k -> rate 0-1, for the powers of two up to the number of samples, and that number itself.
    """
    from scipy.stats import hypergeom

    samples, right = valid.shape[1], valid.sum(axis=1)
    powers = (1 << exponent for exponent in range(samples.bit_length()))
    # 1 - C(n-c, k) / C(n, k): of n samples, c of them valid, k are drawn and not all are invalid.
    return {str(k): float(hypergeom.sf(0, samples, right, k).mean()) for k in sorted({*powers, samples})}


def voted(rows, rate: Rate) -> np.ndarray:
    """Of each maze, bool (n,), whether this is true of the answer, or of the majority vote of several."""
    return rows.loc[rows["vote"], rate].to_numpy(dtype=bool)


def break_down(rows) -> Breakdown:
    """Rates by generator, path length and number of decision points; rows that lack a fact are not in its bins."""
    return {
        "generator": {name: summarise(found) for name, found in rows.groupby("generator", observed=True, sort=True)},
        "solved_by": by_rules(rows),
        "path_length": bin_rates(rows, "path_length"),
        "decision_points": bin_rates(rows, "decision_points"),
    }


def by_rules(rows) -> dict[str, Rates]:
    """Rates on the mazes that some rule walks optimally, `easy`, and on the others, `hard`; an empty one is absent."""
    known = rows[rows["solved_by"].notna()]
    parts = {"easy": known[known["solved_by"] != ""], "hard": known[known["solved_by"] == ""]}
    return {name: summarise(found) for name, found in parts.items() if len(found)}


def decision_rates(rows) -> DecisionRates:
    """Share of right moves at decisions over all answers, also split by whether the greedy rule is right there."""
    made, right = int(rows["decisions"].sum()), int(rows["decisions_right"].sum())
    against, right_against = (int(rows[f"{name}_against_greedy"].sum()) for name in ("decisions", "decisions_right"))
    return {
        **decision_rate(made, right),
        "greedy_right": decision_rate(made - against, right - right_against),
        "greedy_wrong": decision_rate(against, right_against),
    }


def decision_rate(made: int, right: int) -> DecisionRate:
    """The share of moves at decisions; None if there are none."""
    return {"n": made, "right": right / made if made else None}


def bin_rates(rows, fact: str) -> dict[str, BinRates]:
    """Rates by bins that begin at powers of two: `0`, `1`, `2-3`, `4-7`, `8-15` and so on; empty ones are absent.

    Args:
        fact: a column of counts.
    """
    bins: dict[str, BinRates] = {}
    known = rows[rows[fact].notna()]
    exponents = np.frexp(known[fact].to_numpy(dtype=float))[1]  # 4 for all of 8-15
    for exponent in np.unique(exponents).tolist():
        low, high = (1 << exponent) >> 1, (1 << exponent) - 1
        name = str(low) if low == high else f"{low}-{high}"
        bins[name] = {**summarise(known[exponents == exponent]), "low": low, "high": high}
    return bins


def count_failures(rows) -> dict[str, int]:
    """How often each kind of `ascii_maze.mazes.failures.FAILURES` occurs, in that order."""
    from ..mazes.failures import FAILURES

    counts = rows["failure"].value_counts()
    return {kind: int(counts[kind]) for kind in FAILURES if counts.get(kind, 0)}


def paired_tests(
    models: Sequence[str], splits: Sequence[str], solved: dict[str, dict], outcome: Outcome
) -> list[PairedTest]:
    """Exact McNemar tests between every two models on the same mazes, Holm-corrected over the table.

    Each also has the ratio of the rates of `b` and `a`, with a 95 % interval; see `ratio`.

    Args:
        solved: model -> split -> bool (n,), the outcome on each maze; same mazes and order for all models.
    """
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    tests: list[PairedTest] = []
    for split in splits:
        for one, two in itertools.combinations(models, 2):
            first, second = solved[one][split], solved[two][split]
            only_one, only_two = int(np.sum(first & ~second)), int(np.sum(second & ~first))
            p = float(mcnemar([[0, only_one], [only_two, 0]], exact=True).pvalue) if only_one + only_two else 1.0
            tests.append(
                PairedTest(
                    outcome=outcome,
                    split=split,
                    a=one,
                    b=two,
                    only_a=only_one,
                    only_b=only_two,
                    p=p,
                    p_holm=p,
                    **ratio(first, second),
                )
            )
    if tests:
        for test, corrected in zip(tests, multipletests([test["p"] for test in tests], method="holm")[1]):
            test["p_holm"] = float(corrected)
    return tests


def ratio(one: np.ndarray, two: np.ndarray) -> Ratio:
    """Rate of `two` over that of `one`, with a 95 % percentile bootstrap interval over the mazes; fixed seed.

    Args:
        one: bool (n,), outcomes on mazes.
        two: bool (n,), on the same mazes.

    Returns:
        `ratio` and `ratio_ci`. Both are None where `one` has no success; `ratio_ci` is None where so many resamples
        have none that the interval has no upper bound.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    if not one.any() or len(one) < 2:
        return {"ratio": None, "ratio_ci": None}
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # a NaN interval becomes None below
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


def length_curve(lengths: Sequence[int], valid: Sequence[bool]) -> LengthCurve | None:
    """Logistic regression of validity on path length, and the length at which the curve falls to one half.

    Returns:
        `intercept` and `slope` (log odds, per move); `half_length` in moves with `half_length_ci`, 95 % by the delta
        method. The length is None where validity does not fall with length, the interval where the slope is not
        significant (p >= 0.05). None instead where no curve can be fitted: all outcomes are equal, or one length
        separates them perfectly.
    """
    from statsmodels.api import GLM, add_constant, families
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    x, y = np.asarray(lengths, dtype=float), np.asarray(valid, dtype=bool)
    if y.all() or not y.any() or len(np.unique(x)) < 2:
        return None
    if x[y].max() <= x[~y].min() or x[~y].max() <= x[y].min():
        return None
    places, cells = np.unique(x, return_inverse=True)  # fitting counts gives the same result, faster
    counts = np.stack([np.bincount(cells, weights=y), np.bincount(cells, weights=~y)], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        fit = GLM(counts, add_constant(places), family=families.Binomial()).fit()
    (intercept, slope), covariance = fit.params, fit.cov_params()
    curve = LengthCurve(intercept=float(intercept), slope=float(slope), half_length=None, half_length_ci=None)
    if slope >= 0:
        return curve
    half = -intercept / slope
    gradient = np.array([1.0, half]) / slope
    error = float(np.sqrt(gradient @ covariance @ gradient))
    curve["half_length"] = float(half)
    if fit.pvalues[1] < 0.05:
        curve["half_length_ci"] = [float(half - 1.96 * error), float(half + 1.96 * error)]
    return curve
