"""The client of a running server; see the package's docstring."""

from typing import Any

from openenv.core import EnvClient
from openenv.core.client_types import StepResult
from openenv.core.env_server.types import State

from .models import MazeAction, MazeObservation


class AsciiMazeClient(EnvClient[MazeAction, MazeObservation, State]):
    """Walks a maze on a server, over its own connection."""

    def _step_payload(self, action: MazeAction) -> dict[str, Any]:
        return action.model_dump(exclude={"metadata"}, exclude_none=True)

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[MazeObservation]:
        done, reward = payload.get("done", False), payload.get("reward")
        observation = MazeObservation(**{**payload.get("observation", {}), "done": done, "reward": reward})
        return StepResult(observation=observation, reward=reward, done=done)

    def _parse_state(self, payload: dict[str, Any]) -> State:
        return State(**payload)
