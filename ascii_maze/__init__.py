"""ascii-maze: what each way of fine-tuning teaches a language model that walks through an ASCII maze."""

from .maze import Maze, MazeError
from .scoring import PathScore, score_path

__all__ = ["Maze", "MazeBatch", "MazeError", "PathScore", "generate_mazes", "score_path"]


def __getattr__(name: str):
    # The kernels take a second to import; parsing and scoring must not wait for them.
    if name in ("MazeBatch", "generate_mazes"):
        from . import generation

        return getattr(generation, name)
    raise AttributeError(f"module 'ascii_maze' has no attribute '{name}'")
