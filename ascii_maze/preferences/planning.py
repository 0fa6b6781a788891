"""The number of pairs and annotators needed to tell a preference from chance.

The test is the exact two-sided test of a binomial proportion. Several answers to the same pair are correlated, so they
count for less than answers to as many pairs: `n` pairs with `m` answers each are worth
`n * m / (1 + (m - 1) * agreement)` independent answers (the design effect; Kish, Survey Sampling, 1965).
"""

import math
from typing import TypedDict

PREFERENCES = (0.55, 0.6, 0.65, 0.7, 0.8)
ANNOTATORS = (1, 2, 3, 5)
LEVEL, POWER = 0.05, 0.8


class Plan(TypedDict):
    """The size of a collection that detects a preference.

    Attributes:
        preference: share of answers for the preferred one, 0-1.
        annotators: people asked about each pair.
        pairs: number of pairs.
        answers: number of answers in total.
        hours: total time of all people.
    """

    preference: float
    annotators: int
    pairs: int
    answers: int
    hours: float


def power_of(count: int, preference: float, level: float = LEVEL) -> float:
    """The probability, 0-1, that an exact two-sided binomial test of `count` independent answers rejects chance."""
    from scipy.stats import binom

    # The bound of the rejection region on either side.
    least = int(binom.ppf(level / 2, count, 0.5))
    while least >= 0 and 2 * binom.cdf(least, count, 0.5) > level:
        least -= 1
    if least < 0:
        return 0.0
    return float(binom.cdf(least, count, preference) + binom.sf(count - least - 1, count, preference))


def answers_needed(preference: float, power: float = POWER, level: float = LEVEL) -> int:
    """The fewest independent answers such that the test has this power for that many and for any more.

    Raises:
        ValueError: a preference of one half, which cannot be told from chance.
    """
    distance = abs(preference - 0.5)
    if not 0 < distance <= 0.5:
        raise ValueError(f"a preference of {preference} cannot be told from chance")
    # The normal approximation is close; the exact power oscillates around it.
    guess = math.ceil(((1.96 * 0.5 + 0.85 * math.sqrt(preference * (1 - preference))) / distance) ** 2)
    enough = max(2 * guess, 30)
    while enough > 1 and power_of(enough - 1, preference, level) >= power:
        enough -= 1
    return enough


def plan(agreement: float = 0.4, seconds: float = 8.0) -> list[Plan]:
    """The plan for each preference, for one annotator per pair and for several.

    Args:
        agreement: correlation of two people's answers to the same pair, 0-1.
        seconds: time per answer.
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
