"""Mazes as a task of Inspect, with the prompt and the scorer of `ascii-maze evaluate`.

    inspect eval ascii_maze/ascii_maze --model hf/HuggingFaceTB/SmolLM2-135M-Instruct -M do_sample=false
    inspect eval ascii_maze/ascii_maze --model hf/local -M model_path=outputs/merged -M do_sample=false
    inspect eval ascii_maze/ascii_maze -T dataset=ORG/mazes -T split=test_larger --model openai/gpt-5 --temperature 0
    inspect eval ascii_maze/ascii_maze_steps -T observation=window:2 --model openai/gpt-5      # step by step

What `ascii-maze merge` writes has the chat template of the training. For a base `tokens MODEL --save FOLDER`
writes a tokenizer that asks it as `evaluate` does: -M tokenizer=FOLDER, beside a model_path -M tokenizer_path=FOLDER.
Reasoning needs more tokens: -T max_tokens=1536.

Needs `pip install "ascii-maze[evals]"`.
"""

from types import MappingProxyType

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.scorer import Score, mean, scorer, stderr
from inspect_ai.solver import generate

# Inspect may load this file by its path, outside of the package.
from ascii_maze import score_path
from ascii_maze.evaluation.schema import LENIENT_RATES, RATES
from ascii_maze.metrics.path_validity.lenient import score_lenient
from ascii_maze.models.chat import thought_of_prompts
from dataset_builder.load import load_mazes

ROLES = MappingProxyType({"system": ChatMessageSystem, "user": ChatMessageUser})


@task
def ascii_maze(dataset: str = "ascii-maze", split: str = "test", max_tokens: int = 512) -> Task:
    """The mazes of one split.

    Args:
        dataset: a folder that `ascii-maze build` made, or a Hub id.
        split: of its config `prompts`.
        max_tokens: most tokens of an answer.
    """
    samples = [
        Sample(
            id=row["id"],
            input=[ROLES[message["role"]](content=message["content"]) for message in row["prompt"]],
            target=row["solution"] or "",
            metadata={"maze": row["maze"]},
        )
        for row in load_mazes(dataset, split, None)
    ]
    config = GenerateConfig(max_tokens=max_tokens)
    return Task(dataset=MemoryDataset(samples, name=split), solver=generate(), scorer=path_validity(), config=config)


@scorer(metrics={rate: [mean(), stderr()] for rate in (*RATES, *LENIENT_RATES)})
def path_validity():
    """The rates of one answer, each 0 or 1; every field of its score as metadata."""

    async def score(state, target) -> Score:
        maze, completion = state.metadata["maze"], opened_by_prompts() + state.output.completion
        scored = score_path(maze, completion)
        fields = {**scored.to_dict(), **score_lenient(maze, completion, scored)._asdict()}
        value = {rate: float(fields[rate]) for rate in (*RATES, *LENIENT_RATES)}
        return Score(value=value, answer=completion, metadata=fields)

    return score


def opened_by_prompts() -> str:
    """The reasoning tag that the model's chat template opens in every prompt, for models of transformers; or ""."""
    api = get_model().api
    tokenizer, thinking = getattr(api, "tokenizer", None), getattr(api, "enable_thinking", None)
    if getattr(tokenizer, "chat_template", None) is None:
        return ""
    return thought_of_prompts(tokenizer, enable_thinking=thinking)
