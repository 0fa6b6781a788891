"""Reliability of a study's findings, in simulated studies: no effect, an effect, and one the size of the margin.

    python benchmarks/contrasts.py                          # writes benchmarks/STATISTICS.md; a quarter of an hour
    python benchmarks/contrasts.py --studies 50 --page STATISTICS.md

Compares the test that studies use (`ascii_maze/evaluation/crossed.py`) with alternatives.
"""

import argparse
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.special import stdtr, stdtrit

from ascii_maze.evaluation.crossed import (
    LEVEL,
    Components,
    Design,
    Estimates,
    estimates,
    holm,
    mean_squares,
    pairs_in_effect,
)
from ascii_maze.study.contrasts import compare, is_within_margin
from ascii_maze.study.pairs import default_pairs
from ascii_maze.study.simulation import STARTS, effect_of, simulate

PAIRS = default_pairs(list(STARTS), STARTS)
# Spread of the seeds of each method, on the scale of `simulation`: 0.1 is about two points.
SPREADS = {
    "none": dict.fromkeys(STARTS, 0.0),
    "2 points for all": dict.fromkeys(STARTS, 0.1),
    "0.4 to 4 points": {**dict.fromkeys(STARTS, 0.08), "orpo": 0.2, "dpo": 0.2, "grpo": 0.15, "rlhf": 0.02},
    "9 points for DPO, 1 for others": {**dict.fromkeys(STARTS, 0.05), "dpo": 0.45, "rlhf": 0.02},
}
DESIGNS = ((2, 500), (2, 2000), (5, 500), (5, 2000))
RESAMPLES = 200
Judged = tuple[np.ndarray, np.ndarray]  # per contrast: p values, and half the width of the 95 % interval


def by_t(found: Sequence[tuple[float, float, float]]) -> Judged:
    """Student's t of (difference, standard error, degrees of freedom)."""
    difference, error, df = np.array(found).T
    error = np.maximum(error, 1e-9)
    return 2 * stdtr(df, -np.abs(difference) / error), stdtrit(df, 1 - LEVEL / 2) * error


def over_seeds(differences: Sequence[np.ndarray]) -> Judged:
    """Student's t over the means of the seeds."""
    means = [one.mean(axis=1) for one in differences]
    return by_t([(one.mean(), one.std(ddof=1) / np.sqrt(len(one)), len(one) - 1) for one in means])


def over_mazes(differences: Sequence[np.ndarray]) -> Judged:
    """Student's t over the means of the mazes."""
    means = [one.mean(axis=0) for one in differences]
    return by_t([(one.mean(), one.std(ddof=1) / np.sqrt(len(one)), len(one) - 1) for one in means])


def bootstrap(differences: Sequence[np.ndarray]) -> Judged:
    """Resample seeds and mazes independently (Owen, 2007)."""
    rng, (seeds, mazes) = np.random.default_rng(0), differences[0].shape
    by_seed = rng.multinomial(seeds, [1 / seeds] * seeds, RESAMPLES) / seeds
    by_maze = rng.multinomial(mazes, [1 / mazes] * mazes, RESAMPLES) / mazes
    return by_t([(one.mean(), ((by_seed @ one) * by_maze).sum(axis=1).std(), 1e6) for one in differences])


def alone(which: str) -> Callable[[Sequence[np.ndarray]], Judged]:
    """Only one of the two estimates of `crossed`."""
    return lambda differences: by_t([getattr(one, which) for one in estimates(differences, PAIRS)])


WAYS = {
    "Student's t over seeds": over_seeds,
    "t over mazes": over_mazes,
    "bootstrap of seeds and mazes": bootstrap,
    "own variance only": alone("own"),
    "shared variance only": alone("shared"),
}


def differences_of(answers: dict) -> list[np.ndarray]:
    """Differences of each pair, (seeds, mazes)."""
    return [np.stack([answers[a][seed] - answers[b][seed] for seed in answers[a]]) for a, b in PAIRS]


def without_effect(seeds: int, mazes: int, spread: dict[str, float], studies: int) -> dict[str, list[float]]:
    """Method -> rate of studies with a false positive, coverage of the intervals, and their median half width."""
    rng = np.random.default_rng((seeds, mazes))
    claimed: dict[str, list] = {name: [] for name in (*WAYS, "both (used by studies)")}
    held: dict[str, list] = {name: [] for name in claimed}
    widths: dict[str, list] = {name: [] for name in claimed}
    for _ in range(studies):
        differences = differences_of(simulate(rng, seeds, mazes, spread))
        for name, way in WAYS.items():
            ps, half = way(differences)
            claimed[name].append(min(holm(ps)) < LEVEL)
            held[name].append(ps >= LEVEL)
            widths[name].append(half)
        found = estimates(differences, PAIRS)
        own, shared = ([getattr(one, which).p() for one in found] for which in ("own", "shared"))
        claimed["both (used by studies)"].append(bool(np.any(np.maximum(own, holm(shared)) < LEVEL)))
        held["both (used by studies)"].append(np.maximum(own, shared) >= LEVEL)
        widths["both (used by studies)"].append([half_width(one) for one in found])
    return {
        name: [float(np.mean(claimed[name])), float(np.mean(held[name])), float(np.median(widths[name]))]
        for name in claimed
    }


def half_width(one: Estimates) -> float:
    """Half the width of the interval."""
    low, high = one.interval()
    return (high - low) / 2


def with_effect(seeds: int, mazes: int, spread: dict[str, float], points: float, studies: int) -> list[float]:
    """Studies where DPO is better than its start by `points`: share that detects it, predicted power, and share that
    calls the two equivalent.
    """
    rng, shown, equivalent, squares, pooled = np.random.default_rng((seeds, mazes, 1)), 0, 0, [], []
    place = PAIRS.index(("dpo", "sft"))
    for _ in range(studies):
        answers = simulate(rng, seeds, mazes, spread, {"dpo": effect_of(points)})
        contrast = compare(answers, PAIRS, "", "optimal", True, 0.05, foresee=False)[place]
        shown += contrast["verdict"] == "more"
        equivalent += is_within_margin(contrast)
        differences = differences_of(answers)
        squares.append(mean_squares(differences[place]))
        pooled.append(estimates(differences, PAIRS)[place].pooled)
    mean, of_seeds, of_mazes, of_both = np.mean([one[:4] for one in squares], axis=0)
    components = Components(max(0.0, (of_seeds - of_both) / mazes), (of_mazes - of_both) / seeds, of_both)
    design = Design(components, float(np.mean(pooled)), seeds, mazes, len(PAIRS), pairs_in_effect(PAIRS))
    return [shown / studies, design.power(mean), equivalent / studies]


def page(studies: int) -> str:
    """STATISTICS.md."""
    lines = [
        "# Reliability of a study's findings",
        "",
        f"`python benchmarks/contrasts.py`: {studies} simulated studies per row, with eight models and {len(PAIRS)}",
        f"planned contrasts (Python {platform.python_version()}, NumPy {np.__version__}). Rates in per cent.",
        "",
        "## No differences between models",
        "",
        "Share of studies that claim any difference after Holm's correction (nominal: 5), share of 95 % intervals",
        "that cover the true difference, 0, and half the width of the median interval, in points.",
        "",
        "| seeds, mazes | spread of seeds | method | false positives | coverage | half width |",
        "|---|---|---|---|---|---|",
    ]
    for seeds, mazes in DESIGNS:
        for name, spread in SPREADS.items():
            print(seeds, mazes, name, flush=True)
            for way, (claims, held, width) in without_effect(seeds, mazes, spread, studies).items():
                cells = (f"{seeds}, {mazes}", name, way, *(f"{100 * rate:.1f}" for rate in (claims, held, width)))
                lines.append(f"| {' | '.join(f'**{cell}**' if way.startswith('both') else cell for cell in cells)} |")
    lines += [
        "",
        "## DPO is better than its starting point",
        "",
        "With an effect of ten points: how often a study detects it, and the power predicted from the mean variances.",
        "With an effect equal to the margin, five points: how often the two are called equivalent (nominal: 5).",
        "",
        "| seeds, mazes | spread of seeds | 10 points detected | predicted power | 5 points called equivalent |",
        "|---|---|---|---|---|",
    ]
    for seeds, mazes in DESIGNS:
        for name, spread in SPREADS.items():
            shown, stated, _ = with_effect(seeds, mazes, spread, 0.1, studies)
            equivalent = with_effect(seeds, mazes, spread, 0.05, studies)[2]
            cells = (f"{seeds}, {mazes}", name, *(f"{100 * rate:.1f}" for rate in (shown, stated, equivalent)))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", NOTES])


NOTES = """## Interpretation

- A test over mazes alone, and the bootstrap over seeds and mazes, are overconfident with two seeds.
- Student's t over seeds alone ignores that the mazes are a sample, and is useless with two seeds.
- Each contrast's own variance between seeds is too often small by chance, and gives too many false positives when
  there are many mazes. The shared variance gives too many when one method's seeds vary far more than the others'.
  Both together stay near 5 %, except with two seeds when one method's seeds vary nearly tenfold.
- Two seeds detect only large effects. Five detect effects that two do not, whenever seeds vary at all. The predicted
  power is off when one method's seeds vary far more than the others'.
"""


def main() -> None:
    """Simulate and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--page", type=Path, default=Path("benchmarks/STATISTICS.md"))
    arguments = parser.parse_args()
    arguments.page.write_text(page(arguments.studies), encoding="utf-8")
    print(arguments.page)


if __name__ == "__main__":
    main()
