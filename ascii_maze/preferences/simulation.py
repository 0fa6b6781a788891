"""Simulated annotators, for tests and planning: a known utility, noise, a position bias, carelessness.

They answer through the same collector as people, and every row is marked as simulated. `agreement` must recover their
known properties: the order of the models, the bias, the agreement, and the careless annotators.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..metrics.path_validity.scoring import PathScore, read_maze, score_path
from ..terminal import OnProgress
from .assignment import Turn
from .collection import Answer, Question, drawn
from .collector import Collector
from .source import HIGHEST, LOWEST

# The utility of an answer to a question; larger is better.
Utility = Callable[[Question, Answer], float]


class Annotator(NamedTuple):
    """A simulated annotator.

    Attributes:
        noise: scale of a logistic error added to every difference of utilities; 1 gives the Bradley-Terry model.
        bias: added utility of the left side.
        careless: share of random answers, 0-1.
        indifferent: the answer is a tie if the probabilities of both sides differ by less.
    """

    name: str
    noise: float = 1.0
    bias: float = 0.0
    careless: float = 0.0
    indifferent: float = 0.0

    def left_chance(self, left: float, right: float) -> float:
        """The probability of preferring the left one of two utilities."""
        margin = (left - right + self.bias) / self.noise
        looked = 1 / (1 + math.exp(-max(-50.0, min(50.0, margin))))
        return self.careless / 2 + (1 - self.careless) * looked


def quality(question: Question, answer: Answer) -> float:
    """The utility of an answer by its true score: first arrival, then a short path, then progress."""
    return utility_of(score_path(read_maze(question.maze), answer.completion))


def utility_of(score: PathScore) -> float:
    """`quality` for a score: 4 for a shortest path, 0 for no path."""
    return 2.0 * score.valid + 1.0 * score.optimal + 0.5 * score.legal_prefix + 0.5 * score.progress


def annotators(count: int, bias: float = 0.0, careless: int = 0) -> list[Annotator]:
    """`count` simulated annotators: all with the same noise and bias, the last ones careless."""
    return [
        Annotator(f"simulated-{number + 1}", 0.5, bias, float(number >= count - careless)) for number in range(count)
    ]


def simulate(
    collector: Collector,
    people: Sequence[Annotator],
    seed: int = 0,
    most: int | None = None,
    utility: Utility = quality,
    on_progress: OnProgress = lambda what, done, total: None,
) -> int:
    """Have simulated annotators answer a collection in turn until no question is left, or `most` answers are given.

    Returns:
        The number of answers given.
    """
    generators = [np.random.default_rng(drawn(seed, "simulated", one.name)) for one in people]
    places = [collector.place(one.name) for one in people]
    fresh = sum(place.left for place in places)  # without gold questions and repetitions
    total = fresh if most is None else min(most, fresh)
    given, active = 0, True
    while active and (most is None or given < most):
        active = False
        for k, (one, generator) in enumerate(zip(people, generators)):
            place = places[k]
            if place.turn is None or (most is not None and given >= most):
                continue
            active, given = True, given + 1
            choose = rating_of if collector.collection.mode == "rate" else choice_of
            choice = choose(one, place.turn, utility, generator)
            seconds = float(generator.lognormal(1.5, 0.5))
            places[k] = collector.answer(one.name, place.number, place.turn.question.id, choice, seconds)
            on_progress("answering", min(given, total), total)
    return given


def choice_of(one: Annotator, turn: Turn, utility: Utility, generator: np.random.Generator) -> str:
    """The side that an annotator prefers."""
    left, right = (utility(turn.question, turn.question.answers[k]) for k in (turn.left, 1 - turn.left))
    chance = one.left_chance(left, right)
    if abs(2 * chance - 1) < one.indifferent:
        return "tie"
    return "left" if generator.random() < chance else "right"


def rating_of(one: Annotator, turn: Turn, utility: Utility, generator: np.random.Generator) -> str:
    """The rating that an annotator gives: the utility plus an error, rounded."""
    if generator.random() < one.careless:
        return str(generator.integers(LOWEST, HIGHEST + 1))
    felt = LOWEST + utility(turn.question, turn.question.answers[0]) + generator.logistic(0, one.noise)
    return str(int(min(HIGHEST, max(LOWEST, round(felt)))))
