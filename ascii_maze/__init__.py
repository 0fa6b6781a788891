"""ascii-maze: compares what fine-tuning methods teach a language model that walks through ASCII mazes."""

from .metrics.path_validity.maze import Maze, MazeError
from .metrics.path_validity.scoring import PathScore, score_path

__version__ = "0.2.0"

__all__ = [
    "Maze",
    "MazeBatch",
    "MazeEnv",
    "MazeError",
    "PathScore",
    "generate_mazes",
    "lm_eval_path",
    "load_model",
    "metric_path",
    "path_reward",
    "prompt_messages",
    "score_path",
]


def metric_path() -> str:
    """The folder of the metric, for `evaluate.load` and `ascii-maze push metric`."""
    from pathlib import Path

    return str(Path(__file__).parent / "metrics" / "path_validity")


def lm_eval_path() -> str:
    """The folder of the tasks of lm-evaluation-harness, for `lm-eval run --include_path`."""
    from pathlib import Path

    return str(Path(__file__).parent / "evaluation" / "lm_eval_task")


# Imported at first use: the kernels take a second to import, torch two, and parsing and scoring must not wait.
_LATE = {
    "MazeBatch": "mazes.generators",
    "MazeEnv": "environment.env",
    "generate_mazes": "mazes.generators",
    "load_model": "models.loading",
    "path_reward": "training.rewards",
    "prompt_messages": "mazes.prompts",
}


def __getattr__(name: str):
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(f".{_LATE[name]}", __name__), name)
    raise AttributeError(f"module 'ascii_maze' has no attribute '{name}'")
