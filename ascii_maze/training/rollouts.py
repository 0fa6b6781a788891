"""Rollouts of several turns in TRL's GRPO, sampled as in an evaluation: a turn ends at the same tokens, and reads only
what was added since the previous turn.

TRL would allow every turn the length of a whole conversation, so that one endless turn delays a batch, and would
read each conversation again in every turn.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..models.generation import next_turns
from ..models.shared_prefix import sharing
from ..models.turns import Memory, can_keep
from .steps import turn_budget
from .watch import over_processes

if TYPE_CHECKING:
    from trl import GRPOTrainer as _Trainer
else:
    _Trainer = object

# The place in what TRL's `_generate` returns: for each rollout, 0 for every token of the environment, 1 for others.
TOOL_MASK = 2


def turn_by_turn(trainer_class: type) -> type:
    """Extend GRPO's trainer class; sampling by vLLM or in several processes remains TRL's."""
    return type(trainer_class.__name__, (_TurnByTurn, trainer_class), {})


class _TurnByTurn(_Trainer):
    """The methods with which `turn_by_turn` overrides a trainer's."""

    walks: Memory | None = None
    names: dict[int, list[int]]

    def _generate(self, prompts: list):
        model = self.accelerator.unwrap_model(self.model_wrapped)
        own = not (self.use_vllm or self.use_transformers_continuous_batching) and self.accelerator.num_processes == 1
        self.walks, self.names = Memory(model) if own and can_keep(model) else None, {}
        try:
            made = super()._generate(prompts)
        finally:
            self.walks, self.names = None, {}  # the weights change before the next rollouts
        if self.model.training:  # TRL counts prompts and the model's turns; it also reads what the environment said
            read = sum(mask.count(0) for mask in made[TOOL_MASK] or [])
            self.state.num_input_tokens_seen += over_processes(self.accelerator, read)
        return made

    def _generate_single_turn(self, prompt_ids: list[list[int]], *args, **kwargs):
        if self.walks is None:
            return super()._generate_single_turn(prompt_ids, *args, **kwargs)
        import torch
        from trl.models.utils import unwrap_model_for_generation

        names, room = self._named(prompt_ids), turn_budget(self._tokenizer, [tool.env for tool in self.environments])
        room = min(room, self.max_completion_length)
        self.walks.forget_others(names)
        with (
            unwrap_model_for_generation(
                self.model_wrapped,
                self.accelerator,
                gradient_checkpointing_kwargs=self.args.gradient_checkpointing_kwargs,
            ) as model,
            torch.no_grad(),
            sharing(model, prompt_ids),
        ):
            turns = next_turns(model, self._tokenizer, self.walks, names, prompt_ids, room, self._how())
        ended = [_to_end(turn, self.eos_token_ids) for turn in turns]
        self.names = {name: [*ids, *turn] for name, ids, turn in zip(names, prompt_ids, ended)}
        return ended, None

    def _named(self, rows: list[list[int]]) -> list[int]:
        """The index of each conversation; those still running keep the order of the previous turn."""
        if not self.names:
            return list(range(len(rows)))
        before, names = iter(self.names.items()), list[int]()
        for row in rows:
            found = (name for name, ids in before if row[: len(ids)] == ids)
            names.append(next(found, -1 - len(names)))  # an unknown one is read in full
        return names

    def _how(self) -> dict[str, Any]:
        """How tokens are sampled, as arguments of `model.generate`."""
        names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
        drawn = {**{name: getattr(self.args, name) for name in names}, **(self.args.generation_kwargs or {})}
        drawn.pop("max_new_tokens", None)
        return {"do_sample": True, "eos_token_id": self.eos_token_ids, **drawn}


def _to_end(tokens: list[int], ends: Sequence[int]) -> list[int]:
    """A turn up to and including the token that ends it."""
    return tokens[: next((place for place, token in enumerate(tokens) if token in ends), len(tokens)) + 1]
