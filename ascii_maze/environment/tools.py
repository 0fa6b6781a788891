"""A walk as an object whose only public methods are a model's tools, the form that TRL's GRPO expects.

    GRPOTrainer(..., environment_factory=maze_tools("window:2"), train_dataset=rows)   # rows with prompt and maze

TRL offers a model all public methods except `reset` and `get_reward`, and calls `reset` with a row of the dataset. The
tokenizer needs a chat template for tools and a `response_template`, as the embedded model's has.
"""

from typing import TypeVar

from .env import MazeEnv
from .observations import Observation


class TrlEnvironment:
    """Successive walks, without tools. It wraps `MazeEnv`, whose other public methods TRL would offer to the model.

    Attributes:
        env: of the current walk.
    """

    observation: Observation
    max_moves: int | None = None

    def reset(self, maze: str, **row) -> str:
        """Begin a walk; the returned observation is appended to the user's message."""
        self.env = MazeEnv(maze, self.observation, self.max_moves)
        return self.env.first


Kind = TypeVar("Kind", bound=TrlEnvironment)


def environment_class(kind: type[Kind], observation: str, max_moves: int | None) -> type[Kind]:
    """The environment class that TRL instantiates for each rollout, with a kind of tools and an observation.

    Raises:
        UsageError: there is no such observation.
    """
    settings = {"observation": Observation.parse(observation), "max_moves": max_moves}
    return type(kind.__name__, (kind,), settings)


class MazeTools(TrlEnvironment):
    """A walk by tool calls.

    TRL makes all calls of a turn, one after another, and answers calls of other tools or with other arguments itself,
    with an error that the walk does not count. The recipes use `training.steps.WalkTool` instead, where every turn
    counts.
    """

    def get_reward(self) -> float:
        """The reward of the walk, 0 to 1.9."""
        return self.env.result().reward

    def move(self, direction: str, steps: int = 1) -> str:
        """Go so many steps, or as far as a wall lets you.

        Args:
            direction: U, D, L or R
            steps: how many, 1 by default

        Returns:
            What happened, and what is seen.
        """
        return self.env.move(direction, steps)

    def look(self) -> str:
        """What is seen, once more; it takes a turn.

        Returns:
            What is seen.
        """
        return self.env.look()

    def stop(self) -> str:
        """Give up.

        Returns:
            That the walk is over.
        """
        return self.env.stop()


def maze_tools(observation: str = "window:2", max_moves: int | None = None) -> type[MazeTools]:
    """`environment_class` with these tools."""
    return environment_class(MazeTools, observation, max_moves)
