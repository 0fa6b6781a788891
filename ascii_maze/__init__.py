"""ascii-maze: what each way of fine-tuning teaches a language model that walks through an ASCII maze."""

from .metrics.path_validity.maze import Maze, MazeError
from .metrics.path_validity.scoring import PathScore, score_path

__all__ = [
    "Maze",
    "MazeBatch",
    "MazeError",
    "PathScore",
    "generate_mazes",
    "lm_eval_path",
    "metric_path",
    "score_path",
]


def metric_path() -> str:
    """The folder of the metric, for `evaluate.load` and `ascii-maze push metric`."""
    from pathlib import Path

    return str(Path(__file__).parent / "metrics" / "path_validity")


def lm_eval_path() -> str:
    """The folder of the tasks of lm-evaluation-harness, for `lm-eval run --include_path`."""
    from pathlib import Path

    return str(Path(__file__).parent / "lm_eval_task")


def __getattr__(name: str):
    # The kernels take a second to import; parsing and scoring must not wait for them.
    if name in ("MazeBatch", "generate_mazes"):
        from . import generation

        return getattr(generation, name)
    raise AttributeError(f"module 'ascii_maze' has no attribute '{name}'")
