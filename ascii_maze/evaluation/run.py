"""Models x splits -> validity rates with intervals, paired tests, predictions.

evaluate({"base": "tiny", "sft": "outputs/tiny/sft"}, "ascii-maze", ["test"], out=Path("outputs/evaluation"))

Answers are written in parts as they come, of a thousand mazes or so, and only what is small of them is read again: the
number of mazes shows in the time that it takes, not in the memory. After a crash the same call goes on from the last
part, to the same files, byte for byte.
"""

import hashlib
import json
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from dataset_builder.load import load_split

from ..errors import UsageError
from ..files import UNFINISHED, write_text
from ..mazes.baselines import BASELINES, open_positions
from ..metrics.path_validity.maze import Maze
from ..models.generation import Decoding
from ..packages import versions
from ..terminal import OnProgress
from .answers import Questions, answer_all
from .predictions import join_parts, read_scores
from .schema import Analysis, Results, SizeRates, SplitRates, write_results
from .statistics import break_down, count_failures, length_curve, paired_tests, summarise, verdicts
from .tables import render_markdown


def evaluate(
    models: dict[str, str],
    dataset: str,
    splits: Sequence[str],
    out: Path,
    limit: int | None = None,
    batch_size: int = 64,
    baselines: bool = True,
    on_progress: OnProgress | None = None,
    samples: int = 1,
    temperature: float | None = None,
    seed: int = 0,
    max_new_tokens: int | None = None,
) -> Results:
    """Score every model, and the baselines, on the same mazes; write results.json, predictions.parquet,
    report.md.

    Args:
        models: name in the tables -> folder, Hub id, `tiny`, or a file of predictions made elsewhere.
        dataset: folder or Hub id of a dataset with a config `prompts`.
        limit: the first so many mazes of each split.
        on_progress: called with the model's name, the mazes done and the mazes in all.
        samples: completions of each maze; more than one gives pass@k and a majority vote.
        temperature: of the samples; greedy for one sample and 1.0 for several without it.
        seed: of the samples.
        max_new_tokens: where an answer is cut; without it, where a walk has had time to stand everywhere once.

    Returns:
        What results.json holds.

    Raises:
        AsciiMazeError: a model, the dataset or a split cannot be loaded.
        UsageError: several greedy samples, or predictions that do not go with the mazes.
    """
    if temperature is None:
        temperature = 0.0 if samples == 1 else 1.0
    if samples > 1 and not temperature:
        raise UsageError(f"{samples} greedy answers are all the same; give --temperature above 0, or --samples 1")
    decoding = Decoding(samples, temperature, seed, batch_size)
    on_progress = on_progress or (lambda name, done, total: None)
    loaded = {split: load_split(dataset, split) for split in splits}
    asked = {split: (rows, min(limit or len(rows), len(rows))) for split, rows in loaded.items()}
    digest, longest = survey(asked)
    settings = {
        "models": models,
        "dataset": dataset,
        "dataset_sha256": digest,
        "splits": {split: count for split, (_, count) in asked.items()},
        "limit": limit,
        "decoding": str(decoding),
        **decoding._asdict(),
        "versions": {"python": platform.python_version(), **versions()},
    }
    unfinished = out / UNFINISHED / identity(settings, max_new_tokens)
    for other in out.glob(f"{UNFINISHED}/*"):
        if other != unfinished:
            shutil.rmtree(other)
    questions = Questions(asked, longest, decoding, max_new_tokens)
    parts, facts = {}, {}
    for number, name in enumerate([*models, *(BASELINES if baselines else ())]):
        folder = unfinished / f"{number:03}"
        parts[name] = answer_all(name, models.get(name), questions, folder, on_progress)
        if name in models:
            facts[name] = json.loads((folder / "facts.json").read_text())
    settings |= {"system_prompt": questions.prompt[0]["content"], "prompt": questions.prompt, "loaded": facts}
    results = cast(Results, {**measure(parts, list(models), splits), "settings": settings})
    files = [file for name in parts for split in splits for file in parts[name][split]]
    join_parts(files, out / "predictions.parquet")
    write_text(out / "report.md", render_markdown(results))
    write_results(out / "results.json", results)
    shutil.rmtree(out / UNFINISHED)
    return results


def survey(asked: dict[str, tuple]) -> tuple[str, int]:
    """sha256 over splits, ids and mazes, which mazes exactly are asked; and the open positions of the roomiest."""
    digest, longest = hashlib.sha256(), 0
    lines = (
        (f"{split}/{key}/{maze}", maze)
        for split, (rows, count) in asked.items()
        for batch in rows.select(range(count)).select_columns(["id", "maze"]).iter(batch_size=1000)
        for key, maze in zip(batch["id"], batch["maze"])
    )
    for number, (line, maze) in enumerate(lines):
        digest.update(f"{chr(10) * bool(number)}{line}".encode())
        longest = max(longest, open_positions(Maze.from_ascii(maze)))
    return digest.hexdigest(), longest


def identity(settings: dict, max_new_tokens: int | None) -> str:
    """What an evaluation must share with one that was cut short to go on from it, the models' files included."""
    files = {
        str(file): (file.stat().st_size, file.stat().st_mtime_ns)
        for place in settings["models"].values()
        for file in sorted([Path(place), *Path(place).glob("*")])
        if file.is_file()
    }
    said = json.dumps([settings, max_new_tokens, files], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def measure(
    parts: dict[str, dict[str, list[Path]]], models: list[str], splits: Sequence[str]
) -> dict[str, dict | list]:
    """All figures, from the parts of each model and split, one after the other.

    Args:
        models: those that are tested against each other.
    """
    summaries: dict[str, dict[str, SplitRates]] = {name: {} for name in parts}
    analyses: dict[str, dict[str, Analysis]] = {name: {} for name in parts}
    outcomes: dict[str, dict] = {name: {} for name in parts}
    for name, of in parts.items():
        for split, files in of.items():
            rows = read_scores(files)
            summaries[name][split], analyses[name][split] = summarise_split(rows), analyse_split(rows)
            outcomes[name][split] = verdicts(rows)
    return {"models": summaries, "analysis": analyses, "paired": paired_tests(models, splits, outcomes)}


def summarise_split(rows) -> SplitRates:
    """Rates of one model on one split, and by size, from the smallest."""
    by_size: dict[str, SizeRates] = {}
    for (width, height), found in rows.groupby(["width", "height"], sort=True):
        by_size[f"{width}x{height}"] = {**summarise(found), "width": int(width), "height": int(height)}
    return {**summarise(rows), "by_size": by_size}


def analyse_split(rows) -> Analysis:
    """Rates by the facts of the mazes, how often each failure occurs, and validity over path length."""
    once = rows[rows["vote"] & rows["path_length"].notna()]
    return {
        "by": break_down(rows),
        "failures": count_failures(rows),
        "length_curve": length_curve(once["path_length"].to_numpy(), once["valid"].to_numpy()),
    }
