"""OpenEnv's server with one `MazeEnv` per connection.

`reset` takes a seed, or a maze as text, and: observation, max_moves, tools, generator, width, height. Mazes by seed
have layouts of split `train`; see `seeded.maze_of_seed`.
"""

import secrets
from typing import Any

from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata, State

from ... import __version__
from ...environment.env import MazeEnv
from ...environment.prompts import step_rules
from ...errors import UsageError
from ..seeded import maze_of_seed
from .models import MazeAction, MazeObservation

LARGEST = 50  # cells on a side: a server has many walks at once


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
        generator: str = "depth_first",
        width: int = 5,
        height: int = 5,
        **others: Any,
    ) -> MazeObservation:
        """Stand at the start of a maze.

        Args:
            seed: of the maze; random by default.
            episode_id: for `state`.
            maze: as text, in place of a seed.
            observation: its name, see `environment.observations`.
            max_moves: None for twice the open positions of the map.
            tools: whether the rules ask for tool calls; text and tool calls are always accepted.
            generator, width, height: of a maze by seed; up to `LARGEST` cells.
            others: refused; a misspelt argument would otherwise be ignored.

        Raises:
            UsageError: there is no such argument, observation or size.
            ValueError: there is no such maze.
        """
        if others:
            raise UsageError(f"reset takes no '{next(iter(others))}'")
        for name, text in (("maze", "" if maze is None else maze), ("observation", observation)):
            if not isinstance(text, str):
                raise UsageError(f"{name} is {text!r}; expected a text")
        limit = (2 * LARGEST + 1) * (2 * LARGEST + 2)
        if isinstance(width, int) and isinstance(height, int) and max(width, height) > LARGEST:
            raise UsageError(f"{width}x{height} cells are too many; expected at most {LARGEST}x{LARGEST}")
        if maze is not None and len(maze) > limit:
            raise UsageError(f"the maze has {len(maze):,} characters; expected at most {limit:,}")
        if maze is None:
            maze = maze_of_seed(secrets.randbits(32) if seed is None else seed, generator, width, height)
        self.env, self.episode_id = MazeEnv(maze, observation, max_moves), episode_id or secrets.token_hex(8)
        rules = step_rules(self.env.observation, tools)
        return MazeObservation(text=self.env.first, rules=rules, reward=0.0, done=False)

    def step(self, action: MazeAction, timeout_s: float | None = None, **kwargs: Any) -> MazeObservation:
        """One turn. Before the first `reset` there is already a maze, of a random seed."""
        if self.env is None:
            self.reset()
        assert self.env is not None
        over = self.env.ended  # the reward has been given
        text = self.env.turn(action.turn) if action.tool is None else self.env.call(action.tool, action.arguments)
        if not self.env.ended:
            return MazeObservation(text=text, reward=0.0, done=False)
        result = self.env.result()
        return MazeObservation(text=text, reward=0.0 if over else result.reward, done=True, result=result.to_dict())

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
