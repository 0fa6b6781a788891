"""The registry of fine-tuning methods: title, paper, columns of the dataset, and TRL's classes.

A method is an entry here, a module of its name in `ascii_maze.training` that makes its trainer, and a recipe. TRL is
imported when a class is asked for.
"""

import importlib
import importlib.metadata
import re
from dataclasses import dataclass
from types import MappingProxyType

from .errors import AsciiMazeError


@dataclass(frozen=True)
class Method:
    """A way to fine-tune.

    Attributes:
        title: the name in full.
        paper: authors and year.
        arxiv: the paper's number there, by which the Hub links it.
        columns: of the dataset that it trains on.
        trl: where TRL's classes are, `module:NAME` for NAMEConfig and NAMETrainer.
        scores: it trains a reward model, which gives a number and answers no maze.
        generates: it trains on the model's own completions.
    """

    title: str
    paper: str
    arxiv: str
    columns: tuple[str, ...]
    trl: str
    scores: bool = False
    generates: bool = False

    def config_class(self) -> type:
        """TRL's config, a dataclass; imports TRL."""
        return _load(f"{self.trl}Config")

    def trainer_class(self) -> type:
        """TRL's trainer; imports TRL and torch."""
        return _load(f"{self.trl}Trainer")


def _load(place: str) -> type:
    """A class of TRL's, `module:NAME`; if it has left an experimental module, that of the stable ones.

    Raises:
        AsciiMazeError: this TRL has no such class.
    """
    module, _, name = place.partition(":")
    for where in dict.fromkeys((module, "trl")):
        try:
            return getattr(importlib.import_module(where), name)
        except AttributeError:
            continue
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("trl."):
                raise
    asked = next(line for line in importlib.metadata.requires("ascii-maze") or ["trl"] if re.match(r"trl\b", line))
    raise AsciiMazeError(
        f"TRL {importlib.metadata.version('trl')} has no {name} in {module}; pip install '{asked}' has it"
    )


ANSWERS, PAIRS, MAZES = ("prompt", "completion"), ("prompt", "chosen", "rejected"), ("prompt", "maze")
ORPO = "trl.experimental.orpo:ORPO"
_ENTRIES = {
    "sft": Method("supervised fine-tuning", "Ouyang et al., 2022", "2203.02155", ANSWERS, "trl:SFT"),
    "dpo": Method("direct preference optimisation", "Rafailov et al., 2023", "2305.18290", PAIRS, "trl:DPO"),
    "orpo": Method("odds-ratio preference optimisation", "Hong et al., 2024", "2403.07691", PAIRS, ORPO),
    "kto": Method("Kahneman-Tversky optimisation", "Ethayarajh et al., 2024", "2402.01306", PAIRS, "trl:KTO"),
    "reward": Method(
        "the Bradley-Terry loss on pairs",
        "Ouyang et al., 2022",
        "2203.02155",
        PAIRS,
        "trl:Reward",
        scores=True,
    ),
    "rlhf": Method(
        "RLOO against a reward model", "Ahmadian et al., 2024", "2402.14740", MAZES, "trl:RLOO", generates=True
    ),
    "grpo": Method(
        "group relative policy optimisation", "Shao et al., 2024", "2402.03300", MAZES, "trl:GRPO", generates=True
    ),
}
METHODS = MappingProxyType(_ENTRIES)
