import itertools

import numpy as np
import pandas
import pytest

from ascii_maze import PathScore
from ascii_maze.evaluation.statistics import (
    bin_rates,
    break_down,
    count_failures,
    length_curve,
    paired_tests,
    pass_at,
    ratio,
    summarise,
    voted,
)


def row(valid, **facts):
    """One prediction, right or wrong."""
    score = PathScore(True, valid, valid, valid, valid, 0 if valid else None, 1.0, float(valid), 0, 0)
    defaults = {
        "id": "0",
        "model": "m",
        "split": "test",
        "size": "4x4",
        "sample": 0,
        "vote": True,
        "exact": valid,
        "solved_by": "greedy",
    }
    lenient = {"parsed_lenient": True, "valid_lenient": valid}
    return {**defaults, **score.to_dict(), **lenient, **facts}


def table(rows):
    return pandas.DataFrame(rows)


def paired(outcomes, names):
    """Outcomes of each maze, one for each model -> model -> split -> outcomes."""
    return {name: {"test": column} for name, column in zip(names, np.array(outcomes).T, strict=True)}


def test_wilson_interval_is_the_textbook_one():
    """Of 10 in 20, Wilson's 95 % interval is 0.299 to 0.701 (Brown, Cai and DasGupta, 2001)."""
    summary = summarise(table([row(True)] * 10 + [row(False)] * 10))
    assert summary["n"] == 20
    assert summary["valid"] == 0.5
    assert summary["valid_ci"] == pytest.approx([0.2993, 0.7007], abs=1e-4)


def test_paired_test_counts_only_mazes_where_the_models_differ():
    """Exact McNemar of 1 against 9: 2 * (C(10,0) + C(10,1)) / 2^10 = 0.0215."""
    outcomes = [(True, True)] * 5 + [(True, False)] + [(False, True)] * 9 + [(False, False)] * 3
    (test,) = paired_tests(["a", "b"], ["test"], paired(outcomes, "ab"), "optimal")
    assert (test["only_a"], test["only_b"]) == (1, 9)
    assert test["p"] == pytest.approx(22 / 1024)
    assert test["p_holm"] == test["p"]


def test_of_many_tests_the_least_p_is_multiplied_by_their_number():
    outcomes = [(True, False, False)] * 8 + [(True, True, False)] * 2
    tests = paired_tests(["a", "b", "c"], ["test"], paired(outcomes, "abc"), "optimal")
    least = min(tests, key=lambda test: test["p"])
    assert (least["a"], least["b"]) == ("a", "c")
    assert least["p"] == pytest.approx(2 / 1024)
    assert least["p_holm"] == pytest.approx(3 * least["p"])


def test_breakdown_by_every_fact():
    facts = [("prim", 3, 0, "greedy"), ("prim", 4, 1, ""), ("wilson", 7, 1, ""), (None, None, None, None)]
    rows = [
        row(number % 2 == 0, generator=generator, path_length=length, decision_points=points, solved_by=rules)
        for number, (generator, length, points, rules) in enumerate(facts)
    ]
    cells = {
        fact: {name: (cell["n"], cell["valid"]) for name, cell in cells.items()}
        for fact, cells in break_down(table(rows)).items()
    }
    assert cells == {
        "generator": {"prim": (2, 0.5), "wilson": (1, 1.0)},
        "solved_by": {"easy": (1, 1.0), "hard": (2, 0.5)},
        "path_length": {"2-3": (1, 1.0), "4-7": (2, 0.5)},
        "decision_points": {"0": (1, 1.0), "1": (2, 0.5)},
    }


def test_bins_begin_at_powers_of_two_and_say_where_they_end():
    rows = [row(True, path_length=length) for length in (40, 9, 100, 0, 2, 1, 4, 16)]
    bins = bin_rates(table(rows), "path_length")
    assert {name: (rates["low"], rates["high"]) for name, rates in bins.items()} == {
        "0": (0, 0),
        "1": (1, 1),
        "2-3": (2, 3),
        "4-7": (4, 7),
        "8-15": (8, 15),
        "16-31": (16, 31),
        "32-63": (32, 63),
        "64-127": (64, 127),
    }
    assert list(bins) == sorted(bins, key=lambda name: bins[name]["low"])


def test_no_bins_where_no_maze_has_a_path():
    assert bin_rates(table([row(False, path_length=None)] * 3), "path_length") == {}


def test_failures_are_counted_in_a_fixed_order():
    rows = [row(False, failure=kind) for kind in ("dead_end", "garbage", "dead_end")] + [row(True, failure=None)]
    assert list(count_failures(table(rows)).items()) == [("garbage", 1), ("dead_end", 2)]


def test_bootstrap_of_a_ratio_covers_the_truth():
    """0.8 / 0.4 = 2; of 40 intervals of 95 %, each from 200 pairs, about 38 hold it."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(40):
        one, two = rng.random(200) < 0.4, rng.random(200) < 0.8
        low, high = ratio(one, two)["ratio_ci"]
        held += low <= 2 <= high
    assert 35 <= held <= 40
    assert ratio(one, two) == ratio(one, two)
    assert ratio(one, two)["ratio"] == two.mean() / one.mean()


def test_no_ratio_to_nothing():
    none, some = np.zeros(9, dtype=bool), np.arange(9) < 1
    assert ratio(none, some) == {"ratio": None, "ratio_ci": None}
    assert ratio(some, none)["ratio"] == 0
    assert ratio(some, none)["ratio_ci"] is None  # one in three resamples has a rate of 0 to divide by


def test_length_curve_finds_the_length_at_which_validity_is_one_half():
    """Drawn from a logistic curve that is one half at 20 moves."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 40, 2_000)
    valid = rng.random(2_000) < 1 / (1 + np.exp(0.2 * (lengths - 20)))
    curve = length_curve(lengths, valid)
    assert curve["slope"] == pytest.approx(-0.2, abs=0.03)
    low, high = curve["half_length_ci"]
    assert low < 20 < high
    assert high - low < 2


def test_length_curve_says_nothing_where_there_is_nothing_to_say():
    assert length_curve([2, 4, 6], [True, True, True]) is None
    assert length_curve([2, 4, 6], [False, False, False]) is None
    assert length_curve([4, 4, 4], [True, False, True]) is None
    assert length_curve([2, 4, 6, 8], [True, True, False, False]) is None
    rising = length_curve([2, 4, 6, 8, 2, 8], [False, True, False, True, False, True])
    assert rising["half_length"] is None
    assert length_curve([2, 4, 6, 8], [True, False, True, False])["half_length_ci"] is None


def test_pass_at_k_is_the_share_of_all_subsets_with_a_valid_sample():
    valid = np.random.default_rng(0).random((30, 6)) < 0.3
    expected = {
        str(k): np.mean([row[list(subset)].any() for row in valid for subset in itertools.combinations(range(6), k)])
        for k in (1, 2, 4, 6)
    }
    assert pass_at(valid) == pytest.approx(expected)


def test_several_samples_are_one_maze():
    """Two mazes of four samples: one valid and not what most say; three valid, which agree."""
    outcomes, votes = [True, False, False, False, True, True, True, False], [1, 4]
    rows = table([row(valid, sample=place % 4, vote=place in votes) for place, valid in enumerate(outcomes)])
    summary = summarise(rows)
    assert (summary["n"], summary["samples"], summary["valid"], summary["majority"]) == (2, 4, 0.5, 0.5)
    assert summary["pass_at"] == pytest.approx({"1": 0.5, "2": (0.5 + 1) / 2, "4": 1.0})
    assert summary["valid_ci"] == summarise(table([row(True), row(False)]))["valid_ci"]
    assert voted(rows, "valid").tolist() == [False, True]
    single = summarise(table([row(True), row(False)]))
    assert not {"samples", "pass_at", "majority"} & single.keys()
