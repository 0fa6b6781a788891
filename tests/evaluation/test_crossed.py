import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ascii_maze.evaluation.crossed import Components, Design, estimates, holm, mean_squares, pairs_in_effect

PAIRS = [("a", "b"), ("c", "d")]


def drawn(components: Components, seeds: int, mazes: int, rng, mean: float = 0.0) -> np.ndarray:
    """Normal differences with these variances."""
    of_seeds, of_mazes, of_both = (np.sqrt(variance) for variance in components)
    return (
        mean
        + of_seeds * rng.normal(size=(seeds, 1))
        + of_mazes * rng.normal(size=mazes)
        + of_both * rng.normal(size=(seeds, mazes))
    )


def test_with_one_seed_it_is_the_paired_t_test():
    d = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], (1, 200), p=[0.1, 0.7, 0.2])
    (found,) = estimates([d], PAIRS[:1])
    expected = stats.ttest_1samp(d[0], 0)
    assert found.own.p() == pytest.approx(expected.pvalue)
    assert found.own == found.shared
    assert found.interval() == pytest.approx(list(expected.confidence_interval(0.95)))
    assert found.own.p_equivalent(0.2) == pytest.approx(stats.ttest_1samp(d[0], 0.2, alternative="less").pvalue)


def test_mean_squares_are_those_of_a_two_way_analysis_of_variance():
    """Of [[1, 0, 1], [0, 0, 1]] by hand: seed means 2/3 and 1/3, maze means 1/2, 0 and 1, in all 1/2."""
    found = mean_squares(np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]))
    assert found.mean == pytest.approx(0.5)
    assert found.of_seeds == pytest.approx(3 * 2 / 36)
    assert found.of_mazes == pytest.approx(2 * (0 + 1 / 4 + 1 / 4) / 2)
    assert found.of_both == pytest.approx(1 / 6)


def test_variances_are_found_again():
    components, rng = Components(0.01, 0.2, 0.3), np.random.default_rng(0)
    pairs = [(str(number), "x") for number in range(200)]
    found = [one.components for one in estimates([drawn(components, 5, 300, rng) for _ in pairs], pairs)]
    assert np.mean([one.mazes for one in found]) == pytest.approx(0.2, rel=0.05)
    assert np.mean([one.both for one in found]) == pytest.approx(0.3, rel=0.02)
    assert np.mean([one.seeds for one in found]) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("seeds", [2, 5])
def test_intervals_hold_the_truth_also_at_two_seeds_where_a_test_over_mazes_does_not(seeds):
    rng, held, by_mazes, studies = np.random.default_rng(1), 0, 0, 300
    for _ in range(studies):
        d = [drawn(Components(0.006, 0.1, 0.1), seeds, 200, rng, 0.1) for _ in PAIRS]
        low, high = estimates(d, PAIRS)[0].interval()
        held += low <= 0.1 <= high
        by_mazes += abs(stats.ttest_1samp(d[0].mean(axis=0), 0.1).statistic) < 1.96
    assert held / studies > 0.95 - 2.33 * np.sqrt(0.05 * 0.95 / studies)
    assert by_mazes / studies < 0.85


def test_seeds_that_look_alike_by_luck_are_judged_by_the_others():
    rng = np.random.default_rng(0)
    alike = np.tile(rng.choice([0.0, 1.0, -1.0], 300), (2, 1))
    unlike = drawn(Components(0.01, 0.1, 0.2), 2, 300, rng)
    alone, beside = estimates([alike], PAIRS[:1])[0], estimates([alike, unlike], PAIRS)[0]
    assert alone.components.seeds == alone.pooled == 0 < beside.pooled
    assert beside.shared.error > alone.shared.error == alone.own.error == beside.own.error


def test_answers_that_never_differ_prove_less_the_fewer_they_are():
    few, many = (estimates([np.zeros((2, mazes))], PAIRS[:1])[0].own for mazes in (10, 500))
    assert few.p() == many.p() == 1
    assert few.p_equivalent(0.05) > 0.3
    assert many.p_equivalent(0.05) < 0.001


def test_pairs_that_share_a_model_count_for_fewer():
    assert pairs_in_effect([("a", "b"), ("c", "d")]) == pytest.approx(2)
    assert pairs_in_effect([("a", "x"), ("b", "x")]) == pytest.approx(4 / 2.5)  # their correlation is one half
    assert pairs_in_effect([("a", "b"), ("b", "a")]) == pytest.approx(1)


def test_what_a_design_can_show():
    design = Design(Components(0.0002, 0.05, 0.1), 0.0002, 5, 500, tests=9, of_pairs=4)
    assert design.power(0.0) < 0.05 / 9 * 2
    powers = [design.power(effect) for effect in (0.01, 0.03, 0.05, 0.1)]
    assert powers == sorted(powers)
    assert design.power(design.smallest()) == pytest.approx(0.8, abs=0.01)
    assert Design(Components(0.0002, 0.05, 0.1), 0.0002, 10, 500, 9, 4).smallest() < design.smallest()
    assert Design(Components(0.3, 0.3, 0.3), 0.3, 2, 4, 9).smallest() is None
    one = Design(Components(0.0, 0.2, 0.0), 0.0, 1, 400)
    assert one.smallest() == pytest.approx((1.96 + 0.84) * np.sqrt(0.2 / 400), rel=0.05)  # the textbook's, for one t


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    ps = np.random.default_rng(0).random(20) ** 3
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])
    assert holm([]) == []
