"""The environment of verifiers by its id, `ascii-maze-env`; see `ascii_maze.integrations.verifiers_env`."""

from ascii_maze.integrations.verifiers_env import (
    MazeEnvironment,
    MazeEnvironmentConfig,
    MazeTaskset,
    MazeTasksetConfig,
    load_environment,
)

__all__ = ["MazeEnvironment", "MazeEnvironmentConfig", "MazeTaskset", "MazeTasksetConfig", "load_environment"]
