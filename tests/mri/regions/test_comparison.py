import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.mri.regions.comparison import LLM_MRI, RegionSettings, compare_regions, fit_regions
from ascii_maze.mri.regions.edges import ALL

from ..made import Made

NAMES = ["failed", "solved"]
SMALL = {"components": 4, "gridsize": 5, "splits": 4}


def compare(made: Made, labels: np.ndarray | None = None, position: str = "goal", groups=None, **settings) -> dict:
    fitted = fit_regions(made, RegionSettings(position, 0, **{**SMALL, **settings}), groups)
    return compare_regions(fitted, made.labels if labels is None else labels, NAMES)


def needs_llm_mri():
    pytest.importorskip("llm_mri", reason="llm-mri is not installed; `make setup` adds it")


@pytest.fixture(scope="module")
def compared():
    needs_llm_mri()
    return compare(Made(changed={"same": 0.0, "little": 0.05, "much": 0.6, "much-again": 0.6}))


def test_the_result_goes_through_json(compared):
    assert json.loads(json.dumps(compared, allow_nan=False)) == compared


def test_a_model_equal_to_the_base_gains_and_loses_nothing(compared):
    entry = compared["models"]["same"]
    assert (entry["edges_gained"], entry["edges_lost"]) == (0, 0)
    assert entry["edges_kept"] > 0
    for kind in ("edges", "edges_in_basis_of_base", "regions"):
        assert list(entry[kind]) == [ALL, *NAMES]
        for table in entry[kind].values():
            assert (table["gained"], table["lost"], table["agreement"]) == (0, 0, 1.0)
            assert table["across_halves"] == pytest.approx(table["noise_floor"])


def test_two_copies_of_one_adapter_cannot_be_told_apart(compared):
    assert compared["models"]["much"] == compared["models"]["much-again"]
    for what in ("metrics", "graphs", "grids"):
        assert compared[what]["much"] == compared[what]["much-again"]


def test_a_planted_change_shows_where_it_is_and_above_the_noise(compared):
    for kind in ("edges", "regions"):
        table = compared["models"]["much"][kind][ALL]
        # Layers 0 and 1 hold the same in every model, and so does the edge from one to the other.
        same = 1 if kind == "edges" else 2
        assert sum(table["by_layer"]["gained"][:same] + table["by_layer"]["lost"][:same]) == 0
        assert sum(table["by_layer"]["gained"][same:] + table["by_layer"]["lost"][same:]) > 0
    edges = compared["models"]["much"]["edges"][ALL]
    assert edges["across_halves"] < edges["noise_range"][0]
    assert compared["models"]["little"]["edges"][ALL]["agreement"] > edges["agreement"]


def test_numbers_agree_with_graphs_and_grids(compared):
    for label, count in compared["labels"].items():
        graphs = {model: compared["graphs"][model][label]["edges"] for model in ("base", "much")}
        signed = {
            model: {(e["source"], e["target"], e["sign"]) for e in edges if abs(e["rho"]) == e["weight"]}
            for model, edges in graphs.items()
        }
        table = compared["models"]["much"]["edges"][label]
        assert table["gained"] == len(signed["much"] - signed["base"])
        assert table["lost"] == len(signed["base"] - signed["much"])
        assert table["kept"] == len(signed["base"] & signed["much"])
        assert np.sum(compared["grids"]["much"][label], axis=(1, 2)).tolist() == [count] * 4
    assert compared["labels"] == {ALL: 200, "failed": 100, "solved": 100}


def test_the_first_component_finds_the_label_that_was_planted(compared):
    failed, solved = (np.array(compared["grids"]["base"][name])[0].sum(axis=1) / 100 for name in NAMES)
    assert np.abs(failed - solved).sum() / 2 > 0.4


@pytest.mark.parametrize("reduction", ["pca", "svd"])
def test_the_same_seed_gives_the_same_numbers(reduction):
    needs_llm_mri()
    made = Made()
    assert compare(made, reduction=reduction) == compare(made, reduction=reduction)


@pytest.mark.slow  # UMAP compiles itself anew in every process
def test_umap_gives_the_same_numbers_twice_and_copies_are_the_same():
    needs_llm_mri()
    from ascii_maze.mri.regions.reduction import SharedUMAP

    made = Made(rows=40, layers=2, width=8, changed={"one": 0.4, "two": 0.4})
    result = compare(made, reduction="umap", components=3)
    assert result["models"]["one"] == result["models"]["two"]
    assert result["explained"]["components"] == [None] * 2
    # Of three models alike in this layer, each row is there three times.
    rows = np.concatenate([made.read(model, 0, "goal") for model in made.models])
    places = []
    for _ in range(2):
        basis = SharedUMAP(2, random_state=3)
        basis.fit("hidden_state_0", rows)
        places.append(basis.transform("hidden_state_0", rows[:40]))
    np.testing.assert_array_equal(*places)


def test_what_does_not_vary_has_neither_edges_nor_a_share_explained():
    needs_llm_mri()
    made = Made()
    for model in made.models:
        # As float32 leaves it: alike but for the last bit.
        noise = np.random.default_rng(0).integers(0, 2, made.arrays[model, 0].shape) * np.float32(2**-22)
        made.arrays[model, 0] = np.float32(3) + noise
    result = compare(made)
    assert result["explained"]["components"][0] is None
    assert all(edge["source"][0] != "0" for edge in result["graphs"]["base"][ALL]["edges"])
    assert result["models"]["sft"]["edges"][ALL]["by_layer"]["noise_floor"][0] is None


def test_rows_of_one_group_stay_in_one_half():
    needs_llm_mri()
    made = Made()
    # Each prompt four times over: halves that share prompts agree better than halves that do not.
    made.arrays = {key: np.repeat(array, 4, axis=0) for key, array in made.arrays.items()}
    made.labels, groups = np.repeat(made.labels, 4), np.repeat(np.arange(200), 4)
    apart, mixed = (compare(made, groups=some)["models"]["sft"]["noise_floor"] for some in (groups, None))
    assert apart < mixed


def test_a_label_of_few_prompts_is_left_out():
    needs_llm_mri()
    made = Made()
    labels = made.labels.copy()
    labels[:7] = 2
    result = compare_regions(fit_regions(made, RegionSettings("goal", 0, **SMALL)), labels, [*NAMES, "rare"])
    assert result["left_out"] == {"rare": 7}
    assert list(result["labels"]) == [ALL, *NAMES]


def refused(made: Made, match: str, **settings) -> None:
    with pytest.raises(UsageError, match=match) as refusal:
        compare(made, **settings)
    assert "\n" not in str(refusal.value)


def test_bad_input_is_refused_in_one_line():
    made = Made()
    refused(Made(rows=24, width=32), "24 prompts are too few for 30 components: take 30 or more", components=30)
    refused(
        made, "two labels or more, of 20 prompts each, but there are 'solved': 200", labels=np.ones(200, dtype=int)
    )
    refused(made, "there are 199 labels of 200 prompts", labels=made.labels[1:])
    refused(made, "no position 'gaol'; did you mean 'goal'.; there are goal", position="gaol")
    refused(made, "no reduction 'pcs'; did you mean 'pca'.", reduction="pcs")
    refused(made, "gridsize must be at least 2, not 1", gridsize=1)


def test_bad_activations_are_refused_in_one_line():
    needs_llm_mri()
    made = Made()
    made.arrays["sft", 2][3:5, 0] = [np.nan, np.inf]
    refused(made, "activations of 'sft' at layer 2, goal, are NaN or infinite for 2 of 200 prompts")
    made = Made()
    made.arrays["sft", 1] = made.arrays["sft", 1][:-1]
    refused(made, "'sft' has 199 rows at goal, layer 1, where the base has 200")
    refused(Made(), "20 components are more than the model's width, 16", components=20)
    made.arrays = {key: np.ones((200, 16), np.float32) for key in made.arrays}
    refused(made, "every prompt has the same activations at goal, in every layer")


def test_without_llm_mri_one_line_says_how_to_add_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "llm_mri", None)
    with pytest.raises(
        AsciiMazeError, match=r"pip install 'ascii-maze\[mri\]' && pip install --no-deps llm-mri==0.2.1"
    ):
        compare(Made())


def test_the_version_named_is_the_one_that_set_up_installs():
    assert LLM_MRI in (Path(__file__).parents[3] / "constraints.txt").read_text().split()
