"""GRPO on step-by-step walks, through TRL's `environment_factory`: the conversation is the same as in
`ascii-maze evaluate --stepwise`, and the loss is on the model's turns alone.

For TRL a turn is a call of the one tool `turn`. So that no model has to learn a syntax of calls, and templates without
tools work too, everything that it writes is parsed as such a call and rendered unchanged: by a template in front of
the tokenizer's own, and a parser in place of transformers', both on a copy of the tokenizer that is never saved.
After the goal TRL asks for one more turn, which ends the conversation.
"""

import copy
from collections.abc import Callable, Sequence

from ..environment.env import MazeEnv
from ..environment.episode import ENDS
from ..environment.observations import Observation
from ..environment.prompts import step_rules
from ..environment.tools import TrlEnvironment, environment_class
from ..environment.walks import moves_in_turn, walk_all
from ..errors import UsageError
from ..mazes.baselines import open_positions
from ..mazes.prompts import Message
from ..mazes.terms import Terms
from ..models.budgets import answer_budget
from ..models.chat import apply_template, how_read
from ..models.generation import GREEDY, conversing
from ..models.loading import context_of
from ..models.turns import within_context

TOOL = "turn"
# A call of our tool is rendered as what was written, its result as a user's message; any other by name and arguments.
_AS_TEXT = (
    "{%- set talk = namespace(messages=[]) -%}"
    "{%- for message in messages -%}"
    "{%- if message.role == 'tool' -%}"
    "{%- set talk.messages = talk.messages + [{'role': 'user', 'content': message.content}] -%}"
    "{%- elif message.tool_calls -%}"
    "{%- set call = message.tool_calls[0].function -%}"
    f"{{%- if call.name == '{TOOL}' -%}}{{%- set said = call.arguments.moves or '' -%}}"
    "{%- else -%}{%- set said = call.name ~ (call.arguments | tojson) -%}{%- endif -%}"
    "{%- set talk.messages = talk.messages + [{'role': 'assistant', 'content': said}] -%}"
    "{%- else -%}"
    "{%- set talk.messages = talk.messages + [message] -%}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- set messages = talk.messages -%}"
)
_SHOWN_OF_PREFIX = 64  # tokens at the end of a conversation, more than any last sentence has


class WalkTool(TrlEnvironment):
    """A walk whose one tool is a whole turn."""

    def turn(self, moves: str = "") -> str:
        """Make moves.

        Args:
            moves: such as R R D, or look, or stop

        Returns:
            What happened, and what is seen.
        """
        return self.env.turn(moves)


def walk_tool(observation: str, max_moves: int | None) -> type[WalkTool]:
    """`environment_class` with this tool."""
    return environment_class(WalkTool, observation, max_moves)


def reading_turns(tokenizer):
    """A copy of a tokenizer that renders turns as they were written, and parses anything a model writes as a turn.

    Raises:
        UsageError: it cannot encode the words that mark the end of a walk.
    """
    reader = copy.deepcopy(tokenizer)
    reader.chat_template = _AS_TEXT + tokenizer.chat_template
    reader.response_template = {}  # TRL checks that there is one, and then calls `parse_response`
    last_words = tuple(_ending(reader, end) for end in ENDS)
    if _ending(reader, "wall") in last_words:
        raise UsageError(
            f"the tokenizer of '{tokenizer.name_or_path}' has no tokens for the words of a walk step by step: it does "
            "not tell 'goal' from 'wall'; take another model"
        )

    def parse_response(ids, prefix=None, tools=None) -> dict:
        text = reader.decode(ids, skip_special_tokens=True)
        before = "" if prefix is None else reader.decode(prefix[-_SHOWN_OF_PREFIX:])
        if before.endswith(last_words):
            return {"role": "assistant", "content": text}
        call = {"type": "function", "function": {"name": TOOL, "arguments": {"moves": text}}}
        return {"role": "assistant", "content": "", "tool_calls": [call]}

    reader.parse_response = parse_response
    return reader


def _ending(tokenizer, words: str) -> str:
    """The decoded end of a conversation whose last message says that the walk is over."""
    talk = [{"role": "user", "content": "S"}, {"role": "assistant", "content": "R"}]
    said = {"role": "user", "content": f"moved 1, {words}"}
    whole = apply_template(tokenizer, [*talk, said], add_generation_prompt=True, return_dict=False)
    last = tokenizer.decode(whole[-_SHOWN_OF_PREFIX:])
    # The text before these words differs in every walk.
    return last[last.rfind(tokenizer.decode(tokenizer(words, add_special_tokens=False)["input_ids"])) :]


def step_rows(rows, observation: str):
    """Rows of the dataset with the rules of walks as prompt, and an empty message for the observation."""
    rules = step_rules(Observation.parse(observation))
    prompt = [{"role": "system", "content": rules}, {"role": "user", "content": ""}]
    return rows.map(lambda row: {"prompt": prompt}) if rows is not None else None


def step_reward(term: str) -> Callable[..., list[float]]:
    """A term of the reward as a function of TRL, from the walks themselves."""

    def reward(environments: list[WalkTool], **columns) -> list[float]:
        return [getattr(environment.env.result().terms, term) for environment in environments]

    reward.__name__ = term
    return reward


def step_arguments(run, args: dict) -> dict:
    """The arguments of GRPO's trainer for step-by-step walks, in place of prompts, tokenizer and rewards.

    Args:
        run: the recipe's `RunArguments`, with `stepwise`.
        args: train_dataset, eval_dataset and processing_class.
    """
    return {
        **args,
        "train_dataset": step_rows(args["train_dataset"], run.stepwise),
        "eval_dataset": step_rows(args["eval_dataset"], run.stepwise),
        "processing_class": reading_turns(args["processing_class"]),
        "reward_funcs": [step_reward(term) for term in Terms._fields],
        "environment_factory": walk_tool(run.stepwise, run.max_moves),
    }


def turn_budget(tokenizer, envs: Sequence[MazeEnv]) -> int:
    """Most new tokens of a turn in some walks, as in `evaluate --stepwise`, reasoning included."""
    moves = moves_in_turn(envs[0].observation, max(open_positions(env.maze) for env in envs))
    return how_read(tokenizer).thinking_tokens + answer_budget(tokenizer, moves)


def measure_steps(trainer, mazes: list[str], run, batch_size: int = 64) -> dict[str, float]:
    """Walk held-out mazes with the model as it is now, greedily, as `evaluate --stepwise` does; in every process.

    Returns:
        `valid`, `success`, `optimal`, `spl`: means, 0-1.
    """
    from trl.models.utils import unwrap_model_for_generation

    tokenizer, envs = trainer.processing_class, [MazeEnv(maze, run.stepwise, run.max_moves) for maze in mazes]
    budget, decoding = turn_budget(tokenizer, envs), GREEDY._replace(batch_size=batch_size)
    with unwrap_model_for_generation(trainer.model_wrapped, trainer.accelerator) as model:
        model.eval()
        converse, context = conversing(model, tokenizer), context_of(model)

        def ask(talks: Sequence[list[Message]], turn: int) -> list[str]:
            shown = [within_context(tokenizer, context, talk, budget) for talk in talks]
            return converse([id(talk) for talk in talks], shown, budget, decoding)

        walks = walk_all(envs, ask, lambda done: None)
    episodes = [walk.episode for walk in walks]
    figures: dict[str, list[float]] = {
        "valid": [episode.score.valid for episode in episodes],
        "success": [episode.score.reaches_goal for episode in episodes],
        "optimal": [episode.score.optimal for episode in episodes],
        "spl": [episode.spl for episode in episodes],
    }
    return {name: sum(values) / len(values) for name, values in figures.items()}
