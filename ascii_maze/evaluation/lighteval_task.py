"""Mazes as tasks of lighteval, with the scorer of `ascii-maze evaluate`; needs `pip install "ascii-maze[lighteval]"`.

    lighteval accelerate "model_name=HuggingFaceTB/SmolLM2-135M-Instruct" "ascii_maze|0" \
        --custom-tasks ascii_maze.evaluation.lighteval_task

`ascii_maze_larger` and `ascii_maze_unseen` are the splits of those names. The dataset is ./ascii-maze, or what
ASCII_MAZE_DATASET names: a folder that `ascii-maze build` made, or a Hub id. lighteval has no system message for a
task, so the rules precede the maze in one message. The prompt therefore differs from that of `evaluate`, and so may
the rates.
"""

import os

import numpy as np
from lighteval.metrics.metrics_sample import SampleLevelComputation
from lighteval.metrics.utils.metric_utils import SampleLevelMetricGrouping
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc, SamplingMethod

from ascii_maze import score_path
from ascii_maze.evaluation.schema import LENIENT_RATES, RATES
from ascii_maze.metrics.path_validity.lenient import score_lenient

DATASET = os.environ.get("ASCII_MAZE_DATASET", "ascii-maze")
SPLITS = {"ascii_maze": "test", "ascii_maze_larger": "test_larger", "ascii_maze_unseen": "test_unseen"}
NAMES = (*RATES, *LENIENT_RATES)


class PathValidity(SampleLevelComputation):
    """The rates of one answer, each 0 or 1."""

    def compute(self, doc, model_response, **kwargs) -> dict[str, float]:
        """Score the first answer of a model; lighteval may have removed the reasoning before it."""
        maze, answer = doc.specific["maze"], model_response.final_text[0]
        scored = score_path(maze, answer)
        fields = {**scored.to_dict(), **score_lenient(maze, answer, scored)._asdict()}
        return {name: float(fields[name]) for name in NAMES}


def to_doc(row: dict, task_name: str) -> Doc:
    """A row of config `prompts` as lighteval asks it: the rules as instruction, the maze as query."""
    rules, maze = (message["content"] for message in row["prompt"])
    return Doc(
        query=maze,
        choices=[row["solution"] or ""],
        gold_index=0,
        instruction=f"{rules}\n\n",
        task_name=task_name,
        specific={"maze": row["maze"]},
    )


METRIC = SampleLevelMetricGrouping(
    metric_name=list(NAMES),
    higher_is_better=dict.fromkeys(NAMES, True),
    category=SamplingMethod.GENERATIVE,
    sample_level_fn=PathValidity(),
    corpus_level_fn=dict.fromkeys(NAMES, np.mean),
    batched_compute=False,
)
# The name under which lighteval looks for them.
TASKS_TABLE = [
    LightevalTaskConfig(
        name=name,
        prompt_function=to_doc,
        hf_repo=DATASET,
        hf_subset="prompts",
        hf_avail_splits=[split],
        evaluation_splits=[split],
        metrics=[METRIC],
        generation_size=512,
        stop_sequence=[],
        version=1,
    )
    for name, split in SPLITS.items()
]
