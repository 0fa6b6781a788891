"""What goes over the wire: an action of the walker, and what the environment answers."""

from typing import Any

from openenv.core.env_server.types import Action, Observation
from pydantic import Field


class MazeAction(Action):
    """One turn: a text, or a tool call. What is neither is answered with an error, and takes a turn.

    Attributes:
        turn: what the model wrote; moves such as `R R D`, `look` or `stop`.
        tool: `move`, `look` or `stop`, in place of a text.
        arguments: of the tool, whatever the model gave.
    """

    turn: str | None = Field(default=None, description="moves such as R R D, or look, or stop")
    tool: Any = Field(default=None, description="move, look or stop, in place of a text")
    arguments: Any = Field(default=None, description="of move: direction U, D, L or R, and steps")


class MazeObservation(Observation):
    """What the walker reads; `reward` is 0 until `done`, and then that of the whole walk.

    Attributes:
        text: what happened, and what is seen.
        rules: the system message for the model, after a reset.
        result: of a walk that is over, `Episode.to_dict`.
    """

    text: str = ""
    rules: str | None = None
    result: dict[str, Any] | None = None
