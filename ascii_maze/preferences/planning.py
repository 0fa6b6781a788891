"""How many pairs and annotators it takes to tell a preference from chance.

The test is that of a binomial proportion, exact and two-sided. Several people who are asked about the same pair do not
count as that many pairs: their answers are correlated by what there is to see, and `n` pairs asked of `m` people are
worth `n * m / (1 + (m - 1) * agreement)` answers to as many pairs (the design effect; Kish, Survey Sampling, 1965).
"""

import math
from typing import TypedDict

PREFERENCES = (0.55, 0.6, 0.65, 0.7, 0.8)
ANNOTATORS = (1, 2, 3, 5)
LEVEL, POWER = 0.05, 0.8


class Plan(TypedDict):
    """What a collection needs to see one preference.

    Attributes:
        preference: share of answers for the preferred one, 0-1.
        annotators: people asked about each pair.
        pairs: to ask about.
        answers: in all.
        hours: of all people together.
    """

    preference: float
    annotators: int
    pairs: int
    answers: int
    hours: float


def power_of(count: int, preference: float, level: float = LEVEL) -> float:
    """How often an exact two-sided binomial test of `count` independent answers rejects chance, 0-1."""
    from scipy.stats import binom

    # The largest tail that is rejected on either side.
    least = int(binom.ppf(level / 2, count, 0.5))
    while least >= 0 and 2 * binom.cdf(least, count, 0.5) > level:
        least -= 1
    if least < 0:
        return 0.0
    return float(binom.cdf(least, count, preference) + binom.sf(count - least - 1, count, preference))


def answers_needed(preference: float, power: float = POWER, level: float = LEVEL) -> int:
    """The fewest independent answers from which on the test has this power, whatever more are added.

    Raises:
        ValueError: a preference of one half, which no number tells from chance.
    """
    distance = abs(preference - 0.5)
    if not 0 < distance <= 0.5:
        raise ValueError(f"a preference of {preference} cannot be told from chance")
    # The normal approximation is near; the exact power saws around it.
    guess = math.ceil(((1.96 * 0.5 + 0.85 * math.sqrt(preference * (1 - preference))) / distance) ** 2)
    enough = max(2 * guess, 30)
    while enough > 1 and power_of(enough - 1, preference, level) >= power:
        enough -= 1
    return enough


def plan(agreement: float = 0.4, seconds: float = 8.0) -> list[Plan]:
    """What each preference needs, for one annotator a pair and for several.

    Args:
        agreement: how strongly the answers of two people to the same pair are correlated, 0-1.
        seconds: that an answer takes.
    """
    plans: list[Plan] = []
    for preference in PREFERENCES:
        alone = answers_needed(preference)
        for people in ANNOTATORS:
            pairs = math.ceil(alone * (1 + (people - 1) * agreement) / people)
            answers = pairs * people
            plans.append(
                Plan(
                    preference=preference,
                    annotators=people,
                    pairs=pairs,
                    answers=answers,
                    hours=answers * seconds / 3600,
                )
            )
    return plans
