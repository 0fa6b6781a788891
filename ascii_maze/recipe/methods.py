"""The registry of fine-tuning methods: title, paper, columns of the dataset, and TRL's classes.

A method is an entry here, a module of its name in `ascii_maze.training` that makes its trainer, and a recipe. TRL is
imported when one of its classes is requested.
"""

import importlib
import importlib.metadata
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import AsciiMazeError


@dataclass(frozen=True)
class Method:
    """A fine-tuning method.

    Attributes:
        title: the full name.
        paper: authors and year.
        arxiv: the paper's arXiv number, by which the Hub links it.
        columns: columns of the dataset that it trains on.
        trl: location of TRL's classes, `module:NAME` for NAMEConfig and NAMETrainer.
        scores: whether it trains a reward model, which gives a number instead of an answer.
        generates: whether it trains on the model's own completions.
        stepwise: whether it can train on step-by-step walks.
        verifiable: whether its reward is the verifiable one, which `random_reward` can replace.
    """

    title: str
    paper: str
    arxiv: str
    columns: tuple[str, ...]
    trl: str
    scores: bool = False
    generates: bool = False
    stepwise: bool = False
    verifiable: bool = False

    @property
    def trainer(self) -> str:
        """TRL's name of the method whose trainer it uses, such as `SFT`."""
        return self.trl.partition(":")[2]

    @property
    def learns_from_answers(self) -> bool:
        """Whether it trains a walker on the answers of a dataset, which may be the model's own."""
        return not (self.scores or self.generates)

    def config_class(self) -> type:
        """TRL's config, a dataclass; imports TRL."""
        return _load(f"{self.trl}Config")

    def trainer_class(self) -> type:
        """TRL's trainer; imports TRL and torch."""
        return _load(f"{self.trl}Trainer")


def _load(place: str) -> type:
    """TRL's class `module:NAME`, from the stable module if it has left the experimental one.

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
    "sft": Method("supervised fine-tuning", "Ouyang et al., 2022", "2203.02155", ANSWERS, "trl:SFT", stepwise=True),
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
        "group relative policy optimisation",
        "Shao et al., 2024",
        "2402.03300",
        MAZES,
        "trl:GRPO",
        generates=True,
        stepwise=True,
        verifiable=True,
    ),
}
METHODS = MappingProxyType(_ENTRIES)


def methods_that(accepts: Callable[[Method], bool]) -> str:
    """The names of the methods that fulfil a condition, as `sft, dpo and kto`, for messages."""
    *names, last = [name for name, method in METHODS.items() if accepts(method)]
    return f"{', '.join(names)} and {last}" if names else last
