"""The contrasts of a study: which two models are compared, on which outcome, and the result.

Planned contrasts (`pairs.planned_pairs`) are tested on one outcome and one split, and corrected for their number. All
others are marked exploratory: their p values are uncorrected, and nothing is claimed from them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import AsciiMazeError
from ..evaluation.crossed import LEVEL, Design, estimates, holm, pairs_in_effect
from ..evaluation.schema import Rate
from .schema import Contrast, Verdict

PRIMARY: Rate = "optimal"
OUTCOMES: tuple[Rate, ...] = (PRIMARY, "valid")

# Model -> seed -> the outcome on each maze, 0-1, float (mazes,).
Answers = Mapping[str, Mapping[int, np.ndarray]]
# (split, outcome) -> answers.
Outcomes = dict[tuple[str, Rate], dict[str, dict[int, np.ndarray]]]


def read_outcomes(predictions: Mapping[int, Path], splits: Sequence[str]) -> Outcomes:
    """Every model's outcome on every maze, from predictions.parquet; several samples are averaged.

    Args:
        predictions: seed -> the file.

    Raises:
        AsciiMazeError: the seeds were asked different mazes.
    """
    import pyarrow.parquet

    found: Outcomes = {(split, outcome): {} for split in splits for outcome in OUTCOMES}
    asked: dict[str, list[str]] = {}
    for seed, path in predictions.items():
        rows = pyarrow.parquet.read_table(path, columns=["id", "model", "split", "sample", *OUTCOMES]).to_pandas()
        samples = int(rows["sample"].max()) + 1
        for (name, split), of_model in rows.groupby(["model", "split"], sort=False):
            if asked.setdefault(split, of_model["id"].tolist()) != of_model["id"].tolist():
                raise AsciiMazeError(f"{path}: not the mazes of the other seeds; run the evaluations again")
            for outcome in OUTCOMES:
                values = of_model[outcome].to_numpy(dtype=float).reshape(-1, samples).mean(axis=1)
                found[split, outcome].setdefault(str(name), {})[seed] = values
    return found


def study_contrasts(outcomes: Outcomes, pairs: Sequence[tuple[str, str]], splits: Sequence[str], margin: float):
    """The planned contrasts, and the same pairs on the other splits and outcomes, in that order."""
    contrasts: list[Contrast] = []
    for split in splits:
        for outcome in OUTCOMES:
            planned = (split, outcome) == (splits[0], PRIMARY)
            contrasts += compare(outcomes[split, outcome], pairs, split, outcome, planned, margin)
    return sorted(contrasts, key=lambda contrast: not contrast["planned"])


def compare(
    answers: Answers,
    pairs: Sequence[tuple[str, str]],
    split: str,
    outcome: Rate,
    planned: bool,
    margin: float,
    foresee: bool = True,
) -> list[Contrast]:
    """Contrasts of pairs on one split and outcome; a pair without a seed or without two mazes in common is left out.

    Args:
        margin: two models whose rates differ by less, 0-1, are equivalent.
        foresee: whether to simulate the smallest effect that the design could show, which takes most of the time.
    """
    differences: dict[tuple[str, str], tuple[list[int], np.ndarray]] = {}
    for a, b in pairs:
        seeds = [seed for seed in answers.get(a, {}) if seed in answers.get(b, {})]
        if seeds and len(answers[a][seeds[0]]) > 1:
            differences[a, b] = seeds, np.stack([answers[a][seed] - answers[b][seed] for seed in seeds])
    found = estimates([values for _, values in differences.values()], list(differences)) if differences else []
    missing = [1.0] * (len(pairs) - len(found))  # the number planned, including those whose runs have failed
    p_holm = holm([one.shared.p() for one in found] + missing)
    p_equivalent_holm = holm([one.shared.p_equivalent(margin) for one in found] + missing)
    tests, of_pairs = len(pairs) if planned else 1, pairs_in_effect(list(differences)) if differences else 1.0
    contrasts: list[Contrast] = []
    for place, ((a, b), (seeds, values)) in enumerate(differences.items()):
        one, smallest = found[place], None
        if foresee:
            # Two seeds may agree by chance, so the design is judged with the larger of both variances.
            likely = one.components._replace(seeds=max(one.components.seeds, one.pooled))
            smallest = Design(likely, one.pooled, len(seeds), values.shape[1], tests, of_pairs).smallest()
        contrasts.append(
            {
                "a": a,
                "b": b,
                "split": split,
                "outcome": outcome,
                "planned": planned,
                "seeds": seeds,
                "mazes": values.shape[1],
                "difference": one.own.difference,
                "ci": one.interval(),
                "ci90": one.interval(2 * LEVEL),
                "p": max(one.own.p(), one.shared.p()),
                "p_holm": max(one.own.p(), p_holm[place]) if planned else None,
                "p_equivalent": max(one.own.p_equivalent(margin), one.shared.p_equivalent(margin)),
                "p_equivalent_holm": max(one.own.p_equivalent(margin), p_equivalent_holm[place]) if planned else None,
                "smallest": smallest,
                "variance": {**one.components._asdict(), "pooled": one.pooled},
                "verdict": "exploratory",
            }
        )
        contrasts[-1]["verdict"] = verdict(contrasts[-1])
    return contrasts


def verdict(contrast: Contrast) -> Verdict:
    """The verdict on a planned contrast; a difference may still be within the margin, see `is_within_margin`."""
    if contrast["p_holm"] is None:
        return "exploratory"
    if contrast["p_holm"] < LEVEL:
        return "more" if contrast["difference"] > 0 else "fewer"
    return "equivalent" if is_within_margin(contrast) else "not shown"


def is_within_margin(contrast: Contrast) -> bool:
    """Whether a planned contrast shows that the true difference is smaller than the study's margin."""
    return contrast["p_equivalent_holm"] is not None and contrast["p_equivalent_holm"] < LEVEL
