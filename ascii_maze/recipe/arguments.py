"""The dataclasses of a recipe: ascii-maze's own arguments, and all of them together with TRL's."""

from dataclasses import dataclass, field
from typing import Any

from ..configuration import parse_weights


@dataclass(frozen=True)
class Budget:
    """A limit on what a run may use, in a unit that is the same for every method.

    Attributes:
        unit: `tokens` (prompts and answers read by the trained model, including generated ones), `seconds` or `steps`.
        amount: number of units.
    """

    unit: str
    amount: int

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """`tokens=300000` -> a budget.

        Raises:
            ValueError: another unit, or not a whole number above 0.
        """
        unit, _, amount = text.partition("=")
        if unit not in ("tokens", "seconds", "steps") or not amount.isdecimal() or int(amount) == 0:
            raise ValueError(f"budget is '{text}'; expected tokens=N, seconds=N or steps=N")
        return cls(unit, int(amount))


@dataclass
class RunArguments:
    """The arguments that ascii-maze adds to TRL's."""

    adapter_name_or_path: str | None = field(
        default=None,
        metadata={"help": "The adapter to start from; for DPO, KTO, RLHF and GRPO it is the reference model too."},
    )
    reward_model_name_or_path: str | None = field(
        default=None, metadata={"help": "For RLHF: the reward model, an adapter that `method: reward` has trained."}
    )
    dataset_mix: str | None = field(
        default=None,
        metadata={
            "help": "Datasets to train on in place of dataset_name, by weight: {demo: 0.8, preferences: 0.2}, or "
            "demo=0.8,preferences=0.2; evaluations are of dataset_name."
        },
    )
    own_answers: int | None = field(
        default=None,
        metadata={
            "help": "Train on the model's own answers, this many sampled for each row before the run: SFT on "
            "those that are right, DPO, KTO and ORPO on a right one and a worse one. A budget in seconds counts them."
        },
    )
    train_limit: int | None = field(
        default=None, metadata={"help": "Train on this many rows, the first of the split; by default on all."}
    )
    eval_limit: int | None = field(
        default=None,
        metadata={
            "help": "Evaluate on this many rows and mazes, easy and hard ones of each kind in proportion; by default "
            "on all."
        },
    )
    early_stopping_patience: int | None = field(
        default=None, metadata={"help": "Stop after this many evaluations without a better eval_valid."}
    )
    hub_base_model: str | None = field(
        default=None, metadata={"help": "With push_to_hub: the Hub id of the base, if model_name_or_path is local."}
    )
    cpu_batch_size: int | None = field(
        default=None, metadata={"help": "Largest batch without CUDA; the rows per step stay those of the recipe."}
    )
    chat_template: str | None = field(
        default=None,
        metadata={"help": "`plain`, or a Jinja file, in place of the tokenizer's chat template."},
    )
    thinking: bool | None = field(
        default=None, metadata={"help": "Let the model think before it answers, as its chat template has it."}
    )
    thinking_tokens: int | None = field(
        default=None, metadata={"help": "Most tokens of a thought, in addition to the answer's; 1,024 by default."}
    )
    budget: str | None = field(
        default=None,
        metadata={"help": "Stop after tokens=N, seconds=N or steps=N, in addition to the recipe's other limits."},
    )
    random_reward: bool = field(
        default=False,
        metadata={"help": "For GRPO, a control: reward completions at random, regardless of content."},
    )
    stepwise: str | None = field(
        default=None,
        metadata={
            "help": "For GRPO and SFT: walk step by step and see full, window:RADIUS, local or none, +goal or not; "
            "of config `steps` SFT takes these walks."
        },
    )
    max_moves: int | None = field(
        default=None, metadata={"help": "With stepwise: moves of a walk; twice the open positions by default."}
    )
    shared_prefix: str = field(
        default="auto",
        metadata={"help": "Read the common prefix of a batch's rows once: auto (if that is exact), true or false."},
    )

    def __post_init__(self):
        if self.budget is not None:
            Budget.parse(self.budget)
        if self.shared_prefix not in ("auto", "true", "false"):
            raise ValueError(f"shared_prefix is '{self.shared_prefix}'; expected auto, true or false")
        if self.dataset_mix is not None:
            parse_weights("dataset_mix", self.dataset_mix)


@dataclass(frozen=True)
class Arguments:
    """A recipe as checked dataclasses: TRL's config of the method, ModelConfig, ScriptArguments and `RunArguments`."""

    training: Any
    model: Any
    script: Any
    run: RunArguments
