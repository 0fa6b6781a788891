"""Models x splits -> validity rates with intervals, paired tests, predictions.

evaluate({"base": "tiny", "sft": "outputs/tiny/sft"}, "ascii-maze", ["test"], out=Path("outputs/evaluation"))
"""

import hashlib
import importlib.metadata
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

from .errors import AsciiMazeError
from .failures import FAILURES, decision_points, failure_of
from .files import replacing, write_text
from .metrics.path_validity.maze import Maze
from .metrics.path_validity.scoring import PathScore, read_maze, score_path
from .policies import POLICIES, open_positions
from .prompts import format_answer, style_of
from .statistics import break_down, count_failures, length_curve, paired_tests, summarise

# What of a maze stands in predictions.parquet, beside its size.
FACTS = ("generator", "path_length", "decision_points")


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
    names = list(dict.fromkeys(row["model"] for row in predictions))
    results = {
        "models": {name: summarise_model(name, predictions) for name in names},
        "analysis": {name: analyse_model(name, predictions) for name in names},
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
    """The first rows of a split of config `prompts`: the messages as models were trained on them, and the facts,
    with the number of decision points on the way.

    Raises:
        AsciiMazeError: no such dataset or split.
    """
    from datasets import load_dataset

    try:
        rows = load_dataset(dataset, "prompts", split=split)
    except (FileNotFoundError, ConnectionError, ValueError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise AsciiMazeError(f"cannot load split '{split}' of '{dataset}': {reason}") from error
    chosen = rows.select(range(min(limit or len(rows), len(rows)))).to_list()
    return [{**row, "decision_points": decision_points(Maze.from_ascii(row["maze"]))} for row in chosen]


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
            **{fact: row.get(fact) for fact in FACTS},
            "maze": row["maze"],
            "completion": completion,
            **score_path(row["maze"], completion).to_dict(),
            **explain(row["maze"], completion),
        }
        for row, completion in zip(rows, completions)
    ]


def explain(maze: str, completion: str) -> dict[str, str | int | None]:
    """What is wrong with an answer as columns; see `ascii_maze.failures.Failure`."""
    failure = failure_of(read_maze(maze), completion) or (None, None, None)
    return dict(zip(("failure", "failure_move", "failure_junction"), failure))


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


def analyse_model(name: str, predictions: list[dict]) -> dict[str, dict]:
    """By split: rates by the facts of the mazes, how often each failure occurs, and validity over path length."""
    mine = [row for row in predictions if row["model"] == name]
    analysis = {}
    for split in dict.fromkeys(row["split"] for row in mine):
        rows = [row for row in mine if row["split"] == split]
        walkable = [row for row in rows if row["path_length"] is not None]
        analysis[split] = {
            "by": break_down(rows),
            "failures": count_failures(rows),
            "length_curve": length_curve([row["path_length"] for row in walkable], [row["valid"] for row in walkable]),
        }
    return analysis


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
    facts = [(name, pyarrow.string() if name == "generator" else pyarrow.int32()) for name in FACTS]
    failure = [("failure", pyarrow.string()), ("failure_move", pyarrow.int32()), ("failure_junction", pyarrow.int32())]
    scores = [(field.name, kinds[getattr(field.type, "__name__", "int")]) for field in fields(PathScore)]
    schema = pyarrow.schema(text + facts + scores + failure)
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(
            pyarrow.Table.from_pylist(predictions, schema=schema), temporary, compression="zstd"
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
            f"(exact McNemar, Holm-corrected p = {test['p_holm']:.2g}{_ratio_text(test)})"
        )
    lines += [
        "",
        "## How answers fail",
        "",
        "| split | model | validity is one half at | failures |",
        "|---|---|---|---|",
    ]
    for name, by_split in results["analysis"].items():
        for split, analysis in by_split.items():
            failures = ", ".join(f"{kind} {count}" for kind, count in analysis["failures"].items())
            lines.append(f"| {split} | {name} | {_half_text(analysis['length_curve'])} | {failures} |")
    lines += ["", *(f"- `{kind}`: {text}" for kind, text in FAILURES.items())]
    return "\n".join(lines) + "\n"


def _ratio_text(test: dict) -> str:
    if test["ratio_ci"] is None:
        return ""
    low, high = test["ratio_ci"]
    return f"; {test['ratio']:.2f} times as often, {low:.2f} - {high:.2f}"


def _half_text(curve: dict | None) -> str:
    if curve is None or curve["half_length"] is None:
        return ""
    bounds = curve["half_length_ci"]
    return f"{curve['half_length']:.1f} moves" + (f" ({bounds[0]:.1f} - {bounds[1]:.1f})" if bounds else "")
