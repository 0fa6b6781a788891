"""Models x splits -> validity rates with intervals, paired tests, predictions.

evaluate({"base": "tiny", "sft": "outputs/tiny/sft"}, "ascii-maze", ["test"], out=Path("outputs/evaluation"))
"""

import hashlib
import importlib.metadata
import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

from .errors import AsciiMazeError
from .files import replacing, write_text
from .metrics.path_validity.maze import Maze
from .metrics.path_validity.scoring import PathScore, score_path
from .policies import POLICIES, open_positions
from .prompts import format_answer, style_of

RATES = ("valid", "optimal", "reaches_goal", "legal", "parsed")


def evaluate(
    models: dict[str, str],
    dataset: str,
    splits: Sequence[str],
    out: Path,
    limit: int | None = None,
    batch_size: int = 64,
    baselines: bool = True,
    report: Callable[[str, int, int], None] | None = None,
) -> dict:
    """Score every model, and the trivial policies, on the same mazes; write results.json, predictions.parquet,
    report.md.

    Args:
        models: name in the tables -> folder, Hub id or `tiny`.
        dataset: folder or Hub id of a dataset with a config `mazes`.
        limit: the first so many mazes of each split.
        report: called with the model's name, the mazes done and the mazes in all.

    Returns:
        What results.json holds.

    Raises:
        AsciiMazeError: a model, the dataset or a split cannot be loaded.
    """
    mazes = {split: load_mazes(dataset, split, limit) for split in splits}
    report = report or (lambda name, done, total: None)
    predictions: list[dict] = []
    for name, location in models.items():
        predictions += predict(name, location, mazes, batch_size, report)
    for name in POLICIES if baselines else ():
        for split, rows in mazes.items():
            answers = [policy_answer(name, row) for row in rows]
            predictions += score_rows(name, split, rows, answers)
    results = {
        "models": {
            name: summarise_model(name, predictions) for name in dict.fromkeys(row["model"] for row in predictions)
        },
        "paired": paired_tests(list(models), splits, predictions),
        "settings": {
            "models": models,
            "dataset": dataset,
            "dataset_sha256": fingerprint_rows(mazes),
            "limit": limit,
            "decoding": "greedy",
            "system_prompt": next(row["prompt"][0]["content"] for rows in mazes.values() for row in rows),
            "versions": {name: importlib.metadata.version(name) for name in ("ascii-maze", "transformers", "torch")},
        },
    }
    write_predictions(out / "predictions.parquet", predictions)
    write_text(out / "report.md", render_markdown(results))
    write_text(out / "results.json", json.dumps(results, indent=2))
    return results


def load_mazes(dataset: str, split: str, limit: int | None) -> list[dict]:
    """The first rows of a split of config `prompts`: the messages as models were trained on them, and the facts.

    Raises:
        AsciiMazeError: no such dataset or split.
    """
    from datasets import load_dataset

    try:
        rows = load_dataset(dataset, "prompts", split=split)
    except (FileNotFoundError, ConnectionError, ValueError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise AsciiMazeError(f"cannot load split '{split}' of '{dataset}': {reason}") from error
    return rows.select(range(min(limit or len(rows), len(rows)))).to_list()


def predict(name: str, location: str, mazes: dict[str, list[dict]], batch_size: int, report: Callable) -> list[dict]:
    """Greedy answers of one model to all splits, scored."""
    from .inference import answer_budget, generate, load_model

    model, tokenizer = load_model(location)
    rows = [(split, row) for split, of_split in mazes.items() for row in of_split]
    longest = max(open_positions(Maze.from_ascii(row["maze"])) for _, row in rows)
    budget = answer_budget(tokenizer, longest, style_of(rows[0][1]["prompt"]))
    completions = generate(
        model,
        tokenizer,
        [row["prompt"] for _, row in rows],
        budget,
        batch_size,
        report=lambda done: report(name, done, len(rows)),
    )
    return [
        scored
        for (split, row), answer in zip(rows, completions)
        for scored in score_rows(name, split, [row], [answer])
    ]


def policy_answer(name: str, row: dict) -> str:
    """What a trivial policy answers; its randomness is fixed by its name and the maze."""
    seed = hashlib.blake2b(f"{name}/{row['id']}".encode(), digest_size=8).digest()
    return format_answer(POLICIES[name](Maze.from_ascii(row["maze"]), random.Random(seed)))


def score_rows(name: str, split: str, rows: list[dict], completions: list[str]) -> list[dict]:
    """The rows of predictions.parquet for one model and split."""
    return [
        {
            "id": row["id"],
            "model": name,
            "split": split,
            "size": f"{row['width']}x{row['height']}",
            "maze": row["maze"],
            "completion": completion,
            **score_path(row["maze"], completion).to_dict(),
        }
        for row, completion in zip(rows, completions)
    ]


def summarise_model(name: str, predictions: list[dict]) -> dict[str, dict]:
    """Rates of one model by split, and within each by size."""
    mine = [row for row in predictions if row["model"] == name]
    summary = {}
    for split in dict.fromkeys(row["split"] for row in mine):
        rows = [row for row in mine if row["split"] == split]
        sizes = sorted({row["size"] for row in rows}, key=lambda size: [int(n) for n in size.split("x")])
        by_size = {size: summarise([row for row in rows if row["size"] == size]) for size in sizes}
        summary[split] = {**summarise(rows), "by_size": by_size}
    return summary


def summarise(rows: list[dict]) -> dict:
    """Number of rows, the rates 0-1, and the Wilson 95 % interval of validity (Wilson, JASA 1927)."""
    from statsmodels.stats.proportion import proportion_confint

    count = len(rows)
    valid = sum(row["valid"] for row in rows)
    low, high = proportion_confint(valid, count, method="wilson")
    rates = {rate: sum(row[rate] for row in rows) / count for rate in RATES}
    progress = sum(row["progress"] for row in rows) / count
    return {"n": count, **rates, "valid_ci": [float(low), float(high)], "progress": progress}


def paired_tests(models: list[str], splits: Sequence[str], predictions: list[dict]) -> list[dict]:
    """Exact McNemar tests of validity between every two models on the same mazes, Holm-corrected over the table."""
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    valid = {(row["model"], row["split"], row["id"]): row["valid"] for row in predictions}
    tests = []
    for split in splits:
        ids = (
            [row["id"] for row in predictions if row["split"] == split and row["model"] == models[0]] if models else []
        )
        for one, two in itertools.combinations(models, 2):
            only_one = sum(valid[one, split, i] and not valid[two, split, i] for i in ids)
            only_two = sum(valid[two, split, i] and not valid[one, split, i] for i in ids)
            p = float(mcnemar([[0, only_one], [only_two, 0]], exact=True).pvalue) if only_one + only_two else 1.0
            tests.append({"split": split, "a": one, "b": two, "only_a": only_one, "only_b": only_two, "p": p})
    if tests:
        for test, corrected in zip(tests, multipletests([test["p"] for test in tests], method="holm")[1]):
            test["p_holm"] = float(corrected)
    return tests


def fingerprint_rows(mazes: dict[str, list[dict]]) -> str:
    """sha256 over splits and ids: which mazes exactly were asked."""
    text = "\n".join(f"{split}/{row['id']}/{row['maze']}" for split, rows in mazes.items() for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def write_predictions(path: Path, predictions: list[dict]) -> None:
    """predictions.parquet: one row per model and maze."""
    import pyarrow
    import pyarrow.parquet

    kinds = {"bool": pyarrow.bool_(), "int": pyarrow.int32(), "float": pyarrow.float64()}
    text = [(name, pyarrow.string()) for name in ("id", "model", "split", "size", "maze", "completion")]
    scores = [(field.name, kinds[getattr(field.type, "__name__", "int")]) for field in fields(PathScore)]
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(
            pyarrow.Table.from_pylist(predictions, schema=pyarrow.schema(text + scores)), temporary, compression="zstd"
        )


def table_rows(results: dict) -> list[tuple[str, ...]]:
    """The table of results as text, rates in per cent; see `TABLE_HEADER`."""
    table = []
    for name, by_split in results["models"].items():
        for split, summary in by_split.items():
            sizes = summary["by_size"] if len(summary["by_size"]) > 1 else {}
            for size, cell in {**sizes, "all": summary}.items():
                low, high = cell["valid_ci"]
                rates = [f"{100 * cell[rate]:.1f}" for rate in ("valid", "optimal", "legal", "reaches_goal")]
                rates.insert(1, f"{100 * low:.1f} - {100 * high:.1f}")
                table.append((split, size, name, str(cell["n"]), *rates))
    order = {key: place for place, key in enumerate(dict.fromkeys((row[0], row[1]) for row in table))}
    return sorted(table, key=lambda row: order[row[0], row[1]])


TABLE_HEADER = ("split", "size", "model", "n", "valid", "95 %", "shortest", "legal", "arrives")


def render_markdown(results: dict) -> str:
    """The results as a Markdown report."""
    lines = ["# Path validity", "", "| " + " | ".join(TABLE_HEADER) + " |", "|" + "---|" * len(TABLE_HEADER)]
    lines += ["| " + " | ".join(row) + " |" for row in table_rows(results)]
    lines += [
        "",
        "Rates in per cent; 95 % intervals are Wilson's. `shortest`: as short as a path can be. `arrives`: ends on G, "
        "blocked moves ignored.",
    ]
    for test in results["paired"]:
        lines.append(
            f"- {test['split']}: {test['a']} alone solves {test['only_a']}, {test['b']} alone {test['only_b']} "
            f"(exact McNemar, Holm-corrected p = {test['p_holm']:.2g})"
        )
    return "\n".join(lines) + "\n"
