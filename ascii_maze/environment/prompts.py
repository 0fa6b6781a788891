"""The rules of a step-by-step walk as a system message, and the first observation as the user's message."""

from types import MappingProxyType
from typing import Any

from ..mazes.prompts import Message
from .env import LONGEST_MOVE, MazeEnv
from .observations import Observation

_MAZE = "You walk through an ASCII maze, step by step, from the start S to the goal G. One move goes one character. "
_SYMBOLS = "'#' is wall, a blank is open ground, S the start, G the goal, @ where you stand. "
_SEEN = MappingProxyType(
    {
        "full": f"{_SYMBOLS}After each turn you see the whole map. ",
        "window": f"{_SYMBOLS}After each turn you see the {{size}}x{{size}} characters around you; beyond the map "
        "all is wall. ",
        "local": "You do not see the map: you are told which of U, D, L and R are open, at each place that a turn "
        "comes to. ",
        "none": "You do not see the map: you are told only how many moves went well, and whether a wall stopped you. ",
    }
)
_GOAL = "You are also told how far the goal is, as the crow flies. "
_BY_TEXT = (
    "Answer with moves and nothing else: U up, D down, L left, R right, one or several separated by blanks; a wall "
    "stops you, and the rest is not made. Example: R R D. Or answer look to see it again, or stop to give up."
)
_BY_TOOLS = (
    "Make one tool call in each turn: move(direction, steps) with direction U up, D down, L left or R right, and "
    f"steps from 1 to {LONGEST_MOVE}; a wall stops you. look() shows it again, stop() gives up. At the goal the walk "
    "is over."
)


def _tool(name: str, does: str, **parameters: dict[str, Any]) -> dict[str, Any]:
    needed = [parameter for parameter, schema in parameters.items() if "default" not in schema]
    schema = {"type": "object", "properties": parameters, "required": needed}
    return {"type": "function", "function": {"name": name, "description": does, "parameters": schema}}


# The JSON schemas of the tools, for a model.
TOOLS = (
    _tool(
        "move",
        "Go so many steps, or as far as a wall lets you.",
        direction={"type": "string", "enum": ["U", "D", "L", "R"], "description": "up, down, left or right"},
        steps={"type": "integer", "minimum": 1, "maximum": LONGEST_MOVE, "default": 1, "description": "how many"},
    ),
    _tool("look", "What is seen, once more; it takes a turn."),
    _tool("stop", "Give up."),
)


def step_rules(observation: Observation, tools: bool = False) -> str:
    """The rules of a walk, the constant system message of all mazes.

    Args:
        tools: whether the walker makes tool calls; otherwise it writes text.
    """
    seen = _SEEN[observation.kind].format(size=2 * observation.radius + 1)
    return f"{_MAZE}{seen}{_GOAL * observation.goal}{_BY_TOOLS if tools else _BY_TEXT}"


def step_prompt(env: MazeEnv, tools: bool = False) -> list[Message]:
    """The first messages of a walk."""
    rules = step_rules(env.observation, tools)
    return [{"role": "system", "content": rules}, {"role": "user", "content": env.first}]
