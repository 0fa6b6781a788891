"""What llm-mri 0.2.1 answers on small cases whose answer is known, and what we answer on the same."""

import networkx as nx
import numpy as np
import pytest
import torch

pytest.importorskip("llm_mri", reason="llm-mri is not installed; `make setup` adds it")

from llm_mri import Evaluation, Metrics
from llm_mri.dimensionality_reduction import PCA, SVD, UMAP
from llm_mri.graph import Graph2D, GraphND
from scipy.stats import spearmanr

from ascii_maze.mri.regions.areas import HiddenStates, fit_areas
from ascii_maze.mri.regions.graphs import ComponentGraph, GraphMetrics
from ascii_maze.mri.regions.reduction import SharedPCA, SharedSVD, SharedUMAP

from ..made import Made

NAMES = ["one", "two"]


class Given:
    """A reduction that takes hidden states for reduced ones, for graphs of components that we choose."""

    gridsize = 2

    def __init__(self, count: int):
        self.n_components = count

    def get_hidden_states_reduction(self, hidden_states):
        return {name: hidden_states[name] for name in hidden_states.column_names if name != "label"}


def graphs_of(*layers: np.ndarray, labels=None) -> tuple[GraphND, ComponentGraph]:
    """llm-mri's graph of components and ours, of the same components (n, k) of each layer."""
    labels = np.zeros(len(layers[0]), dtype=int) if labels is None else labels
    states = HiddenStates(lambda layer: layers[layer], len(layers), labels, NAMES)
    given = Given(layers[0].shape[1])
    theirs = GraphND(given.n_components, states, states, given, NAMES, len(layers))
    return theirs, ComponentGraph(states, given.get_hidden_states_reduction(states), given, alpha=0.05)


def test_fault_3_edges_led_to_the_wrong_components():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(50, 2))
    second = np.column_stack([rng.normal(size=50), first[:, 0]])  # component 0 becomes component 1
    theirs, ours = graphs_of(first, second)
    assert list(theirs.build_graph("one").edges) == [("0_1", "1_0")]
    assert list(ours.build_graph("one").edges) == [("0_0", "1_1")]


@pytest.mark.parametrize(("two", "wrong"), [([0, 1, 0, 1], 0.8), ([1, 1, 0, 0], -0.6), ([1, 1, 1, 1], 1.0)])
def test_fault_4_ties_were_ranked_as_they_came(two, wrong):
    # The last is constant; so is what it is compared with there, where it had correlation 1.
    one = [1, 1, 1, 1] if wrong == 1.0 else [0, 0, 1, 1]
    columns = [torch.tensor(values, dtype=torch.float64)[:, None] for values in (one, two)]
    theirs, ours = graphs_of(np.zeros((4, 2)), np.zeros((4, 2)))
    assert float(theirs._spearman_correlation(*columns)) == pytest.approx(wrong)
    right = 0.0 if wrong == 1.0 else spearmanr(one, two).statistic
    assert float(ours._spearman_correlation(*columns)) == pytest.approx(right)
    assert abs(right - wrong) > 0.3


def test_fault_5_negative_correlations_were_no_edges():
    rng = np.random.default_rng(1)
    first = rng.normal(size=(50, 2))
    second = np.column_stack([-first[:, 0], rng.normal(size=50)])
    theirs, ours = graphs_of(first, second)
    assert list(theirs.build_graph("one").edges) == []
    (edge,) = ours.build_graph("one").edges(data=True)
    assert edge == ("0_0", "1_0", {"rho": pytest.approx(-1), "weight": pytest.approx(1), "sign": -1, "label": 0})


def test_fault_5_chance_made_edges():
    layers = list(np.random.default_rng(2).normal(size=(10, 20, 10)))  # 900 pairs of independent components
    theirs, ours = graphs_of(*layers)
    assert 0.05 < theirs.build_graph("one").number_of_edges() / 900 < 0.15
    assert ours.build_graph("one").number_of_edges() == 0


def test_fault_6_the_second_of_two_graphs_took_the_weights_of_the_first():
    rng = np.random.default_rng(3)
    labels = np.arange(200) % 2
    first = rng.normal(size=(200, 2))
    noise = rng.normal(size=200) * np.where(labels, 1.5, 0.1)  # the edge is strong for one and weak for two
    second = np.column_stack([first[:, 0] + noise, rng.normal(size=200)])
    # llm-mri names the ends of edges the wrong way round, which this edge does not show.
    theirs, ours = (graph.build_graph(NAMES) for graph in graphs_of(first, second, labels=labels))
    alone = [graphs_of(first, second, labels=labels)[1].build_graph(name).edges["0_0", "1_0"] for name in NAMES]
    assert alone[0]["weight"] > 0.9 > 0.75 > alone[1]["weight"]
    assert theirs.number_of_edges() == 1
    assert theirs.edges["0_0", "1_0"]["weight"] == pytest.approx(alone[1]["weight"], abs=1e-6)
    assert {name: ours.edges["0_0", "1_0", name] for name in NAMES} == dict(zip(NAMES, alone))


def test_fault_7_each_label_had_a_basis_of_its_own():
    """Two halves of the same prompts, as two labels: what agrees between them is what is not noise."""
    made = Made(rows=600, layers=5, width=24, changed={})
    labels = np.random.default_rng(4).permutation(600) % 2
    states = HiddenStates(lambda layer: made.read("base", layer, "goal"), 5, labels, NAMES)
    theirs = GraphND(8, states, states, PCA(8), NAMES, 5)
    areas = fit_areas(SharedPCA(8, random_state=0), ["base"], {"base": states}, alpha=0.05)["base"]

    def agreement(graph) -> float:
        one, two = (set(graph(name).edges) for name in NAMES)
        return len(one & two) / len(one | two)

    apart = agreement(theirs.build_graph)
    assert apart < 0.6 < 0.75 < agreement(areas.get_graph)


def test_fault_9_principal_components_forgot_rows_that_occur_twice():
    # 6 of 9 prompts are alike; the spread of the four distinct ones has no direction of its own.
    rows = np.array([[0, 0]] * 6 + [[4, 0], [0, 3], [4, 3]], dtype=np.float32)
    theirs = PCA(1).get_hidden_states_reduction(columns(rows))["hidden_state_0"].numpy().ravel()
    assert abs(np.corrcoef(theirs, rows[:, 0])[0, 1]) == pytest.approx(1)
    basis = SharedPCA(1, random_state=0)
    basis.fit("hidden_state_0", rows)
    centred = rows - rows.mean(axis=0)
    direction = np.linalg.svd(centred)[2][0]
    ours = basis.transform("hidden_state_0", rows).ravel()
    np.testing.assert_allclose(np.abs(ours), np.abs(centred @ direction), atol=1e-4)
    assert np.var(ours) > 1.05 * np.var(theirs)


def columns(rows: np.ndarray) -> HiddenStates:
    return HiddenStates(lambda layer: rows, 1, np.zeros(len(rows), dtype=int), NAMES)


@pytest.mark.slow  # UMAP compiles itself anew in every process
def test_fault_9_umap_took_no_notice_of_its_random_state():
    rows = np.random.default_rng(5).normal(size=(40, 8)).astype(np.float32)
    assert np.ptp([UMAP(2, random_state=1).get_reduction(rows) for _ in range(2)], axis=0).max() > 0.1
    assert np.ptp([SharedUMAP(2, random_state=1).get_reduction(rows) for _ in range(2)], axis=0).max() == 0


def test_fault_9_centres_of_a_graph():
    graph = nx.DiGraph(layers=3)
    graph.add_nodes_from([("0_0", {"layer": 0}), ("1_0", {"layer": 1}), ("2_0", {"layer": 2})])
    graph.add_edge("0_0", "1_0", weight=0.75)
    graph.add_edge("1_0", "2_0", weight=0.25)
    # Directions, which llm-mri's projections do not know, are left out for its sake.
    theirs, ours = Metrics(graph.to_undirected(), None, None), GraphMetrics(graph, None, None)
    assert theirs.get_graph_center_of_mass() == -0.5
    assert ours.get_graph_center_of_mass() == 0.0
    assert np.isnan(theirs.get_graph_center_of_strength())
    assert ours.get_graph_center_of_strength() == pytest.approx((0.75 * 0 + 1.0 * 1 + 0.25 * 2) / 2 - 1)
    assert np.isnan(theirs.get_degree_by_layer()["mean"].iloc[-1])
    assert ours.get_degree_by_layer()["mean"].tolist() == [1, 2, 1]


@pytest.mark.filterwarnings("ignore:invalid value")  # of degrees that are all alike
def test_projections_metrics_and_evaluation_which_failed_run():
    made = Made()
    states = HiddenStates(lambda layer: made.read("base", layer, "goal"), 4, made.labels, NAMES)
    areas = fit_areas(SharedPCA(4, random_state=0), ["base"], {"base": states}, alpha=0.05)["base"]
    graph = areas.get_graph("one")
    with pytest.raises(nx.NetworkXNotImplemented):
        Metrics(graph, "one", "base").get_projection_metrics_even()
    metrics = GraphMetrics(graph, "one", "base")
    assert metrics.get_basic_metrics()["mean_degree"] == 2 * graph.number_of_edges() / 16
    assert 0 < metrics.get_projection_metrics_even()["density"] <= 1
    delta = Evaluation(areas).evaluate_model(metrics="accuracy")["delta"]["accuracy"]["mean"]
    assert abs(delta) < 0.2  # four components tell the label about as well as the whole layer does


@pytest.mark.parametrize("kind", [SharedPCA, SharedSVD])
def test_a_basis_does_not_depend_on_what_is_seen_in_it(kind):
    rows = np.random.default_rng(6).normal(size=(60, 8)).astype(np.float32) * np.arange(1, 9)
    basis = kind(3, random_state=0)
    basis.fit("hidden_state_0", rows)
    whole = basis.get_hidden_states_reduction(columns(rows))["hidden_state_0"]
    part = basis.get_hidden_states_reduction(columns(rows).select(range(10)))["hidden_state_0"]
    np.testing.assert_allclose(whole[:10], part, atol=1e-3)
    exact = SVD(3).get_hidden_states_reduction(columns(rows if kind is SharedSVD else rows - rows.mean(axis=0)))
    np.testing.assert_allclose(whole.abs(), exact["hidden_state_0"].abs(), atol=1e-2)


def test_regions_have_the_same_borders_for_every_label_and_model():
    made = Made(changed={"moved": 0.0})
    made.arrays = {key: array + 15 * (key[0] == "moved") for key, array in made.arrays.items()}
    states = {
        model: HiddenStates(lambda layer, model=model: made.read(model, layer, "goal"), 4, made.labels, NAMES)
        for model in made.models
    }
    areas = fit_areas(SharedPCA(2, gridsize=4, random_state=0), made.models, states, alpha=0.05)
    counts = {model: area.graph_class.counts(None) for model, area in areas.items()}
    # llm-mri cuts each model's own span into cells, in which a model that has moved far away stands where it was.
    theirs = [Graph2D(2, some, 4, 4, NAMES, PCA(2, gridsize=4)).reduced_dataset[0] for some in states.values()]
    assert (theirs[0]["cell_label"] == theirs[1]["cell_label"]).mean() > 0.9
    assert np.minimum(counts["base"], counts["moved"]).sum() < 0.5 * counts["base"].sum()
    graph = areas["base"].get_graph("one")
    assert sum(weight for _, _, weight in graph.edges(data="weight")) == 3 * 100
    both = areas["base"].get_graph(NAMES)
    shared = [edge for edge in graph.edges if both.number_of_edges(*edge) == 2]
    assert shared
    assert all(both.edges[*edge, "one"]["weight"] == graph.edges[edge]["weight"] for edge in graph.edges)
