import numpy as np
import pytest

from ascii_maze.evaluation.findings import findings, smallest_difference
from ascii_maze.evaluation.statistics import paired_tests


def results_of(outcomes, rules=(), **settings):
    """As much of results.json as the sentences are made of: one split, with one valid path in ten not a shortest."""
    cells = {
        name: {"test": {"n": len(solved), "optimal": 0.9 * solved.mean(), "valid": solved.mean()}}
        for name, solved in outcomes.items()
    }
    models = [name for name in outcomes if name not in rules]
    outcome = "reaches_goal" if "stepwise" in settings else "optimal"
    tests = paired_tests(models, ["test"], {name: {"test": outcomes[name]} for name in models}, outcome)
    return {"models": cells, "paired": tests, "settings": settings}


@pytest.fixture
def outcomes():
    draw = np.random.default_rng(0)
    base, sft = draw.random(200) < 0.2, draw.random(200) < 0.8
    return {"base": base, "sft": sft, "dpo": sft ^ (draw.random(200) < 0.05), "greedy": draw.random(200) < 0.3}


def test_differences_are_claimed_where_their_test_shows_them_and_nowhere_else(outcomes):
    results = results_of(outcomes, rules=["greedy"])
    rates, shown, others = findings(results)
    assert rates.startswith("test, 200 mazes: walked by a shortest path (by any valid one) base ")
    assert rates.endswith(f"; the best rule that does not plan, greedy, {90 * outcomes['greedy'].mean():.1f} %.")
    assert f"sft {90 * outcomes['sft'].mean():.1f} % ({100 * outcomes['sft'].mean():.1f})" in rates
    p = {(test["a"], test["b"]): test["p_holm"] for test in results["paired"]}
    assert p["base", "sft"] < 0.05 > p["base", "dpo"]
    assert p["sft", "dpo"] >= 0.05
    points = 100 * (outcomes["sft"].mean() - outcomes["base"].mean())
    assert shown.startswith("test: more shortest paths, p < 0.05 after Holm's correction: ")
    assert f"sft than base by {points:.1f} points" in shown
    assert "dpo than base" in shown
    assert shown.count(" than ") == 2  # the third pair is not claimed
    assert "dpo and sft" in others
    assert "base" not in others


def test_a_single_model_has_rates_and_no_claim(outcomes):
    assert len(findings(results_of({"sft": outcomes["sft"]}))) == 1


def test_steps_arrive_and_do_not_solve(outcomes):
    sentences = findings(results_of({name: outcomes[name] for name in ("base", "sft")}, stepwise={}))
    assert any(sentence.startswith("test: more arrivals, p < 0.05 after Holm's") for sentence in sentences)


def test_an_explorer_is_a_rule(outcomes):
    """Even one that is only among the baselines of walks step by step."""
    explored = {"tiny": outcomes["base"], "wall_follower": outcomes["greedy"], "depth_first": outcomes["sft"]}
    (rates,) = findings(results_of(explored, rules=["wall_follower", "depth_first"], stepwise={}))
    assert rates.startswith("test, 200 mazes: walked by a shortest path (by any valid one) tiny ")
    assert rates.count("depth_first") == rates.count("the best rule that does not plan, depth_first") == 1


@pytest.mark.parametrize(("n", "discordant", "level"), [(500, 0.3, 0.05), (2_000, 0.1, 0.05 / 6)])
def test_the_smallest_difference_is_shown_four_times_of_five(n, discordant, level):
    from scipy.stats import binom

    found = smallest_difference(n, discordant, level)
    draw = np.random.default_rng(1)
    counts = draw.multinomial(n, [(discordant + found) / 2, (discordant - found) / 2, 1 - discordant], size=4_000)
    p = 2 * binom.cdf(counts[:, :2].min(axis=1), counts[:, :2].sum(axis=1), 0.5)
    assert abs((p < level).mean() - 0.8) < 0.04


def test_mazes_on_which_models_hardly_differ_show_nothing():
    assert smallest_difference(200, 0.0, 0.05) is None
    assert smallest_difference(200, 0.01, 0.05) is None
