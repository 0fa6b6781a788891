"""On-policy preference pairs: right and wrong answers of the model itself, instead of synthetic ones.

A model is sampled several times on every maze, its answers are scored, and the best is paired with a worse one. Pairs
sampled from the policy to be trained teach more than synthetic ones (Tajwar et al., "Preference fine-tuning of LLMs
should leverage suboptimal, on-policy data", ICML 2024). A maze is left out if no answer reaches
the goal or all are equally good.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import UNFINISHED, is_ours, output_folder, read_value, write_text
from ascii_maze.mazes.failures import failure_of
from ascii_maze.metrics.path_validity.maze import Maze
from ascii_maze.metrics.path_validity.scoring import PathScore, score_path
from ascii_maze.models.chat import AS_IT_IS, Chat
from ascii_maze.models.generation import Decoding, answer_mazes
from ascii_maze.terminal import OnProgress

from .build import begin, write_table
from .config import BuildConfig
from .rows import facts_of
from .schema import BuildRecord, PreferencesSource
from .staging import publish, record_of, remove_leftovers, short_hash, staged_dataset

TEMPERATURE = 1.0
# Mazes per batch of questions; an interrupted run resumes with the first batch that is missing.
CHUNK = 4_096


class Pair(NamedTuple):
    """Answers to the maze in row `place` of its split; `kind` is what is wrong with the rejected one."""

    place: int
    chosen: str
    rejected: str
    kind: str


def replace_preferences(
    config: BuildConfig, out: Path, model: str, samples: int, on_progress: OnProgress, chat: Chat = AS_IT_IS
) -> BuildRecord:
    """Replace config `preference` of a built dataset with pairs of a model's answers; returns the new build.json.

    The old pairs stay until all new ones are made. The same call resumes an interrupted run.

    Args:
        config: what `out` was built from.
        model: as `ascii_maze.models.loading.load_model` takes it.
        samples: answers per maze.
        chat: how conversations are formatted for it; by default with its tokenizer's template.

    Raises:
        UsageError: `out` holds no such dataset, or was not made here.
        AsciiMazeError: the model cannot be loaded, no split has a pair, or another process writes to `out`.
    """
    from ascii_maze.models.loading import load_source
    from ascii_maze.models.pins import find_pinned, fingerprint
    from ascii_maze.models.sources import settle_name

    model = settle_name(model)
    if record_of(config, out) is None:
        raise UsageError(f"{out} holds no dataset of this config; build it first")
    if not is_ours(out):
        raise UsageError(f"{out} was not made here (or is a copy), so its pairs are not replaced; give another --out")
    asked = find_pinned(model, chat=chat)
    source: PreferencesSource = {
        "model": model,
        "model_sha256": short_hash(fingerprint(asked)),
        "samples": samples,
        "temperature": TEMPERATURE,
        "seed": config.seed,
    }
    if chat != AS_IT_IS:
        source["chat"] = chat._asdict()
    with output_folder(out):
        record = begin(config, out)
        if record is None:
            raise UsageError(f"{out} lacks a file of its dataset; build it again first")
        if record.get("preferences_from") == source:
            remove_leftovers(out)
            return record
        staging = out / UNFINISHED / f"preferences-{short_hash([source, record['files']])}"
        walker = load_source(asked)
        tables = {split: _pairs(config, out, staging, split, walker, samples, on_progress) for split in config.splits}
        if not any(map(len, tables.values())):
            remove_leftovers(out, ("preferences",))  # another attempt would end the same
            raise AsciiMazeError(
                f"'{model}' gives no pairs: on no maze is one of its {samples} answers valid and another worse"
            )
        files = {path: digest for path, digest in record["files"].items() if not path.startswith("preference/")}
        for split, table in tables.items():
            path = f"preference/{split}-00000-of-00001.parquet"
            if len(table):
                files[path] = write_table(table, staged_dataset(staging) / path)
        rows = record["rows"] | {f"preference/{split}": len(table) for split, table in tables.items()}
        new: BuildRecord = {**record, "rows": rows, "files": dict(sorted(files.items())), "preferences_from": source}
        return publish(config, staging, out, new)


def _pairs(
    config: BuildConfig, out: Path, staging: Path, split: str, walker: tuple, samples: int, on_progress: OnProgress
):
    """The table of one split; its pairs are saved in `staging` chunk by chunk."""
    import pyarrow
    import pyarrow.parquet

    files = sorted((out / "prompts").glob(f"{split}-*.parquet"))
    source = pyarrow.concat_tables([pyarrow.parquet.read_table(file) for file in files])

    def asked(start: int, done: int) -> None:
        on_progress(f"asking, {split}", start + done, len(source))

    decoding, pairs = Decoding(samples, TEMPERATURE, config.seed), list[Pair]()
    for start in range(0, len(source), CHUNK):
        kept = staging / "pairs" / f"{split}-{start:012d}.json"
        if not kept.is_file():
            rows, chunk = source.slice(start, CHUNK).to_pylist(), decoding.for_part(f"{split}/{start}")
            found = _ask(rows, walker, chunk, functools.partial(asked, start))
            write_text(kept, json.dumps(found))
        pairs += [Pair(start + place, *pair) for place, *pair in read_value(kept)]
    facts = source.take(pyarrow.array([pair.place for pair in pairs], pyarrow.int64()))
    messages = source.schema.field("prompt").type
    columns = {"prompt": facts["prompt"]}
    for key in ("chosen", "rejected"):
        values = [[{"role": "assistant", "content": getattr(pair, key)}] for pair in pairs]
        columns[key] = pyarrow.array(values, messages)
    columns["rejected_kind"] = pyarrow.array([pair.kind for pair in pairs], pyarrow.string())
    return pyarrow.table({**columns, **{name: facts[name] for name in facts_of(config)}})


def _ask(rows: list[dict], walker: tuple, decoding: Decoding, on_progress: Callable[[int], None]) -> list[Pair]:
    """The pairs from a model's answers to some mazes; `place` is an index into `rows`."""
    model, tokenizer = walker
    answers = answer_mazes(model, tokenizer, rows, decoding, on_progress)
    pairs = []
    for place, (row, completions) in enumerate(zip(rows, answers)):
        pair = best_and_worse(Maze.from_ascii(row["maze"]), completions, row["id"])
        if pair:
            pairs.append(Pair(place, *pair))
    return pairs


def quality(score: PathScore) -> tuple:
    """A sort key, larger for better answers: valid ones in few moves, then those legal for longer and nearer."""
    return score.valid, -(score.excess_moves or 0), score.parsed, score.legal_prefix + score.progress


def best_and_worse(maze: Maze, completions: list[str], key: str) -> tuple[str, str, str] | None:
    """The best answer, a worse one and what is wrong with it; None if there is no such pair.

    Args:
        key: seeds the choice among several worse ones.
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
