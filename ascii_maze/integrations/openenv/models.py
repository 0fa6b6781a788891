"""The messages between client and server: the walker's action, and the environment's reply."""

from typing import Any

from openenv.core.env_server.types import Action, Observation
from pydantic import Field


class MazeAction(Action):
    """One turn: a text, or a tool call. Anything else takes a turn and is answered with an error.

    Attributes:
        turn: what the model wrote; moves such as `R R D`, `look` or `stop`.
        tool: `move`, `look` or `stop`, in place of a text.
        arguments: of the tool, as the model gave them, unchecked.
    """

    turn: str | None = Field(default=None, description="moves such as R R D, or look, or stop")
    tool: Any = Field(default=None, description="move, look or stop, in place of a text")
    arguments: Any = Field(default=None, description="of move: direction U, D, L or R, and steps")


class MazeObservation(Observation):
    """The walker's input; `reward` is 0 until `done`, and then that of the whole walk.

    Attributes:
        text: the outcome of the turn, and the observation.
        rules: the system message for the model, after a reset.
        result: `Episode.to_dict` of a finished walk.
    """

    text: str = ""
    rules: str | None = None
    result: dict[str, Any] | None = None
