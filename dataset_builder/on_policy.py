"""On-policy preference pairs: what a model itself gets right and wrong, instead of answers made up for it.

A model is asked several times about every maze, its answers are scored, and the best is paired with a worse one. Pairs
from the policy that is to be trained teach more than made-up ones (Tajwar et al., "Preference fine-tuning of LLMs
should leverage suboptimal, on-policy data", ICML 2024). A maze stays out if no answer arrives, or if all are as good.
"""

import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from ascii_maze.errors import AsciiMazeError
from ascii_maze.files import UNFINISHED, write_text
from ascii_maze.mazes.failures import failure_of
from ascii_maze.metrics.path_validity.maze import Maze
from ascii_maze.metrics.path_validity.scoring import PathScore, score_path
from ascii_maze.terminal import OnProgress

from .build import write_table
from .card import render_card
from .config import BuildConfig
from .rows import FACTS

TEMPERATURE = 1.0
# Mazes that are asked about at once.
CHUNK = 4_096


def replace_preferences(config: BuildConfig, out: Path, model: str, samples: int, on_progress: OnProgress) -> dict:
    """Make config `preference` of a built dataset anew from a model's answers; returns the new build.json.

    Args:
        config: what `out` was built from.
        model: as `ascii_maze.models.loading.load_model` takes it.
        samples: answers per maze.

    Raises:
        AsciiMazeError: the model cannot be loaded, or no split has a pair.
    """
    record = json.loads((out / "build.json").read_text())
    source = {"model": model, "samples": samples, "temperature": TEMPERATURE, "seed": config.seed}
    if record.get("preferences_from") == source:
        return record
    from ascii_maze.models.loading import load_model

    walker = load_model(model)
    fresh = out / UNFINISHED / "preference"
    shutil.rmtree(fresh.parent, ignore_errors=True)
    files = {path: digest for path, digest in record["files"].items() if not path.startswith("preference/")}
    for split in config.splits:
        table = _pairs(config, out, split, walker, samples, on_progress)
        record["rows"][f"preference/{split}"] = len(table)
        if len(table):
            name = f"{split}-00000-of-00001.parquet"
            files[f"preference/{name}"] = write_table(table, fresh / name)
    if not fresh.is_dir():
        shutil.rmtree(fresh.parent, ignore_errors=True)
        raise AsciiMazeError(
            f"'{model}' gives no pairs: on no maze does one of its {samples} answers arrive and another do worse"
        )
    record |= {"files": dict(sorted(files.items())), "preferences_from": source}
    (out / "build.json").unlink()  # until it is back, the folder is unfinished
    shutil.rmtree(out / "preference")
    fresh.rename(out / "preference")
    write_text(out / "README.md", render_card(config, record, out))
    write_text(out / "build.json", json.dumps(record, indent=2))
    shutil.rmtree(out / UNFINISHED)
    return record


def _pairs(config: BuildConfig, out: Path, split: str, walker: tuple, samples: int, on_progress: Callable):
    """The table of one split."""
    import pyarrow
    import pyarrow.parquet

    from ascii_maze.models.generation import Decoding, answer_mazes

    model, tokenizer = walker
    files = sorted((out / "prompts").glob(f"{split}-*.parquet"))
    source = pyarrow.concat_tables([pyarrow.parquet.read_table(file) for file in files])
    pairs, places = [], []

    def asked(start: int, done: int) -> None:
        on_progress(f"asking, {split}", start + done, len(source))

    for start in range(0, len(source), CHUNK):
        rows = source.slice(start, CHUNK).to_pylist()
        # Another seed for every chunk, none of them another's neighbour.
        seed = int.from_bytes(hashlib.blake2b(f"{config.seed}/{split}/{start}".encode(), digest_size=6).digest())
        decoding = Decoding(samples, TEMPERATURE, seed)
        answers = answer_mazes(model, tokenizer, rows, decoding, functools.partial(asked, start))
        for place, (row, completions) in enumerate(zip(rows, answers)):
            pair = best_and_worse(Maze.from_ascii(row["maze"]), completions, row["id"])
            if pair:
                pairs.append(pair)
                places.append(start + place)
    facts = source.take(pyarrow.array(places, pyarrow.int64()))
    messages = source.schema.field("prompt").type
    columns = {"prompt": facts["prompt"]}
    for key, position in (("chosen", 0), ("rejected", 1)):
        values = [[{"role": "assistant", "content": pair[position]}] for pair in pairs]
        columns[key] = pyarrow.array(values, messages)
    columns["rejected_kind"] = pyarrow.array([pair[2] for pair in pairs], pyarrow.string())
    return pyarrow.table({**columns, **{name: facts[name] for name in FACTS}})


def quality(score: PathScore) -> tuple:
    """What makes one answer better than another: to arrive, in few moves; else to be legal for long and get near."""
    return score.valid, -(score.excess_moves or 0), score.parsed, score.legal_prefix + score.progress


def best_and_worse(maze: Maze, completions: list[str], key: str) -> tuple[str, str, str] | None:
    """The best answer, one of the worse ones and what is wrong with it; None where there are no two such.

    Args:
        key: decides which of several worse ones.
    """
    scored = [(quality(score_path(maze, completion)), completion) for completion in completions]
    best = max(scored, key=lambda pair: pair[0])
    worse = sorted({completion for grade, completion in scored if grade < best[0]})
    if not best[0][0] or not worse:
        return None
    pick = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % len(worse)
    failure = failure_of(maze, worse[pick])
    assert failure, "worse than a valid answer, and yet a shortest path"
    return best[1], worse[pick], failure.kind
