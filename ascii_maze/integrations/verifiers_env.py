"""The maze as a verifiers environment: a taskset of mazes, and an environment that replies to a model's turns.

    vf-eval ascii-maze-env --env.taskset.observation local --env.walker.runtime.type subprocess
    vf-eval ascii-maze-env --env.taskset.dataset ORG/ascii-maze --env.taskset.split test

    from ascii_maze.integrations.verifiers_env import load_environment
    env = load_environment(observation="window:2", count=1_000)

The reward, `walk`, is that of the whole walk; the metrics are the fields of its score, and success, SPL, loops, turns.
Needs `pip install "ascii-maze[verifiers]"`.
"""

from collections.abc import Iterator
from typing import Any

import verifiers.v1 as vf
from pydantic import Field

from ..environment.env import MazeEnv
from ..environment.episode import Episode
from ..environment.prompts import step_prompt
from .seeded import maze_of_seed

TASKSET = "ascii-maze-env"


class MazeTasksetConfig(vf.TasksetConfig):
    """The mazes of a taskset, and the observation.

    Attributes:
        dataset: a folder that `ascii-maze build` made, or a Hub id; None for mazes by seed.
        split: of the dataset, or `train`, `validation` or `test` of mazes by seed.
        count: mazes, the first of the split.
        seed: of the first maze by seed; the others have consecutive seeds.
        generator, width, height: of mazes by seed.
        observation: see `environment.observations`.
        max_moves: None for twice the open positions of each map.
    """

    dataset: str | None = None
    split: str = "train"
    count: int = Field(1_000, ge=1)
    seed: int = 0
    generator: str = "depth_first"
    width: int = 5
    height: int = 5
    observation: str = "window:2"
    max_moves: int | None = Field(None, ge=1)


class MazeData(vf.TaskData):
    """A maze to walk; the model sees its prompt but none of these fields."""

    maze: str
    observation: str
    max_moves: int | None = None

    def start(self) -> MazeEnv:
        """A new walk through the maze."""
        return MazeEnv(self.maze, self.observation, self.max_moves)


class MazeTask(vf.Task[MazeData, vf.State, vf.TaskConfig]):
    """A maze to walk."""


class MazeTaskset(vf.Taskset[MazeTask, MazeTasksetConfig]):
    """Mazes of a dataset, or by seed."""

    def load(self) -> Iterator[MazeTask]:
        """Each maze as a task, with the rules and the first observation."""
        config = self.config
        for name, maze in self._mazes():
            rules, first = step_prompt(MazeEnv(maze, config.observation, config.max_moves))
            data = MazeData(
                name=name,
                prompt=first["content"],
                system_prompt=rules["content"],
                maze=maze,
                observation=config.observation,
                max_moves=config.max_moves,
            )
            yield MazeTask(data, config.task)

    def _mazes(self) -> Iterator[tuple[str, str]]:
        config = self.config
        if config.dataset is not None:
            from dataset_builder.load import load_mazes

            for row in load_mazes(config.dataset, config.split, config.count):
                yield row["id"], row["maze"]
            return
        for seed in range(config.seed, config.seed + config.count):
            maze = maze_of_seed(seed, config.generator, config.width, config.height, config.split)
            yield f"{config.generator}-{config.width}x{config.height}-{seed}", maze


class MazeEnvironmentConfig(vf.EnvConfig):
    """The walker: a model that is asked by chat, in a local process."""

    walker: vf.AgentConfig = vf.AgentConfig(harness={"id": "null"}, runtime={"type": "subprocess"})


class MazeEnvironment(vf.Env[MazeEnvironmentConfig]):
    """Replies to each turn of the model with the text of `MazeEnv`, until the walk is over."""

    async def run(self, task: MazeTask, agents: vf.Agents) -> None:
        """One walk."""
        env = task.data.start()
        async with agents.walker.interaction(task) as interaction:
            segment = await interaction.turn()
            while not segment.terminated:
                said = env.turn(segment.last_reply)
                if env.ended:
                    break
                segment = await interaction.turn(said)
        record(interaction.trace, env.result())


def record(trace: vf.Trace, episode: Episode) -> None:
    """Record the reward and metrics of a walk in its trace."""
    trace.record_reward("walk", episode.reward)
    trace.info["ended"], trace.info["moves"] = episode.ended, episode.moves
    figures = {name: value for name, value in episode.to_dict().items() if isinstance(value, (bool, int, float))}
    trace.record_metrics({name: float(value) for name, value in figures.items() if name != "reward"})


def load_environment(**taskset: Any) -> vf.Env:
    """The environment, ready to serve.

    Args:
        taskset: see `MazeTasksetConfig`.
    """
    return vf.load_environment(MazeEnvironmentConfig(taskset={"id": TASKSET, **taskset}))
