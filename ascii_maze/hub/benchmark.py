"""A dataset as a benchmark on the Hub: `eval.yaml` names its tasks, and `.eval_results` of models refer to them.

A task is a split on which results are reported, and its id is the split's name, in both files. See
https://huggingface.co/docs/hub/eval-results.
"""

from collections.abc import Iterable

import yaml

FILE = "eval.yaml"
# One of the frameworks that the Hub accepts. Inspect runs this package's task with `evaluate`'s prompt and scorer;
# tasks that Inspect builds from eval.yaml alone use its own scorers, none of which recognises a legal path.
FRAMEWORK = "inspect-ai"
NOT_REPORTED = ("train", "validation")


def is_task(split: str) -> bool:
    """Whether results on a split are published, which excludes those for training and for model selection."""
    return split not in NOT_REPORTED


def task_id(split: str) -> str:
    """The id of a split's task, in `eval.yaml` and in `.eval_results`."""
    return split


def render_eval_yaml(name: str, repo: str, splits: Iterable[str]) -> str:
    """`eval.yaml` of a dataset.

    Args:
        name: of its config.
        repo: ORG/NAME.
        splits: of the dataset.
    """
    tasks = [{"id": task_id(split), "config": "prompts", "split": split} for split in splits if is_task(split)]
    described = {
        "name": f"ASCII Maze ({name})",
        "description": "A language model reads a maze drawn in ASCII and answers with a path from S to G. The value "
        "of a task is the share of valid paths, 0-1: every step open and inside, the last one on G.",
        "evaluation_framework": FRAMEWORK,
        "tasks": tasks,
    }
    run = f"# inspect eval ascii_maze/ascii_maze -T dataset={repo} -T split={tasks[0]['split'] if tasks else 'test'}"
    return f"{run} --model MODEL      # pip install 'ascii-maze[evals]'\n" + yaml.safe_dump(
        described, sort_keys=False, allow_unicode=True, width=100
    )
