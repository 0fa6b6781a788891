"""What the tasks of lm-evaluation-harness call; it loads this file by its path, as part of no package."""

from pathlib import Path

from ascii_maze import score_path
from ascii_maze.evaluation.schema import LENIENT_RATES, RATES
from ascii_maze.metrics.path_validity.lenient import score_lenient
from dataset_builder.load import cache_of


def load_mazes(dataset: str, **_):
    """All splits of config `prompts`.

    Args:
        dataset: a folder that `ascii-maze build` made, or a Hub id.
    """
    from datasets import load_dataset

    folder = Path(dataset)
    return load_dataset(dataset, "prompts", cache_dir=cache_of(folder) if folder.is_dir() else None)


def score(doc: dict, results: list[str]) -> dict[str, float]:
    """The rates of one answer, each 0 or 1."""
    scored = score_path(doc["maze"], results[0])
    fields = {**scored.to_dict(), **score_lenient(doc["maze"], results[0], scored)._asdict()}
    return {rate: float(fields[rate]) for rate in (*RATES, *LENIENT_RATES)}
