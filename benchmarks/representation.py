"""Which maze representation, and which reasoning before the answer, does a small model learn from?

    python benchmarks/representation.py --jobs 8                       # on a GPU; writes REPRESENTATION.md
    python benchmarks/representation.py --rows 4000 --epochs 1         # hours on two cores
    python benchmarks/representation.py --styles hash cells --seeds 1  # a subset; rerun to resume

Every maze style is crossed with every way of reasoning, under two tokenizers: one token per character, and a BPE
trained on all of these texts, which merges walls as the tokenizers of language models do. For each combination a Llama
with 2 M parameters is trained from random weights on the same mazes (Wilson, 4x4 cells), with the loss on reasoning
and answer, and then evaluated on mazes with unseen wall layouts. The number of mazes is the same for all, the number
of tokens is not. Results are stored in representation.json; rerun the command to resume.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
import yaml
from pages import write_page
from small_llama import MARKS, Texts, answer, train

from ascii_maze.files import replacing
from ascii_maze.mazes.reasoning import REASONING
from ascii_maze.metrics.path_validity.styles import STYLES

ROOT = Path(__file__).resolve().parents[1]
PAGE, RECORDS = ROOT / "benchmarks" / "REPRESENTATION.md", ROOT / "benchmarks" / "representation.json"
TOKENIZERS = ("characters", "bpe")
SEEDS = 3
OUT = "datasets and tokenizers, the latter trained on what is asked for first; use another folder for other styles"
FIRST = "hash"  # the style of the datasets whose completions are read
TEST = 300  # mazes
VOCABULARY = 512  # of the BPE
MERGED_FROM = 500  # rows of each dataset, from which the BPE is trained


class Run(NamedTuple):
    """One model: tokenizer, maze style, reasoning, and the seed of its weights and data order."""

    tokenizer: str
    style: str
    reasoning: str
    seed: int

    @property
    def key(self) -> str:
        """Its key in representation.json."""
        return "/".join(map(str, self))


def build(style: str, reasoning: str, rows: int, out: Path) -> Path:
    """Build the dataset of a style and a way of reasoning; all contain the same mazes."""
    folder = out / f"{style}-{reasoning}-{rows}"
    config = {
        "name": "representation",
        "sizes": {"4x4": 1},
        "generators": ["wilson"],
        "maze_style": style,
        "reasoning": {reasoning: 1},
        "split_by": "layout",
        "splits": {"train": rows, "validation": 100, "test": TEST},
    }
    if not (folder / "README.md").exists():
        path = out / f"{style}-{reasoning}.yaml"
        path.write_text(yaml.safe_dump(config))
        words = [sys.executable, "-m", "ascii_maze", "build", str(path), "--out", str(folder)]
        subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return folder


def read(folder: Path, split: str) -> list[dict[str, Any]]:
    """Rows of a dataset with `maze`, `id`, `prompt` and `completion`, the last two as text."""
    import pyarrow.parquet as parquet

    rows = parquet.read_table(next((folder / "sft").glob(f"{split}-*.parquet"))).to_pylist()
    return [
        {**row, "prompt": row["prompt"][-1]["content"], "completion": row["completion"][0]["content"]} for row in rows
    ]


def rows_of(style: str, reasoning: str, split: str, rows: int, out: Path) -> list[dict[str, Any]]:
    """Rows of a style and a way of reasoning: the prompts of the first, the completions of the second.

    A prompt does not depend on the reasoning, a completion not on the style, so that few datasets make all pairs.
    """
    prompts, completions = (
        read(build(style, "none", rows, out), split),
        read(build(FIRST, reasoning, rows, out), split),
    )
    if [row["id"] for row in prompts] != [row["id"] for row in completions]:
        raise ValueError(f"{style}-none and {FIRST}-{reasoning} are of different mazes; use a new --out")
    return [{**row, "completion": other["completion"]} for row, other in zip(prompts, completions)]


def train_tokenizers(pairs: Sequence[tuple[str, str]], rows: int, out: Path) -> None:
    """Both tokenizers, from the texts of all pairs of style and reasoning: OUT/characters.json and OUT/bpe.json.

    The BPE works on bytes and splits digits, as SmolLM2's does.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    if all((out / f"{name}.json").exists() for name in TOKENIZERS):
        return
    of_pairs = [row for pair in pairs for row in rows_of(*pair, "train", rows, out)[:MERGED_FROM]]
    merged = [row[key] for row in of_pairs for key in ("prompt", "completion")]
    characters = Tokenizer(
        models.WordLevel({mark: place for place, mark in enumerate([*MARKS, *sorted(set("".join(merged)))])})
    )
    characters.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    characters.decoder = decoders.Fuse()
    bpe = Tokenizer(models.BPE())
    digits, by_bytes = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.Sequence([digits, by_bytes]), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(MARKS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(merged, trainer)
    for name, tokenizer in zip(TOKENIZERS, (characters, bpe)):
        changed = [text for text in merged if tokenizer.decode(tokenizer.encode(text).ids) != text]
        if changed:
            raise ValueError(f"the {name} tokenizer does not give back {len(changed)} texts, first {changed[0]!r}")
        tokenizer.save(str(out / f"{name}.json"))


def tokens_of(tokenizer: str, style: str, reasoning: str, key: str, rows: int, out: Path) -> list[np.ndarray]:
    """The training `prompt`s or `completion`s as token ids, stored for the next model that is trained on them."""
    from tokenizers import Tokenizer

    path = out / "tokens" / f"{tokenizer}-{style}-{reasoning}-{key}-{rows}.npz"
    if not path.exists():
        texts = [row[key] for row in read(build(style, reasoning, rows, out), "train")]
        ids = encode(Tokenizer.from_file(str(out / f"{tokenizer}.json")), texts)
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, ids=np.concatenate(ids).astype(np.uint16), ends=np.cumsum([len(one) for one in ids]))
    with np.load(path) as stored:
        return np.split(stored["ids"].astype(np.int64), stored["ends"][:-1])


def encode(tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    """Texts as token ids, int64 (tokens,) each."""
    return [np.array(one.ids, np.int64) for one in tokenizer.encode_batch(texts, add_special_tokens=False)]


def rates(rows: Sequence[dict[str, Any]], completions: Sequence[str]) -> dict[str, float]:
    """Rates over some answers, each from 0 to 1."""
    from ascii_maze.evaluation.answers import score_answers

    scored = [one for row, text in zip(rows, completions) for one in score_answers("", "test", row, [text])]
    true = [one["thought_true"] for one in scored if one.get("thought_true") is not None]
    return {
        "right": sum(one["decisions_right"] for one in scored) / max(1, sum(one["decisions"] for one in scored)),
        "decisions": sum(one["decisions"] for one in scored),
        "before_wall": mean(one["legal_prefix"] for one in scored),
        **{key: mean(one[key] for one in scored) for key in ("valid", "valid_lenient", "optimal", "parsed")},
        **({"thought_true": mean(true)} if true else {}),
    }


def make(run: Run, rows: int, epochs: int, out: Path) -> dict[str, Any]:
    """Train and evaluate one model; returns its record."""
    import torch
    from tokenizers import Tokenizer

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    began = time.monotonic()
    tokenizer = Tokenizer.from_file(str(out / f"{run.tokenizer}.json"))
    known = Texts(
        tokens_of(run.tokenizer, run.style, "none", "prompt", rows, out),
        tokens_of(run.tokenizer, FIRST, run.reasoning, "completion", rows, out),
    )
    model, loss, tokens = train(known, epochs, tokenizer.get_vocab_size(), run.seed, device)
    most = max(map(len, known.completions)) + 1

    def asked(style: str) -> dict[str, Any]:
        test = rows_of(style, run.reasoning, "test", rows, out)
        prompts = encode(tokenizer, [row["prompt"] for row in test])
        found = rates(test, answer(model, tokenizer, prompts, most, device))
        return {"prompt_tokens": round(mean(map(len, prompts)), 1), **found}

    own = asked(run.style)
    record = {
        "rows": rows,
        "epochs": epochs,
        "tokens": tokens,
        "tokens_per_maze": round(tokens / (rows * epochs), 1),
        "prompt_tokens": own.pop("prompt_tokens"),
        "loss": round(loss, 4),
        **own,
    }
    if run.reasoning == "none":
        others = [style for style in STYLES if style != run.style and (out / f"{style}-none-{rows}").exists()]
        record["elsewhere"] = {style: asked(style)["right"] for style in others}
    device_name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    return {**record, "seconds": round(time.monotonic() - began, 1), "device": device_name}


def page(records: dict[str, dict[str, Any]], command: str) -> str:
    """REPRESENTATION.md, except the part written by hand."""
    runs = {Run(*(key.split("/")[:3]), int(key.split("/")[3])): record for key, record in records.items()}
    seeds = {run[:3]: sorted(other.seed for other in runs if other[:3] == run[:3]) for run in runs}
    counts = [record["decisions"] for record in runs.values()]
    fewest, most = min(counts), max(counts)
    about, kept = (__doc__ or "").split("\n\n")[2].strip().replace("\n", " "), next(iter(records.values()))
    lines = [
        "# Maze representations and reasoning",
        "",
        about,
        "",
        f"By `{command}`; {kept['rows']:,} training mazes, each {kept['epochs']} times, and {TEST} test mazes, on "
        f"{kept['device']}. Decisions are counted along each model's own path, {fewest} to {most} of them. "
        f"{len(runs)} of {SEEDS * len(TOKENIZERS) * len(STYLES) * len(REASONING)} runs have been made. Means over "
        "seeds, with minimum and maximum where there are several.",
    ]

    def over(which: tuple, key: str) -> list[float]:
        return [runs[Run(*which, seed)][key] for seed in seeds[which]]

    def spread(which: tuple, key: str) -> str:
        if which not in seeds:
            return ""
        found = [100 * value for value in over(which, key)]
        return f"{mean(found):.0f}" + (f" ({min(found):.0f}-{max(found):.0f})" if len(found) > 1 else "")

    reasonings = [name for name in REASONING if any(run.reasoning == name for run in runs)]
    styles = [name for name in STYLES if any(run.style == name for run in runs)]
    for tokenizer in TOKENIZERS:
        if not any(run.tokenizer == tokenizer for run in runs):
            continue
        for title, key in (
            ("Right moves at decisions", "right"),
            ("Moves before the first wall", "before_wall"),
            ("Shortest paths", "optimal"),
        ):
            lines += ["", f"## {title}, {tokenizer}, %", "", f"| style | {' | '.join(reasonings)} |"]
            lines += ["|---" * (1 + len(reasonings)) + "|"]
            lines += [
                f"| {style} | {' | '.join(spread((tokenizer, style, name), key) for name in reasonings)} |"
                for style in styles
            ]
    columns = ("tokens per maze", "tokens of the prompt", "loss", "valid", "lenient", "parsed", "thought true")
    lines += ["", "## All results", "", f"| tokenizer / style / reasoning | {' | '.join(columns)} |", "|---" * 8 + "|"]
    for which in seeds:
        first = runs[Run(*which, seeds[which][0])]
        shares = [f"{100 * mean(over(which, key)):.1f}" for key in ("valid", "valid_lenient", "parsed")]
        thought = f"{100 * mean(over(which, 'thought_true')):.1f}" if "thought_true" in first else ""
        figures = [
            first["tokens_per_maze"],
            first["prompt_tokens"],
            f"{mean(over(which, 'loss')):.3f}",
            *shares,
            thought,
        ]
        lines.append(f"| {'/'.join(which)} | {' | '.join(map(str, figures))} |")
    for tokenizer in TOKENIZERS:
        table = {style: seeds.get((tokenizer, style, "none")) for style in styles}
        if not any(table.values()):
            continue
        lines += ["", f"## Trained on one style, evaluated on another: right moves at decisions, {tokenizer}, %", ""]
        lines += [f"| trained on | {' | '.join(styles)} |", "|---" * (1 + len(styles)) + "|"]
        for style in (name for name in styles if table[name]):
            cells = []
            for other in styles:
                found = [
                    record["right"] if other == style else record["elsewhere"].get(other)
                    for record in (runs[Run(tokenizer, style, "none", seed)] for seed in table[style] or [])
                ]
                cells.append(f"{100 * mean(found):.0f}" if None not in found else "")
            lines.append(f"| {style} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--styles", nargs="+", default=list(STYLES), choices=list(STYLES))
    parser.add_argument("--reasoning", nargs="+", default=list(REASONING), choices=list(REASONING))
    parser.add_argument("--tokenizers", nargs="+", default=list(TOKENIZERS), choices=TOKENIZERS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--rows", type=int, default=40_000, help="training mazes")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1, help="parallel training runs")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no training run after this time")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "representation", help=OUT)
    parser.add_argument("--records", type=Path, default=RECORDS)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    began, out = time.monotonic(), options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    records = json.loads(options.records.read_text()) if options.records.exists() else {}
    pairs = list(product(options.styles, options.reasoning))
    # Runs that share a dataset are adjacent, and all of the first seed come before the second.
    runs = [Run(t, s, r, seed) for seed in range(options.seeds) for s, r in pairs for t in options.tokenizers]
    missing = [run for run in runs if run.key not in records]
    with ProcessPoolExecutor(options.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        needed = dict.fromkeys([(s, "none") for s in options.styles] + [(FIRST, r) for r in options.reasoning])
        list(pool.map(build, *zip(*((s, r, options.rows, out) for s, r in needed))))
        train_tokenizers(pairs, options.rows, out)
        waiting = {pool.submit(make, run, options.rows, options.epochs, out): run for run in missing}
        for done in as_completed(waiting):
            if done.cancelled():
                continue
            run = waiting[done]
            records[run.key] = done.result()
            order = {key: place for place, key in enumerate(run.key for run in runs)}
            records = dict(sorted(records.items(), key=lambda item: order.get(item[0], len(order))))
            options.records.write_text(json.dumps(records, indent=1) + "\n")
            print(f"{len(records)} of {len(runs)}: {run.key}: {records[run.key]['right']:.2f}", flush=True)
            if time.monotonic() - began > options.seconds:
                for other in waiting:
                    other.cancel()
    words = " ".join(sys.argv[1:])
    write_page(options.page, page(records, f"python benchmarks/representation.py {words}".strip()))


if __name__ == "__main__":
    main()
