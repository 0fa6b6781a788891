"""llm-mri's ActivationAreas over activations that we extract ourselves.

llm-mri takes the first token of each text, which in a causal model has attended to nothing, truncates texts at 512
tokens, reloads the model for every 1000 rows and returns stale activations when weights change. Here it is given
activations at a named position; everything else works as in llm-mri. Needs llm-mri.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from llm_mri import ActivationAreas

from .graphs import ComponentGraph, RegionGraph
from .reduction import SharedBasis


class HiddenStates:
    """What llm-mri expects of a dataset: named columns; a layer is read from disk on access.

    Args:
        read: layer -> float32 (n, width).
        layers: number of hidden states.
        labels: int (n,), indices of `label_names`.
        rows: int, the rows of this view; None for all.
    """

    def __init__(
        self,
        read: Callable[[int], np.ndarray],
        layers: int,
        labels: np.ndarray,
        label_names: Sequence[str],
        rows: np.ndarray | None = None,
    ) -> None:
        from datasets import ClassLabel

        self.read, self.layers, self.labels = read, layers, labels
        self.rows = np.arange(len(labels)) if rows is None else rows
        self.features = {"label": ClassLabel(names=list(label_names))}
        self.column_names = [*(f"hidden_state_{layer}" for layer in range(layers)), "label"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> torch.Tensor:
        if name == "label":
            return torch.from_numpy(self.labels[self.rows])
        return torch.from_numpy(self.read(int(name.rsplit("_", 1)[1]))[self.rows])

    def select(self, indices: Sequence[int]) -> "HiddenStates":
        """The rows at these indices, as a view."""
        rows = self.rows[np.asarray(indices, dtype=int)]
        return HiddenStates(self.read, self.layers, self.labels, self.features["label"].names, rows)


class ModelAreas(ActivationAreas):
    """The activation areas of one model, in a basis that it shares with others.

    `get_graph`, and llm-mri's Evaluation of it, work as in llm-mri; what draws is in `report.areas`.

    Args:
        reduction_method: fitted on every layer.
        alpha: false discovery rate of the edges between components.
    """

    def __init__(self, hidden_states: HiddenStates, reduction_method: SharedBasis, alpha: float = 0.05) -> None:
        # Without the constructor of llm-mri, which loads a tokenizer from a path.
        self.dataset = self.hidden_states_dataset = hidden_states
        self.reduction_method = reduction_method
        self.class_names = hidden_states.features["label"].names
        self.num_layers = hidden_states.layers
        self.alpha = alpha

    def process_activation_areas(self) -> None:
        """Reduce every layer, and make the graph: of regions for 2 components, else of components."""
        self.reduced_dataset = self.reduction_method.get_hidden_states_reduction(self.dataset)
        self._make_graph()

    def relabelled(self, labels: np.ndarray, label_names: Sequence[str]) -> "ModelAreas":
        """The same areas under other labels of the same prompts: int (n,), indices of `label_names`."""
        states = HiddenStates(self.dataset.read, self.num_layers, labels, label_names)
        areas = type(self)(states, self.reduction_method, self.alpha)
        areas.reduced_dataset = self.reduced_dataset
        areas._make_graph()
        return areas

    def _make_graph(self) -> None:
        parts = self.dataset, self.reduced_dataset, self.reduction_method
        two = self.reduction_method.n_components == 2
        self.graph_class = RegionGraph(*parts) if two else ComponentGraph(*parts, self.alpha)


def fit_areas(
    basis: SharedBasis,
    fitted_on: Sequence[str],
    states: Mapping[str, HiddenStates],
    alpha: float,
    make_areas: type[ModelAreas] = ModelAreas,
) -> dict[str, ModelAreas]:
    """Fit a basis on the union of some models, and process all of them in it; one layer is held at a time.

    Args:
        basis: not fitted yet.
        states: by name of the model, on the same prompts.
        make_areas: the class of the areas, as `report.areas.DrawnAreas`.
    """
    for layer in range(states[fitted_on[0]].layers):
        basis.fit(f"hidden_state_{layer}", np.concatenate([states[model].read(layer) for model in fitted_on]))
    areas = {model: make_areas(some, basis, alpha) for model, some in states.items()}
    for area in areas.values():
        area.process_activation_areas()
    return areas
