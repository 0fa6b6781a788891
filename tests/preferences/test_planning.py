import numpy as np
import pytest
from scipy.stats import binomtest

from ascii_maze.preferences.planning import POWER, answers_needed, plan, power_of


def test_the_power_is_that_of_the_exact_test():
    # By summing over all outcomes, without the shortcut through the tails.
    from scipy.stats import binom

    for count in (5, 6, 20, 33):
        rejected = [k for k in range(count + 1) if binomtest(k, count).pvalue <= 0.05]
        assert power_of(count, 0.7) == pytest.approx(sum(binom.pmf(k, count, 0.7) for k in rejected))
    assert power_of(5, 0.99) == 0.0  # no outcome of five tosses is that rare


def test_a_preference_of_sixty_per_cent_needs_two_hundred_answers():
    needed = answers_needed(0.6)
    assert 190 <= needed <= 210
    assert power_of(needed, 0.6) >= POWER
    assert all(power_of(count, 0.6) >= POWER for count in range(needed, needed + 100))
    assert power_of(needed - 1, 0.6) < POWER
    with pytest.raises(ValueError, match="cannot be told"):
        answers_needed(0.5)


def test_the_plan_holds_for_people_whose_answers_are_correlated():
    """By simulation: pairs whose own preference varies, so that two people agree as often as was assumed."""
    agreement, generator = 0.4, np.random.default_rng(0)
    row = next(row for row in plan(agreement) if (row["preference"], row["annotators"]) == (0.6, 3))
    # The variance of a beta distribution is its share of mean * (1 - mean): the correlation of two answers.
    size = 1 / agreement - 1
    chances = generator.beta(0.6 * size, 0.4 * size, (2_000, row["pairs"]))
    share = generator.binomial(3, chances) / 3
    error = share.std(axis=1, ddof=1) / np.sqrt(row["pairs"])
    found = np.mean(np.abs(share.mean(axis=1) - 0.5) > 1.96 * error)
    assert found == pytest.approx(POWER, abs=0.05)


def test_more_people_on_a_pair_need_fewer_pairs_and_more_answers():
    rows = [row for row in plan() if row["preference"] == 0.6]
    assert [row["pairs"] for row in rows] == sorted((row["pairs"] for row in rows), reverse=True)
    assert [row["answers"] for row in rows] == sorted(row["answers"] for row in rows)
