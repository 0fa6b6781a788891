"""The registry of fine-tuning methods: title, paper, columns of the dataset, and TRL's classes.

A method is an entry here, a module of its name in `ascii_maze.training` that makes its trainer, and a recipe. TRL is
imported when a class is asked for.
"""

import importlib
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Method:
    """A way to fine-tune.

    Attributes:
        title: in full.
        paper: authors and year.
        arxiv: its number there, by which the Hub links it.
        columns: of the dataset that it trains on.
        config: TRL's dataclass of its settings, as `module:name`.
        trainer: TRL's trainer, likewise.
        scores: it trains a reward model, which gives a number and walks no maze.
        generates: it trains on what the model itself writes.
    """

    title: str
    paper: str
    arxiv: str
    columns: tuple[str, ...]
    config: str
    trainer: str
    scores: bool = False
    generates: bool = False

    def config_class(self) -> type:
        """TRL's config, a dataclass; imports TRL."""
        return load_object(self.config)

    def trainer_class(self) -> type:
        """TRL's trainer; imports TRL and torch."""
        return load_object(self.trainer)


def load_object(place: str):
    """What `module:name` says."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


PAIRS = ("prompt", "chosen", "rejected")
METHODS = MappingProxyType(
    {
        "sft": Method(
            "supervised fine-tuning",
            "Ouyang et al., 2022",
            "2203.02155",
            ("prompt", "completion"),
            "trl:SFTConfig",
            "trl:SFTTrainer",
        ),
        "dpo": Method(
            "direct preference optimisation",
            "Rafailov et al., 2023",
            "2305.18290",
            PAIRS,
            "trl:DPOConfig",
            "trl:DPOTrainer",
        ),
        "orpo": Method(
            "odds-ratio preference optimisation",
            "Hong et al., 2024",
            "2403.07691",
            PAIRS,
            "trl.experimental.orpo:ORPOConfig",
            "trl.experimental.orpo:ORPOTrainer",
        ),
        "kto": Method(
            "Kahneman-Tversky optimisation",
            "Ethayarajh et al., 2024",
            "2402.01306",
            PAIRS,
            "trl:KTOConfig",
            "trl:KTOTrainer",
        ),
        "reward": Method(
            "the Bradley-Terry loss on pairs of walks",
            "Ouyang et al., 2022",
            "2203.02155",
            PAIRS,
            "trl:RewardConfig",
            "trl:RewardTrainer",
            scores=True,
        ),
        "rlhf": Method(
            "RLOO against a reward model",
            "Ahmadian et al., 2024",
            "2402.14740",
            ("prompt", "maze"),
            "trl:RLOOConfig",
            "trl:RLOOTrainer",
            generates=True,
        ),
        "grpo": Method(
            "group relative policy optimisation",
            "Shao et al., 2024",
            "2402.03300",
            ("prompt", "maze"),
            "trl:GRPOConfig",
            "trl:GRPOTrainer",
            generates=True,
        ),
    }
)
