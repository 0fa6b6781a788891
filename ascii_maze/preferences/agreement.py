"""Statistics of people's answers and their reliability.

Intervals are at 95 %: Wilson's for shares, by bootstrap over the questions for Krippendorff's alpha. Gold questions
and repetitions are excluded from all figures but their own.

Papers: Krippendorff, Content Analysis, 2004; Kreutzer et al., "Reliability and learnability of human bandit feedback
for sequence-to-sequence reinforcement learning", ACL 2018, on ratings versus pairs, and on self-agreement.
"""

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from dataset_builder.on_policy import quality

from ..evaluation.statistics import wilson
from ..metrics.path_validity.scoring import read_maze, score_path
from .collection import Collection
from .journal import Event
from .judgements import Decided, Judgement, decided, judge
from .schema import Agreement, Person, Share, Side
from .strength import Comparison, strengths

RESAMPLES = 1_000
# The least share of gold questions that an attentive annotator answers right, and the test level for carelessness.
LOOKING, LEVEL = 0.9, 0.05


def agree(collection: Collection, events: Sequence[Event]) -> Agreement:
    """All figures of a collection's answers.

    Raises:
        UsageError: an answer is to no question of the collection.
    """
    judgements = judge(collection, events)
    counted = [one for one in judgements if one.counted]
    pairs = decided(collection, judgements)
    alpha, interval, units = krippendorff_alpha(collection, counted)
    times = [one.event.seconds for one in judgements if one.event.seconds is not None]
    people = sorted({one.event.annotator for one in judgements})
    return {
        "source": collection.source,
        "mode": collection.mode,
        "questions": len(collection.questions),
        "answers": len(counted),
        "ties": sum(one.event.choice == "tie" for one in counted),
        "neither": sum(one.event.choice == "neither" for one in counted),
        "undone": sum(event.event == "undo" for event in events),
        "withdrawn": sum(event.event == "withdrawn" for event in events),
        "simulated": sum(one.event.simulated for one in judgements),
        "people": [person(name, [one for one in judgements if one.event.annotator == name]) for name in people],
        "alpha": alpha,
        "alpha_ci": interval,
        "alpha_questions": units,
        "gold": gold_share(judgements),
        "same": self_agreement(judgements),
        "left": left_share(counted),
        "seconds": [float(q) for q in np.percentile(times, [25, 50, 75])] if times else None,
        "models": strengths(comparisons(collection, counted, pairs)),
        "truth": truth_share(pairs),
        "digest": digest_of(collection, events),
    }


def digest_of(collection: Collection, events: Sequence[Event]) -> str:
    """A digest that is equal if the same people gave the same answers to the same questions."""
    lines = json.dumps([collection.digest, *events])
    return hashlib.blake2b(lines.encode(), digest_size=8).hexdigest()


def person(name: str, judgements: Sequence[Judgement]) -> Person:
    """The figures of one annotator."""
    times = [one.event.seconds for one in judgements if one.event.seconds is not None]
    gold = gold_share(judgements)
    return {
        "name": name,
        "answers": len(judgements),
        "gold": gold,
        "same": self_agreement(judgements),
        "left": left_share([one for one in judgements if one.counted]),
        "seconds": float(np.median(times)) if times else None,
        "careless": is_careless(gold),
        "simulated": any(one.event.simulated for one in judgements),
    }


def share(outcomes: Sequence[bool]) -> Share:
    """A share with its interval."""
    if not outcomes:
        return {"n": 0, "hits": 0, "share": None, "ci": None}
    hits, rate = sum(outcomes), sum(outcomes) / len(outcomes)
    return {"n": len(outcomes), "hits": hits, "share": rate, "ci": wilson(rate, len(outcomes))}


def gold_share(judgements: Sequence[Judgement]) -> Share:
    """The share of gold questions answered correctly; a tie, or no answer, is wrong."""
    return share([bool(one.right) for one in judgements if one.question.gold])


def is_careless(gold: Share) -> bool:
    """Whether significantly fewer than nine in ten gold questions are right; False below two questions."""
    from scipy.stats import binom

    return bool(gold["n"] and binom.cdf(gold["hits"], gold["n"], LOOKING) < LEVEL)


def self_agreement(judgements: Sequence[Judgement]) -> Share:
    """The share of repeated questions that were answered as the first time."""
    first: dict[tuple[str, str], str | None] = {}
    same = []
    for event, _ in judgements:
        key = (event.annotator, event.question)
        if event.repeat and key in first:
            same.append(event.choice == first[key])
        first.setdefault(key, event.choice)
    return share(same)


def left_share(judgements: Sequence[Judgement]) -> Side:
    """The share of answers for the left side. Sides are random, so without a bias it is one half."""
    from scipy.stats import binomtest

    sides = [side for one in judgements if (side := one.took_left) is not None]
    return {**share(sides), "p": float(binomtest(sum(sides), len(sides)).pvalue) if sides else None}


def truth_share(pairs: Sequence[Decided]) -> Share:
    """The share of decided pairs that agree with the true scores of the paths, among those with different scores."""
    right = []
    for question, _, chosen, rejected in pairs:
        maze = read_maze(question.maze)
        better, worse = (quality(score_path(maze, answer.completion)) for answer in (chosen, rejected))
        if better != worse:
            right.append(better > worse)
    return share(right)


def comparisons(collection: Collection, counted: Sequence[Judgement], pairs: Sequence[Decided]) -> list[Comparison]:
    """Decided pairs as wins, and ties."""
    found = [Comparison(chosen.model, rejected.model, 1.0, question.maze) for question, _, chosen, rejected in pairs]
    if collection.mode == "compare":
        ties = [one.question for one in counted if one.event.choice == "tie"]
        found += [Comparison(one.answers[0].model, one.answers[1].model, 0.5, one.maze) for one in ties]
    return found


def krippendorff_alpha(
    collection: Collection, counted: Sequence[Judgement], seed: int = 0
) -> tuple[float | None, list[float] | None, int]:
    """Krippendorff's alpha, its interval by bootstrap over the questions, and the number of questions used.

    `neither` is not a value. The first answer of a pair is random, so chance agreement is one half.
    """
    domain = ("1", "2", "3", "4", "5") if collection.mode == "rate" else ("first", "second", "tie")
    by_question: dict[str, np.ndarray] = {}
    for event, _ in counted:
        if event.choice in domain:
            by_question.setdefault(event.question, np.zeros(len(domain), int))[domain.index(event.choice)] += 1
    several = [counts for counts in by_question.values() if counts.sum() > 1]
    if not several:
        return None, None, 0
    table, level = np.stack(several), "ordinal" if collection.mode == "rate" else "nominal"
    alpha = _alpha(table, level)
    generator = np.random.default_rng(seed)
    found = [_alpha(table[generator.integers(len(table), size=len(table))], level) for _ in range(RESAMPLES)]
    drawn = [value for value in found if value is not None]
    # Alpha is undefined for resamples with a single value; an interval of the others would be too narrow.
    interval = [float(q) for q in np.percentile(drawn, [2.5, 97.5])] if len(drawn) == RESAMPLES else None
    return alpha, interval if alpha is not None else None, len(table)


def _alpha(table: np.ndarray, level: str) -> float | None:
    import krippendorff

    if (table.sum(axis=0) > 0).sum() < 2:
        return None
    domain = np.arange(table.shape[1])
    return float(krippendorff.alpha(value_counts=table, value_domain=domain, level_of_measurement=level))
