"""What a study's findings are worth: simulated studies without an effect, with one, and with one of the margin's size.

    python benchmarks/contrasts.py                          # writes benchmarks/STATISTICS.md; a quarter of an hour
    python benchmarks/contrasts.py --studies 50 --page STATISTICS.md

Other ways to judge the same differences stand beside the one that studies use (`ascii_maze/evaluation/crossed.py`).
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
# How much seeds differ, of each method, on the scale of `simulation`: 0.1 is about two points.
SPREADS = {
    "seeds do not differ": dict.fromkeys(STARTS, 0.0),
    "all by 2 points": dict.fromkeys(STARTS, 0.1),
    "by 0.4 to 4 points": {**dict.fromkeys(STARTS, 0.08), "orpo": 0.2, "dpo": 0.2, "grpo": 0.15, "rlhf": 0.02},
    "DPO by 9, others by 1": {**dict.fromkeys(STARTS, 0.05), "dpo": 0.45, "rlhf": 0.02},
}
DESIGNS = ((2, 500), (2, 2000), (5, 500), (5, 2000))
RESAMPLES = 200
Judged = tuple[np.ndarray, np.ndarray]  # of all contrasts: p values, and half the width of the 95 % interval


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
    """Seeds and mazes resampled, each on its own (Owen, 2007)."""
    rng, (seeds, mazes) = np.random.default_rng(0), differences[0].shape
    by_seed = rng.multinomial(seeds, [1 / seeds] * seeds, RESAMPLES) / seeds
    by_maze = rng.multinomial(mazes, [1 / mazes] * mazes, RESAMPLES) / mazes
    return by_t([(one.mean(), ((by_seed @ one) * by_maze).sum(axis=1).std(), 1e6) for one in differences])


def alone(which: str) -> Callable[[Sequence[np.ndarray]], Judged]:
    """One of the two estimates of `crossed` without the other."""
    return lambda differences: by_t([getattr(one, which) for one in estimates(differences, PAIRS)])


WAYS = {
    "Student's t over seeds": over_seeds,
    "t over mazes": over_mazes,
    "bootstrap of seeds and mazes": bootstrap,
    "own variance alone": alone("own"),
    "shared variance alone": alone("shared"),
}


def differences_of(answers: dict) -> list[np.ndarray]:
    """Of each pair the differences, (seeds, mazes)."""
    return [np.stack([answers[a][seed] - answers[b][seed] for seed in answers[a]]) for a, b in PAIRS]


def without_effect(seeds: int, mazes: int, spread: dict[str, float], studies: int) -> dict[str, list[float]]:
    """Way -> share of studies that claim a difference, of intervals that hold the truth, and median half width."""
    rng = np.random.default_rng((seeds, mazes))
    claimed: dict[str, list] = {name: [] for name in (*WAYS, "both, as studies do")}
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
        claimed["both, as studies do"].append(bool(np.any(np.maximum(own, holm(shared)) < LEVEL)))
        held["both, as studies do"].append(np.maximum(own, shared) >= LEVEL)
        widths["both, as studies do"].append([half_width(one) for one in found])
    return {
        name: [float(np.mean(claimed[name])), float(np.mean(held[name])), float(np.median(widths[name]))]
        for name in claimed
    }


def half_width(one: Estimates) -> float:
    """Half the width of an interval."""
    low, high = one.interval()
    return (high - low) / 2


def with_effect(seeds: int, mazes: int, spread: dict[str, float], points: float, studies: int) -> list[float]:
    """DPO is better than its start by so much: how often that is shown, how often it is foreseen to be, and how often
    the two are called equivalent.
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
        "# What the findings of a study are worth",
        "",
        f"`python benchmarks/contrasts.py`: {studies} simulated studies a row, of eight models and {len(PAIRS)}",
        f"planned contrasts (Python {platform.python_version()}, NumPy {np.__version__}). In per cent.",
        "",
        "## No model is better than another",
        "",
        "How many studies claim a difference somewhere, after Holm's correction (5 is promised); how many intervals",
        "of 95 % hold the truth, 0; and half the width of the median interval, in points.",
        "",
        "| seeds, mazes | seeds differ | way | false claims | intervals that hold | half width |",
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
        "## DPO is better than its start",
        "",
        "By ten points: how often a study shows it, and how often it is foreseen to, from the mean variances. By the",
        "margin, five points: how often the two are called equivalent all the same (5 is promised).",
        "",
        "| seeds, mazes | seeds differ | 10 points shown | foreseen | 5 points called equivalent |",
        "|---|---|---|---|---|",
    ]
    for seeds, mazes in DESIGNS:
        for name, spread in SPREADS.items():
            shown, stated, _ = with_effect(seeds, mazes, spread, 0.1, studies)
            equivalent = with_effect(seeds, mazes, spread, 0.05, studies)[2]
            cells = (f"{seeds}, {mazes}", name, *(f"{100 * rate:.1f}" for rate in (shown, stated, equivalent)))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", NOTES])


NOTES = """## What to make of it

- A test over mazes alone, and the bootstrap of both factors, take two seeds for more than they are.
- Student's t over seeds alone forgets that the mazes are a sample, and is useless at two seeds.
- Each contrast's own variance between seeds is too often small by luck, and claims too much where mazes are many; the
  shared one claims too much where one method's seeds differ far more than the others'. Both together stay near 5 %,
  but for two seeds of which one method's differ nearly tenfold.
- Two seeds show large effects only. Five show what two do not, where seeds differ at all. What is foreseen
  is off where one method's seeds differ far more than the others'.
"""


def main() -> None:
    """Simulate, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--page", type=Path, default=Path("benchmarks/STATISTICS.md"))
    arguments = parser.parse_args()
    arguments.page.write_text(page(arguments.studies), encoding="utf-8")
    print(arguments.page)


if __name__ == "__main__":
    main()
