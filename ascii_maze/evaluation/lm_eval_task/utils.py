"""Functions for the tasks of lm-evaluation-harness, which loads this file by its path, outside of the package."""

from pathlib import Path

from ascii_maze import score_path
from ascii_maze.evaluation.schema import LENIENT_RATES, RATES
from ascii_maze.metrics.path_validity.lenient import score_lenient
from ascii_maze.models.chat import thought_of_prompts
from dataset_builder.load import cache_of, load_parquet


def load_mazes(dataset: str, pretrained: str | None = None, tokenizer: str | None = None, **_):
    """All splits of config `prompts`, with a column `opened`: the reasoning tag that every prompt opens, or "".

    Args:
        dataset: a folder that `ascii-maze build` made, or a Hub id.
        pretrained: and `tokenizer`, as the harness has them of `--model_args`.
    """
    folder, opened = Path(dataset), opened_by(tokenizer or pretrained)
    splits = load_parquet(dataset, "prompts", None, None, cache_of(folder) if folder.is_dir() else None)
    for split, rows in splits.items():
        splits[split] = rows.add_column("opened", [opened] * len(rows))
    return splits


def opened_by(name: str | None) -> str:
    """What `thought_of_prompts` says of the tokenizer of a folder or a Hub id; "" without a chat template."""
    if not isinstance(name, str):
        return ""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(name)
    return thought_of_prompts(tokenizer) if tokenizer.chat_template else ""


def score(doc: dict, results: list[str]) -> dict[str, float]:
    """The rates of one answer, each 0 or 1."""
    answer = doc["opened"] + results[0]
    scored = score_path(doc["maze"], answer)
    fields = {**scored.to_dict(), **score_lenient(doc["maze"], answer, scored)._asdict()}
    return {rate: float(fields[rate]) for rate in (*RATES, *LENIENT_RATES)}
