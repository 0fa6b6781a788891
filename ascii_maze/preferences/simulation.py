"""Annotators that are not people, for tests and for planning: a known utility, noise, a position bias, carelessness.

They answer through the same collector as people do, and every row says that it is simulated. What was planted in them
must come back from `agreement`: the order of the models, the bias, how well they agree, and who was careless.
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

# A number for an answer to a question: the larger, the better.
Utility = Callable[[Question, Answer], float]


class Annotator(NamedTuple):
    """Someone simulated.

    Attributes:
        noise: scale of a logistic error added to every difference of utilities, Bradley and Terry's model for 1.
        bias: what the left side is worth to them, on the scale of the utility.
        careless: share of the answers that are given without a look, 0-1.
        indifferent: where the chances of both sides differ by less, they call it a tie.
    """

    name: str
    noise: float = 1.0
    bias: float = 0.0
    careless: float = 0.0
    indifferent: float = 0.0

    def left_chance(self, left: float, right: float) -> float:
        """How likely they are to prefer the left one of two utilities."""
        margin = (left - right + self.bias) / self.noise
        looked = 1 / (1 + math.exp(-max(-50.0, min(50.0, margin))))
        return self.careless / 2 + (1 - self.careless) * looked


def quality(question: Question, answer: Answer) -> float:
    """The utility of an answer by its true score: arriving counts most, then a short path, then how far it got."""
    return utility_of(score_path(read_maze(question.maze), answer.completion))


def utility_of(score: PathScore) -> float:
    """As `quality`, of a score; 4 for a shortest path, 0 for no path at all."""
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
    """Have simulated annotators answer a collection in turns until nothing is left, or `most` answers are there.

    Returns:
        How many answers they gave.
    """
    generators = [np.random.default_rng(drawn(seed, "simulated", one.name)) for one in people]
    places = [collector.place(one.name) for one in people]
    fresh = sum(place.left for place in places)  # beside which come gold questions and repetitions
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
    """The side that someone prefers."""
    left, right = (utility(turn.question, turn.question.answers[k]) for k in (turn.left, 1 - turn.left))
    chance = one.left_chance(left, right)
    if abs(2 * chance - 1) < one.indifferent:
        return "tie"
    return "left" if generator.random() < chance else "right"


def rating_of(one: Annotator, turn: Turn, utility: Utility, generator: np.random.Generator) -> str:
    """The rating that someone gives: the utility and their error, rounded."""
    if generator.random() < one.careless:
        return str(generator.integers(LOWEST, HIGHEST + 1))
    felt = LOWEST + utility(turn.question, turn.question.answers[0]) + generator.logistic(0, one.noise)
    return str(int(min(HIGHEST, max(LOWEST, round(felt)))))
