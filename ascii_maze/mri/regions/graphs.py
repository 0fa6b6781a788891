"""llm-mri's graphs of components (NRAG) and of regions, and their metrics, corrected. Needs llm-mri.

A node is named `layer_component` or `layer_column_row`; it has its `layer` and its `place` there, 0-1, for drawing. An
edge leads from a layer to the next.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import torch
from llm_mri import Metrics
from llm_mri.graph import Graph2D, GraphND
from networkx.algorithms.bipartite import collaboration_weighted_projected_graph

from .edges import count_cells, find_edges, overlay, rank_correlations
from .reduction import SharedBasis


class _Layered:
    """What both kinds of graph share; a mixin, to be named before llm-mri's class."""

    # Of llm-mri's class.
    hidden_states: Any
    class_names: list[str]

    def build_graph(self, category_list: str | Sequence[str] | None = None, threshold: float = 0.3) -> nx.Graph:
        """The graph of one label, of all prompts if None, or several labels overlaid.

        Args:
            threshold: least absolute correlation of an edge between components; regions have none.
        """
        if category_list is None or isinstance(category_list, str):
            return self._graph_of(category_list, threshold)
        graphs = {name: self._graph_of(name, threshold) for name in category_list}
        return overlay(graphs) if len(graphs) > 1 else graphs[category_list[0]]

    def _graph_of(self, label: str | None, threshold: float) -> nx.DiGraph:
        raise NotImplementedError

    def _rows(self, label: str | None) -> np.ndarray:
        labels = np.asarray(self.hidden_states["label"])
        return np.arange(len(labels)) if label is None else np.flatnonzero(labels == self.class_names.index(label))


class ComponentGraph(_Layered, GraphND):
    """Correlations between the components of adjacent layers.

    An edge has `rho`, Spearman's with ties, `weight`, its absolute value, as the sign of a component is arbitrary, and
    the `sign` that it has in the shared basis. Edges are strong enough and significant among all pairs.
    """

    def __init__(
        self, hidden_states, reduced: dict[str, torch.Tensor], reduction_method: SharedBasis, alpha: float
    ) -> None:
        super().__init__(
            n_components=reduction_method.n_components,
            hidden_states=hidden_states,
            original_dataset=hidden_states,
            reduction_method=reduction_method,
            class_names=hidden_states.features["label"].names,
            num_layers=hidden_states.layers,
        )
        self.reduced, self.alpha = reduced, alpha

    def _graph_of(self, label: str | None, threshold: float) -> nx.DiGraph:
        rows = self._rows(label)
        index = None if label is None else self.class_names.index(label)
        return self._get_spearman_graph({name: x[rows] for name, x in self.reduced.items()}, index, threshold)

    def _spearman_correlation(self, X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(rank_correlations([X.numpy(), Y.numpy()])[0][0])

    def _get_spearman_graph(self, reduced_hs_list, category_index, threshold) -> nx.DiGraph:
        layers = [reduced_hs_list[f"hidden_state_{layer}"].numpy() for layer in range(len(reduced_hs_list))]
        weights = find_edges(layers, threshold, self.alpha)
        graph = nx.DiGraph(layers=len(layers))
        graph.graph["label_names"] = [] if category_index is None else [self.class_names[category_index]]
        for layer, components in enumerate(layers):
            count = components.shape[1]
            graph.add_nodes_from((f"{layer}_{c}", {"layer": layer, "place": c / (count - 1)}) for c in range(count))
        for layer, one, two in zip(*np.nonzero(weights)):
            rho = float(weights[layer, one, two])
            data = {"weight": abs(rho), "rho": rho, "sign": 1 if rho > 0 else -1}
            data |= {} if category_index is None else {"label": category_index}
            graph.add_edge(f"{layer}_{one}", f"{layer + 1}_{two}", **data)
        return graph


class RegionGraph(_Layered, Graph2D):
    """The cells of a grid over 2 components, and how many prompts go from a cell of a layer to one of the next.

    The borders of the cells belong to the basis, so that a cell means the same for every model.
    """

    def __init__(self, hidden_states, reduced: dict[str, torch.Tensor], reduction_method: SharedBasis) -> None:
        self.reduced = reduced
        super().__init__(
            n_components=2,
            hidden_states=hidden_states,
            num_layers=hidden_states.layers,
            gridsize=reduction_method.gridsize,
            class_names=hidden_states.features["label"].names,
            reduction_method=reduction_method,
        )

    @property
    def cells(self) -> np.ndarray:
        """The cell of each prompt, column * gridsize + row: int (layers, n)."""
        return np.array([grid.X * self.gridsize + grid.Y for grid in self.reduced_dataset])

    def counts(self, label: str | None) -> np.ndarray:
        """Prompts of a label, or all, in each cell: int (layers, gridsize, gridsize), by column and row."""
        counts = count_cells(self.cells[:, self._rows(label)], self.gridsize**2)
        return counts.reshape(-1, self.gridsize, self.gridsize)

    def _get_all_grids(self, dataset) -> list[pd.DataFrame]:
        labels = np.asarray(dataset["label"])
        return [self._build_grid(labels, f"hidden_state_{layer}", self.gridsize) for layer in range(self.num_layers)]

    def _build_grid(self, dataset: np.ndarray, hidden_state_label: str, gridsize: int) -> pd.DataFrame:
        layer = hidden_state_label.rsplit("_", 1)[1]
        inner = self.reduction_method.borders[hidden_state_label][1:-1]
        columns, rows = (
            np.searchsorted(inner[:, axis], self.reduced[hidden_state_label][:, axis].numpy()) for axis in (0, 1)
        )
        names = [f"{layer}_{column}_{row}" for column, row in zip(columns, rows)]
        return pd.DataFrame({"X": columns, "Y": rows, "label": dataset, "cell_label": names})

    def _graph_of(self, label: str | None, threshold: float) -> nx.DiGraph:
        graph = Graph2D.build_graph(self, label)
        graph.graph["label_names"] = [] if label is None else [label]
        for node, data in graph.nodes(data=True):
            layer, column, row = (int(part) for part in node.split("_"))
            data |= {"layer": layer, "place": (column * self.gridsize + row) / (self.gridsize**2 - 1)}
        return graph


class GraphMetrics(Metrics):
    """llm-mri's metrics of a graph, with layers counted from 0; NaN where a graph has no edges."""

    def project_graph(self) -> tuple[nx.Graph, nx.Graph]:
        """The projections on the even and on the odd layers, of the graph without directions."""
        graph = nx.Graph(self.Graph)
        sides = [[node for node, layer in graph.nodes(data="layer") if layer % 2 == side] for side in (0, 1)]
        return tuple(collaboration_weighted_projected_graph(graph, side) for side in sides)

    def get_degree_by_layer(self) -> pd.DataFrame:
        """Mean and variance of the degrees in each layer: columns layer, mean, var."""
        degrees = pd.DataFrame({"layer": dict(self.Graph.nodes(data="layer")), "degree": dict(self.Graph.degree())})
        return degrees.groupby("layer")["degree"].agg(["mean", "var"]).reset_index()

    def get_graph_center_of_mass(self) -> float:
        """The mean layer of the nodes that have an edge, from the middle layer, in layers."""
        return self._center({node: float(degree > 0) for node, degree in self.Graph.degree()})

    def get_graph_center_of_strength(self) -> float:
        """The mean layer, each node counted by the weights of its edges, from the middle layer, in layers."""
        return self._center(dict(self.Graph.degree(weight="weight")))

    def _center(self, masses: Mapping[str, float]) -> float:
        layers = self.Graph.nodes(data="layer")
        total = sum(masses.values())
        return sum(masses[node] * layer for node, layer in layers) / total - (self.layers - 1) / 2 if total else np.nan
