"""The types of agreement.json."""

from typing import TypedDict


class Share(TypedDict):
    """A share of some answers; `share` and `ci` are None if there are none."""

    n: int
    hits: int
    share: float | None
    ci: list[float] | None


class Side(Share):
    """The share of answers for the left side; `p` is of the exact two-sided binomial test against one half."""

    p: float | None


class Person(TypedDict):
    """One annotator.

    Attributes:
        gold: gold questions answered correctly.
        same: repeated questions answered as before.
        left: decided answers for the left side.
        seconds: median time of an answer.
        careless: whether significantly fewer than nine in ten gold questions are right, p < 0.05.
    """

    name: str
    answers: int
    gold: Share
    same: Share
    left: Side
    seconds: float | None
    careless: bool
    simulated: bool


class Strength(TypedDict):
    """One model's strength.

    Attributes:
        score: log odds against a model of mean strength; they sum to 0.
        score_ci: 95 % interval, by bootstrap over the mazes.
        wins: comparisons won, ties counted as half, out of `comparisons`.
    """

    model: str
    score: float
    score_ci: list[float]
    wins: float
    comparisons: int


class Agreement(TypedDict):
    """The content of agreement.json, which `ascii-maze agreement` writes.

    Attributes:
        answers: number without gold questions and repetitions; includes `ties` and `neither`.
        alpha: Krippendorff's, nominal for comparisons and ordinal for ratings; 1 is perfect agreement and 0 chance.
            None if no two people answered the same question, or all answers are equal.
        alpha_questions: number answered by two people or more.
        seconds: quartiles of the time per answer.
        truth: decided pairs in favour of the truly better path, among those whose paths differ in quality.
        digest: of collection and answers.
    """

    source: str
    mode: str
    questions: int
    answers: int
    ties: int
    neither: int
    undone: int
    withdrawn: int
    simulated: int
    people: list[Person]
    alpha: float | None
    alpha_ci: list[float] | None
    alpha_questions: int
    gold: Share
    same: Share
    left: Side
    seconds: list[float] | None
    models: list[Strength]
    truth: Share
    digest: str
