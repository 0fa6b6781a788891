"""How many seeds and mazes are needed to show an effect: `ascii-maze study --plan-power`, before the study is run.

It needs the variances of a difference: from `variance` in the study file, from an earlier run of the study (the
medians over its planned contrasts), or else `ASSUMED`.
"""

from pathlib import Path
from statistics import median
from typing import Any, TypedDict

from ..errors import UsageError
from ..evaluation.crossed import POWER, Components, Design, pairs_in_effect
from ..recipe import load_recipe
from .pairs import planned_pairs
from .plan import starts_of
from .schema import read_results
from .settings import Study

SEEDS = (2, 3, 5, 8)
MAZES = (200, 500, 1000, 2000, 5000)
EFFECTS = (0.02, 0.03, 0.05, 0.1)
# As the demo measured them between its fine-tunes: of the seeds of a difference a standard deviation of 2.2 points.
ASSUMED = Components(seeds=0.0005, mazes=0.06, both=0.11)


class PowerPlan(TypedDict):
    """The power of several designs.

    Attributes:
        variance: of a difference, of `seeds`, `mazes` and `both` together with chance.
        source: where the variances come from, in words.
        contrasts: how many are planned.
        smallest: seeds -> mazes -> the least true difference, 0-1, that is shown in 80 % of studies; None for none.
        needed: effect in points -> seeds -> the fewest of `MAZES` that show it so often; None where more are needed.
    """

    variance: dict[str, float]
    source: str
    contrasts: int
    smallest: dict[str, dict[str, float | None]]
    needed: dict[str, dict[str, int | None]]


def plan_power(study: Study, out: Path) -> PowerPlan:
    """The power of each number of seeds and mazes.

    Args:
        out: the study's folder, where it may have been run.

    Raises:
        UsageError: results.json there is not that of a study.
    """
    components, source = variances(study, out)
    recipes = {name: load_recipe(path) for name, path in study.recipes.items()}
    pairs = planned_pairs(study, recipes, starts_of(study, recipes))
    designs = {
        (seeds, mazes): Design(components, components.seeds, seeds, mazes, len(pairs), pairs_in_effect(pairs))
        for seeds in SEEDS
        for mazes in MAZES
    }
    enough = {place: [design.power(effect) >= POWER for effect in EFFECTS] for place, design in designs.items()}
    return {
        "variance": components._asdict(),
        "source": source,
        "contrasts": len(pairs),
        "smallest": {str(seeds): {str(mazes): designs[seeds, mazes].smallest() for mazes in MAZES} for seeds in SEEDS},
        "needed": {
            f"{100 * effect:g}": {
                str(seeds): next((mazes for mazes in MAZES if enough[seeds, mazes][place]), None) for seeds in SEEDS
            }
            for place, effect in enumerate(EFFECTS)
        },
    }


def variances(study: Study, out: Path) -> tuple[Components, str]:
    """The variances to plan with, and where they are from.

    Raises:
        UsageError: results.json in `out` is not that of a study.
    """
    if study.variance is not None:
        return Components(**study.variance), "given in the study file"
    if (out / "results.json").is_file():
        results = read_results(out)
        if not isinstance(results.get("contrasts"), list):
            raise UsageError(f"{out / 'results.json'} has no contrasts; run the study again, or give another --out")
        measured: list[dict[str, Any]] = [
            one["variance"] for one in results["contrasts"] if one["planned"] and len(one["seeds"]) > 1
        ]
        if measured:
            found = {name: median(one[name] for one in measured) for name in ("mazes", "both")}
            return Components(seeds=measured[0]["pooled"], **found), f"measured in {out}"
    better = "name with --out the folder of a finished study of several seeds, or set `variance` in the study file"
    return ASSUMED, f"those of the demo; to use measured ones, {better}"


def power_lines(plan: PowerPlan) -> list[str]:
    """The plan as lines of text."""
    variance = ", ".join(f"{name} {value:.2g}" for name, value in plan["variance"].items())
    lines = [
        f"Variances of a difference between two models: {variance} ({plan['source']}).",
        f"The smallest difference, in points, that {100 * POWER:.0f} % of studies would show, of {plan['contrasts']} "
        "planned contrasts:",
        "",
        "".join(f"{cell:>12}" for cell in ("", *(f"{int(mazes):,} mazes" for mazes in MAZES))),
    ]
    for seeds, row in plan["smallest"].items():
        cells = [f"{seeds} seeds", *("-" if value is None else f"{100 * value:.1f}" for value in row.values())]
        lines.append("".join(f"{cell:>12}" for cell in cells))
    lines.append("")
    for effect, by_seeds in plan["needed"].items():
        enough = [f"{seeds} seeds and {mazes:,} mazes" for seeds, mazes in by_seeds.items() if mazes is not None]
        lines.append(f"{effect} points: " + ("; ".join(enough) if enough else "more seeds or mazes than these"))
    return lines
