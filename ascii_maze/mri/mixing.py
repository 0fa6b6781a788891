"""Interpolation between two adapters: validity along the line from one update to the other, and of the two merged.

If the loss does not rise along the line, the two are linearly connected, in one basin, and their average works
(Frankle et al., 2020; Wortsman et al., 2022). The middle of the line is their average. TIES (Yadav et al., 2023) keeps
the largest entries of each update, and of these the ones whose sign prevails.

Updates are mixed, and not their factors: with weights of a half, `linear` of PEFT's `add_weighted_adapter` turns an
adapter and itself into twice that adapter, and `ties` into half of it. So lines use `cat`, and TIES is `ties_svd` with
weights of 1, which averages over the kept entries.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from ..errors import AsciiMazeError, one_line
from ..terminal import OnProgress
from . import patching
from .answering import Answers, can_go_on
from .causes import valid_share
from .intervals import mean_intervals
from .models import Models
from .odds import asked_moves, score
from .positions import TokenisedWalk
from .reading import read_walks
from .schema.weights import Alignment, Mixed, Mixture

POINTS = 9
# The share of entries that TIES keeps, as in the paper.
DENSITY = 0.2
# Most pairs that are mixed.
PAIRS = 3
MIXED = "+mixed"  # a name that no adapter of a report can have


@contextmanager
def mixed(models: Models, weights: Mapping[str, float], ties: float | None = None) -> Iterator[str]:
    """Within the block there is an adapter whose update is the sum or the merge of others' updates.

    Args:
        weights: adapter -> the factor of its update; one adapter or more.
        ties: the share of entries that TIES keeps; None adds the updates up. Merged updates are truncated to the sum
            of the ranks.

    Yields:
        Its name.

    Raises:
        AsciiMazeError: an adapter is more than a product of two factors (DoRA, whole modules).
    """
    import torch
    from peft.tuners.lora import LoraLayer

    configs = [models.model.peft_config[name] for name in weights]
    if any(config.use_dora for config in configs):
        raise AsciiMazeError("adapters with DoRA have a magnitude besides their update, and are not mixed")
    how: dict = {"combination_type": "cat"}
    if ties is not None:
        rank = sum(config.r for config in configs)
        how = {"combination_type": "ties_svd", "density": ties, "svd_rank": rank, "svd_full_matrices": False}
    with torch.random.fork_rng(devices=[]), torch.no_grad():  # PEFT fills it with random numbers first
        try:
            models.model.add_weighted_adapter(list(weights), list(weights.values()), MIXED, **how)
        except ValueError as error:  # of two adapters that hold whole modules, say
            raise AsciiMazeError(f"PEFT does not mix these adapters: {one_line(error)}") from error
    try:
        for module in models.model.modules():
            if isinstance(module, LoraLayer) and MIXED in module.scaling:
                module.scaling[MIXED] = 1.0  # as PEFT's is, except for rank-stabilised adapters
        yield MIXED
    finally:
        models.switch(next(iter(weights)))  # PEFT warns of an active adapter that is deleted
        models.model.delete_adapter(MIXED)


def mix_adapters(
    models: Models,
    cosines: Sequence[Alignment],
    names: Sequence[str],
    rows: Sequence[dict],
    walks: Sequence[TokenisedWalk],
    decisions: np.ndarray,
    seed: int,
    on_progress: OnProgress,
) -> tuple[list[Mixture], dict[str, str]]:
    """Mixtures of the pairs of adapters with the lowest cosines, at most `PAIRS` of them.

    Args:
        cosines: of `weights.align`; those of zero updates are left out.
        names: of the adapters that may be mixed.
        rows: of the mazes; `walks` are theirs.
        decisions: bool (moves,), where the walker has a choice.
        seed: of the resampled mazes.

    Returns:
        Those of each pair; and {what is missing: why}.
    """
    known = {(one["a"], one["b"]): one["whole"] for one in cosines if one["whole"] is not None}
    pairs = sorted((pair for pair in itertools.combinations(names, 2) if pair in known), key=lambda pair: known[pair])
    asked, found = asked_moves(walks, decisions), []
    try:
        for done, (a, b) in enumerate(pairs[:PAIRS], 1):
            found.append(mix_two(models, a, b, rows, walks, asked, seed))
            on_progress("mixtures", done, len(pairs[:PAIRS]))
    except AsciiMazeError as error:
        return [], {"mixtures of adapters": str(error)}
    return found, {}


def mix_two(
    models: Models,
    a: str,
    b: str,
    rows: Sequence[dict],
    walks: Sequence[TokenisedWalk],
    asked: Sequence[np.ndarray],
    seed: int,
) -> Mixture:
    """`POINTS` mixtures of two adapters, from the first to the second, and the two merged by TIES."""

    def answer(weights: Mapping[str, float], ties: float | None = None) -> tuple[Mixed, np.ndarray]:
        with mixed(models, weights, ties) as name:
            models.switch(name)
            odds, right = _read_and_answer(models, rows, walks, asked)
        return {
            **valid_share(right),
            "log_odds": float(odds.mean()),
            "log_odds_ci": mean_intervals(odds[None], seed)[0],
        }, odds

    parts = np.linspace(0, 1, POINTS)
    points = [answer({a: 1 - part, b: part}) for part in parts]
    table = np.array([odds for _, odds in points])
    below = (1 - parts[:, None]) * table[0] + parts[:, None] * table[-1] - table
    deepest = int(below.mean(axis=1).argmax())
    return Mixture(
        a=a,
        b=b,
        parts=parts.tolist(),
        line=[point for point, _ in points],
        barrier=float(below[deepest].mean()),
        barrier_ci=mean_intervals(below[deepest][None], seed)[0],
        ties=answer({a: 1.0, b: 1.0}, DENSITY)[0],
        mazes=len(rows),
    )


def _read_and_answer(
    models: Models, rows: Sequence[dict], walks: Sequence[TokenisedWalk], asked: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The active model's log odds on each walk, float64 (walks,), and whether its answers are valid, bool (walks,)."""
    prefix, read = read_walks(models, walks, keep=can_go_on(models, rows, walks))
    answers, odds = Answers(models, rows, prefix), np.zeros(len(walks))
    for batch in read:
        answers.add(batch)
        odds[batch.chosen] = score(models, batch, asked)
    return odds, patching.solved(rows, answers.finish())
