import numpy as np
import pytest

from ascii_maze.cli.mri import number_seeds
from ascii_maze.mri.seeds import compare_methods, distances, first_seeds, method_of, permute

LAYERS = 4


def table_of(adapters: np.ndarray) -> np.ndarray:
    """Distances of adapters, float (n, layers, width)."""
    names = [str(index) for index in range(len(adapters))]
    return distances(names, lambda a, b: np.linalg.norm(adapters[int(a)] - adapters[int(b)], axis=1).tolist())


def drawn(rng, seeds: int, apart: float) -> np.ndarray:
    """Two methods with so many seeds each; one change is planted, at layer 2, and then the other."""
    adapters = rng.normal(size=(2 * seeds, LAYERS, 6))
    adapters[seeds:, 2] += apart
    return adapters


@pytest.mark.parametrize("seeds", [2, 4])
def test_seeds_of_one_change_are_told_apart_no_more_often_than_chance_has_it(seeds):
    rng = np.random.default_rng(0)
    p = np.array([permute(table_of(drawn(rng, seeds, 0.0)), seeds)[1] for _ in range(200)])
    for level in np.unique(p):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / 200)


def test_two_changes_are_told_apart_at_the_layer_where_they_are():
    rng = np.random.default_rng(1)
    names = [f"{method}@{seed}" for method in ("sft", "dpo") for seed in range(4)]
    table = table_of(drawn(rng, 4, 6.0))
    (test,) = compare_methods("drift", names, table)
    assert (test["a"], test["b"], test["seeds"], test["layer"]) == ("sft", "dpo", [4, 4], 2)
    assert test["p"] == test["smallest_p"] == 1 / 35
    assert test["between"][2] > 2 * test["within"][2]


def test_the_smallest_p_is_that_of_so_many_seeds():
    rng = np.random.default_rng(2)
    for first, second, ways in ((2, 2, 3), (5, 5, 126), (2, 3, 10)):
        adapters = rng.normal(size=(first + second, 1, 3))
        adapters[first:] += 100
        assert permute(table_of(adapters), first)[1:] == (1 / ways, ways)


def test_one_seed_is_not_compared():
    names = ["sft@0", "sft@1", "dpo"]
    assert compare_methods("drift", names, np.ones((1, 3, 3))) == []
    assert first_seeds(names) == ["sft@0", "dpo"]
    assert method_of("dpo") == "dpo"


def test_a_layer_where_nothing_differs_says_nothing():
    table = np.zeros((2, 4, 4))
    assert permute(table, 2) == (0.0, 1.0, 3)


def test_repeated_names_are_seeds():
    assert number_seeds(["sft=a", "dpo=b", "sft=c"]) == ["sft@0=a", "dpo=b", "sft@1=c"]
    for words in (
        ["sft@1=a", "sft@2=b", "ORG/x", "ORG/x"],
        ["sft@0=a", "sft@0=b"],
        ["runs/lr=1/sft", "runs/lr=2/sft"],
    ):
        assert number_seeds(words) == words


def test_a_report_on_seeds_tests_methods_and_looks_into_one_adapter_of_each(adapters, dataset, tmp_path):
    from ascii_maze.mri.options import Options
    from ascii_maze.mri.run import write_report

    names = {"a@0": "zero", "a@1": "random", "b@0": "random", "b@1": "zero"}
    of = {name: adapters[of] for name, of in names.items()}
    found = write_report("tiny", of, str(dataset), "train", tmp_path, Options(limit=30, patch_mazes=8, cause_mazes=0))
    assert set(found["probes"]) == {"base", "a@0", "b@0"}
    assert set(found["patching"]) == {"a@0", "b@0"}
    assert set(found["drift"]) == set(names)
    by_measure = {test["measure"]: test for test in found["seeds"]}
    assert {"drift", "1 - CKA", "KL", "1 - agreement of regions"} <= set(by_measure)
    # Both methods have the same two adapters, so that seeds are farther apart than methods.
    assert {test["p"] for test in found["seeds"]} == {1.0}
    assert {test["smallest_p"] for test in found["seeds"]} == {1 / 3}
    page = (tmp_path / "report.html").read_text()
    assert "Methods against their seeds" in page
    assert "may be luck" not in page


def test_one_seed_of_each_may_be_luck(adapters, dataset, tmp_path):
    from ascii_maze.mri.options import Options
    from ascii_maze.mri.run import write_report

    found = write_report(
        "tiny", adapters, str(dataset), "train", tmp_path, Options(limit=20, patch_mazes=8, cause_mazes=2)
    )
    assert found["seeds"] == []
    assert "may be luck" in (tmp_path / "report.html").read_text()
