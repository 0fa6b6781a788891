"""OpenEnv's server with one `MazeEnv` per connection.

`reset` takes a seed, or a maze as text, and: observation, max_moves, tools, generator, width, height. Mazes by seed
are of split `train` by the rule of all datasets, so that no maze of an evaluation is trained on.
"""

import secrets
from typing import Any

from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata, State

from ... import __version__
from ...environment.env import MazeEnv
from ...environment.prompts import step_rules
from ..seeded import maze_of_seed
from .models import MazeAction, MazeObservation


class AsciiMazeEnvironment(Environment[MazeAction, MazeObservation, State]):
    """One walk at a time; `reset` begins another."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self.env: MazeEnv | None = None
        self.episode_id = ""

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        *,
        maze: str | None = None,
        observation: str = "window:2",
        max_moves: int | None = None,
        tools: bool = False,
        **kind: Any,
    ) -> MazeObservation:
        """Stand at the start of a maze.

        Args:
            seed: of the maze; random by default.
            episode_id: for `state`.
            maze: as text, in place of a seed.
            observation: its name, see `environment.observations`.
            max_moves: None for twice the open positions of the map.
            tools: whether the rules ask for tool calls; text and tool calls are always accepted.
            kind: generator, width, height of a maze by seed.

        Raises:
            UsageError: there is no such observation.
            ValueError: there is no such maze.
        """
        if maze is None:
            maze = maze_of_seed(secrets.randbits(32) if seed is None else seed, **kind)
        self.env, self.episode_id = MazeEnv(maze, observation, max_moves), episode_id or secrets.token_hex(8)
        rules = step_rules(self.env.observation, tools)
        return MazeObservation(text=self.env.first, rules=rules, reward=0.0, done=False)

    def step(self, action: MazeAction, timeout_s: float | None = None, **kwargs: Any) -> MazeObservation:
        """One turn. Before the first `reset` there is already a maze, of a random seed."""
        if self.env is None:
            self.reset()
        assert self.env is not None
        text = self.env.turn(action.turn) if action.tool is None else self.env.call(action.tool, action.arguments)
        if not self.env.ended:
            return MazeObservation(text=text, reward=0.0, done=False)
        result = self.env.result()
        return MazeObservation(text=text, reward=result.reward, done=True, result=result.to_dict())

    @property
    def state(self) -> State:
        """The episode's id and number of turns, without the maze."""
        return State(episode_id=self.episode_id, step_count=self.env.result().turns if self.env else 0)

    def get_metadata(self) -> EnvironmentMetadata:
        """The description of the environment that the server publishes."""
        return EnvironmentMetadata(
            name="ascii-maze",
            description="ASCII mazes walked step by step, with the whole map, a window, or nothing in sight.",
            version=__version__,
        )


app = create_app(AsciiMazeEnvironment, MazeAction, MazeObservation, env_name="ascii_maze", max_concurrent_envs=256)
