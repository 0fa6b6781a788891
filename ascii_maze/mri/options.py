"""The options of a report, besides its models and mazes."""

from dataclasses import dataclass

from ..models.chat import AS_IT_IS, Chat
from .layers import AUTO


@dataclass(frozen=True)
class Options:
    """Which mazes are read, and on how many of them models are changed to measure the effects.

    Attributes:
        limit: most mazes of the split; see `dataset_builder.load.limited_places`.
        seed: of the probes' splits, the chosen cells and the regions.
        chat: how the models read conversations; by default as their tokenizers say.
        layers: that are patched; see `layers.wanted_layers`.
        patch_mazes: how many of the mazes patched models answer, once per adapter and layer.
        cause_mazes: on how many mazes heads and MLPs are patched, adapters mixed and states steered, which takes most
            of the time where there are many; 0 leaves it out.
        maze: id of the one that is shown from inside; by default one on which the models differ.
        language: of report.html, one of `LANGUAGES`.
    """

    limit: int | None = 1_000
    seed: int = 0
    chat: Chat = AS_IT_IS
    layers: str = AUTO
    patch_mazes: int = 100
    cause_mazes: int = 16
    maze: str | None = None
    language: str = "en"
