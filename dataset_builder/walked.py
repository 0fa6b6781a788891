"""Config `steps`: each maze of a dataset walked step by step, as in the conversations of a step-by-step evaluation.

The explorer and what it sees are drawn by weight for each row; see `ascii_maze.environment.demonstrations`. The draw
depends on the seed and the maze alone, not on the row's position, so it is the same with any number of workers.
"""

import json
import random
from typing import Any

import pyarrow

from ascii_maze.environment.demonstrations import demonstrate, parse_kind
from ascii_maze.environment.prompts import TOOLS
from ascii_maze.metrics.path_validity.maze import Maze

from .schema import STEPS

MESSAGES = pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())]))
# `move` is the only tool that is called.
_ARGUMENTS = pyarrow.struct([("direction", pyarrow.string()), ("steps", pyarrow.int32())])
_FUNCTION = pyarrow.struct([("name", pyarrow.string()), ("arguments", _ARGUMENTS)])
_CALLS = pyarrow.list_(pyarrow.struct([("type", pyarrow.string()), ("function", _FUNCTION)]))
CALLED = pyarrow.list_(pyarrow.struct([*MESSAGES.value_type, ("name", pyarrow.string()), ("tool_calls", _CALLS)]))


def walked(mazes: list[str], drawn: list[str], keys: list[int], form: str) -> dict[str, pyarrow.Array]:
    """The columns of `steps` that no other config has.

    Args:
        mazes: as text.
        drawn: the observation and the explorer of each row, see `demonstrations.parse_kind`.
        keys: the random seed of each row.
        form: one of `demonstrations.FORMS`.
    """
    columns: dict[str, list[Any]] = {"prompt": [], "completion": [], "observation": [], "walker": []}
    kinds = {name: parse_kind(name, STEPS) for name in set(drawn)}
    for text, name, key in zip(mazes, drawn, keys):
        observation, walker = kinds[name]
        shown = demonstrate(Maze.from_ascii(text), observation, walker, random.Random(key), form)
        for column, value in zip(columns.values(), (shown.prompt, shown.completion, str(observation), shown.walker)):
            column.append(value)
    types = {"prompt": MESSAGES, "completion": MESSAGES if form == "text" else CALLED}
    found = {name: pyarrow.array(values, types.get(name, pyarrow.string())) for name, values in columns.items()}
    if form == "tools":
        found["tools"] = pyarrow.repeat(json.dumps(TOOLS), len(mazes))
    return found
