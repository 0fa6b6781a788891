"""A study of two seeds whose runs are made up and whose answers are really scored: no model is loaded."""

import json
import random
from pathlib import Path

from ascii_maze.evaluation.run import evaluate
from ascii_maze.mazes.baselines import BASELINES
from ascii_maze.mazes.prompts import format_answer
from ascii_maze.metrics.path_validity.maze import Maze
from ascii_maze.study.settings import Study
from dataset_builder.load import load_mazes

SPLITS = ["test", "test_larger"]
# Model -> how often it knows the way, with each seed; else it is as greedy as the baseline.
SKILL = {
    "base": {0: 0.2, 1: 0.2},
    "sft": {0: 0.85, 1: 0.75},
    "dpo": {0: 0.8, 1: 0.9},
    "grpo": {0: 0.9, 1: 0.85},
}
# Of the run `dpo`, as if its pairs were of its start's own walks.
OWN_ANSWERS = {"mazes": 40, "answers": 160, "rows": 31, "tokens": 70_000, "seconds": 11.5}
STUDY = Study(
    "demo",
    "tiny",
    {name: f"recipes/tiny/{name}.yaml" for name in ("sft", "dpo", "reward", "grpo")},
    SPLITS,
    seeds=[0, 1],
    mri_limit=0,
)


def answers(dataset: Path, name: str, seed: int) -> list[dict]:
    """Made-up completions; the base's are the same with every seed."""
    rows = []
    for split in SPLITS:
        for row in load_mazes(str(dataset), split, None):
            rng = random.Random(f"{name}/{'' if name == 'base' else seed}/{row['id']}")
            knows = rng.random() < SKILL[name][seed]
            walk = BASELINES["shortest_path" if knows else "greedy"](Maze.from_ascii(row["maze"]), rng)
            rows.append({"id": row["id"], "completion": format_answer(walk)})
    return rows


def run_metrics(name: str, seed: int) -> dict:
    """metrics.json of a run that never was."""
    return {
        "method": name,
        "base_model": "tiny",
        "steps": 10 + seed,
        "samples": 640,
        "tokens": 1000 * (1 + list(STUDY.recipes).index(name)) + seed,
        "seconds": 2.5 + seed,
        "peak_memory_bytes": 7,
        "device": "cpu",
        "budget": "tokens=200000",
        "dataset": {"rows": 500},
        **({"own_answers": OWN_ANSWERS} if name == "dpo" else {}),
        "history": [{"step": 0, "tokens": 0, "eval_valid": 0.1}, {"step": 10, "tokens": 900, "eval_valid": 0.8}],
    }


def answer_study(dataset: Path, out: Path) -> Path:
    """The folder of `STUDY` as its stages would leave it, without weights."""
    for seed in STUDY.seeds:
        folder = out / f"seed-{seed}"
        models = {}
        for name in SKILL:
            models[name] = str(folder / "answers" / f"{name}.jsonl")
            Path(models[name]).parent.mkdir(parents=True, exist_ok=True)
            lines = [json.dumps(row) for row in answers(dataset, name, seed)]
            Path(models[name]).write_text("\n".join(lines) + "\n")
        evaluate(models, str(dataset), SPLITS, folder / "evaluation")
        for name in STUDY.recipes:
            (folder / name).mkdir()
            (folder / name / "metrics.json").write_text(json.dumps(run_metrics(name, seed)))
    return out
