"""agreement.json as types."""

from typing import TypedDict


class Share(TypedDict):
    """How many of some answers; `share` and `ci` are None where there are none."""

    n: int
    hits: int
    share: float | None
    ci: list[float] | None


class Side(Share):
    """Answers for the left side; `p` of the exact two-sided binomial test against one half."""

    p: float | None


class Person(TypedDict):
    """One annotator.

    Attributes:
        gold: gold questions answered rightly.
        same: repeated questions answered as before.
        left: decided answers for the left side.
        seconds: median of an answer.
        careless: whether so few gold questions are right that they cannot have looked: below nine in ten, p < 0.05.
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
        score_ci: 95 %, by bootstrap over the mazes.
        wins: comparisons won, ties counted as half; `comparisons` are all.
    """

    model: str
    score: float
    score_ci: list[float]
    wins: float
    comparisons: int


class Agreement(TypedDict):
    """What `ascii-maze agreement` writes as agreement.json.

    Attributes:
        answers: that count, gold ones and repetitions left out; `ties` and `neither` are among them.
        alpha: Krippendorff's, nominal of comparisons and ordinal of ratings; 1 is perfect agreement and 0 chance. None
            where no two people answered the same question, or all said the same.
        alpha_questions: that two people or more answered.
        seconds: quartiles of an answer's time.
        truth: of decided pairs whose paths differ in true quality, those decided for the better one.
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
