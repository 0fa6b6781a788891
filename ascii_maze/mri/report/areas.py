"""The areas of one model with llm-mri's methods that draw, in the style of this report. Needs llm-mri."""

from typing import TYPE_CHECKING

from ...errors import UsageError
from ..regions.areas import ModelAreas
from .panels import draw_graph, draw_grid

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.figure import Figure


class DrawnAreas(ModelAreas):
    """Areas whose `get_grid` and `get_graph_image` work as in llm-mri; a class for `fit_areas`."""

    def get_graph_image(self, G: "nx.Graph", colormap: str | None = None, fix_node_positions: bool = True) -> "Figure":
        """A figure of the graph, one column per layer; arguments for colours and places are ignored."""
        return draw_graph(G)

    def get_grid(self, layer: int, category_name: str) -> "Figure":
        """A figure of the prompts of one label in the cells of one layer.

        Raises:
            UsageError: there are more than 2 components, so there are no cells.
        """
        if self.reduction_method.n_components != 2:
            raise UsageError(f"a grid has 2 components, and these areas {self.reduction_method.n_components}")
        return draw_grid(self.graph_class.counts(category_name)[layer], f"hidden state {layer}: {category_name}")
