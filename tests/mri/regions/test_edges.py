import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from ascii_maze.mri.regions.edges import (
    agreements,
    compare_models,
    compare_sets,
    count_cells,
    find_edges,
    find_regions,
    rank_correlations,
    split_halves,
)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_correlations_and_p_values_are_scipys_also_with_ties(seed, values):
    rng = np.random.default_rng(seed)
    one, two = rng.integers(0, values, (2, 30, 3)).astype(float)
    rho, p = rank_correlations([one, two])
    for a in range(3):
        for b in range(3):
            expected = spearmanr(one[:, a], two[:, b])
            assert rho[0, a, b] == pytest.approx(expected.statistic, abs=1e-12)
            assert p[0, a, b] == pytest.approx(expected.pvalue, abs=1e-9)


def test_a_constant_component_has_no_edge():
    rng = np.random.default_rng(0)
    one = np.column_stack([np.ones(50), rng.normal(size=50)])
    rho, p = rank_correlations([one, one])
    assert rho[0].tolist() == [[0, 0], [0, pytest.approx(1)]]
    assert p[0, 0].tolist() == [1, 1]
    assert np.argwhere(find_edges([one, one], threshold=0.0, alpha=0.05)).tolist() == [[0, 1, 1]]


def test_an_edge_leads_from_the_layer_before_and_keeps_its_sign():
    x = np.random.default_rng(1).normal(size=(60, 2))
    after = np.column_stack([np.random.default_rng(2).normal(size=60), -x[:, 0]])
    weights = find_edges([x, after], threshold=0.3, alpha=0.05)
    assert np.argwhere(weights).tolist() == [[0, 0, 1]]
    assert weights[0, 0, 1] == pytest.approx(-1)


@given(st.integers(0, 2**32 - 1), st.lists(st.sampled_from([-1.0, 1.0]), min_size=4, max_size=4))
def test_turning_a_component_round_turns_signs_and_nothing_else(seed, signs):
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(80, 4))
    layers = [causes + rng.normal(size=(80, 4)) for _ in range(3)]
    turned = [layers[0], layers[1] * signs, layers[2]]
    one, two = (find_edges(some, threshold=0.3, alpha=0.05) for some in (layers, turned))
    np.testing.assert_allclose(one[0] * signs, two[0], atol=1e-12)
    np.testing.assert_allclose(one[1] * np.array(signs)[:, None], two[1], atol=1e-12)


def test_what_is_gained_lost_and_kept_by_layer():
    before = np.array([[[0.5, 0.0], [-0.4, 0.9]], [[0.0, 0.0], [0.0, 0.6]]])
    after = np.array([[[0.9, 0.3], [0.4, 0.9]], [[0.0, 0.0], [0.0, 0.0]]])
    assert compare_sets(before, after) == {
        "gained": 2,  # one is new, one has turned its sign
        "lost": 2,
        "kept": 2,
        "by_layer": {"gained": [2, 0], "lost": [1, 1], "kept": [2, 0]},
    }
    assert agreements(before, after).tolist() == [2 / 6, 2 / 5, 0.0]


def test_empty_sets_agree():
    np.testing.assert_array_equal(agreements(np.zeros((2, 3)), np.zeros((2, 3))), [1.0, np.nan, np.nan])


def test_regions_hold_a_share_of_the_prompts():
    cells = np.array([[0] * 97 + [1, 1, 2], [3] * 100])
    assert count_cells(cells, 4).tolist() == [[97, 2, 1, 0], [0, 0, 0, 100]]
    assert find_regions(cells, 4, share=0.02).tolist() == [[1, 1, 0, 0], [0, 0, 0, 1]]
    assert find_regions(cells, 4, share=0.0).tolist() == [[1, 1, 1, 0], [0, 0, 0, 1]]


def test_halves_are_whole_and_repeatable_and_keep_groups_together():
    groups = np.repeat(np.arange(10), 3)
    halves = split_halves(groups, 4, [0, 1])
    assert len(halves) == 4
    for one, two in halves:
        assert sorted([*one, *two]) == list(range(30))
        assert len(one) == 15
        assert not set(groups[one]) & set(groups[two])
    assert not all(np.array_equal(halves[0][0], other[0]) for other in halves[1:])
    for some, others in zip(halves, split_halves(groups, 4, [0, 1])):
        np.testing.assert_array_equal(some[0], others[0])


def test_noise_floor_and_across_halves_are_the_same_for_the_same_model():
    states = np.random.default_rng(3).normal(size=(2, 100, 3))
    states[1, :, 0] += states[0, :, 0]
    other = states + np.random.default_rng(4).normal(size=states.shape)
    data = {"base": states, "copy": states, "other": other}
    table = compare_models(
        lambda model, rows: find_edges(list(data[model][:, rows]), 0.2, 0.05),
        list(data),
        np.arange(100),
        split_halves(np.arange(100), 5, [0]),
    )
    copy = table["copy"]
    assert (copy["gained"], copy["lost"], copy["agreement"]) == (0, 0, 1.0)
    assert copy["across_halves"] == pytest.approx(copy["noise_floor"])
    assert copy["noise_floor"] == table["other"]["noise_floor"]
    assert copy["noise_range"][0] <= copy["noise_floor"] <= copy["noise_range"][1]
    assert set(table) == {"copy", "other"}
