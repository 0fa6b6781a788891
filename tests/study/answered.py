"""A study of two seeds whose runs are made up and whose answers are really scored: no model is loaded."""

import json
import random
from pathlib import Path

from ascii_maze.evaluation.run import evaluate
from ascii_maze.mazes.baselines import BASELINES
from ascii_maze.mazes.prompts import format_answer
from ascii_maze.metrics.path_validity.maze import Maze
from ascii_maze.recipe import load_recipe
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
        "budget": load_recipe(STUDY.recipes[name]).values["budget"],
        "dataset": {"rows": 500},
        **({"own_answers": OWN_ANSWERS} if name == "dpo" else {}),
        "history": [
            {"step": step, "tokens": 90 * step, "eval_valid": valid, "eval_optimal": valid / 2}
            for step, valid in ((0, 0.1), (10, 0.8))
        ],
    }


def lost(seed: int) -> dict:
    """The models of a forgetting.json of answers that never were."""
    return {
        name: {
            "pass_at": {
                "mazes": 9,
                "optimal": {"1": 0.3 + 0.2 * seed, "8": 0.5, "64": 0.75},
                "valid": {"1": 0.4, "8": 0.6, "64": 0.8},
            },
            "loops": {"mazes": 3, "there": 4.0, "found": 2.0 + seed, "share": 0.5},
            "divergence": (
                name != "base"
                and {
                    "start": "base" if name == "sft" else "sft",
                    "answers": 36,
                    "forward": 1.25 + seed,
                    "reverse": 0.5,
                }
            )
            or None,
            "habit": {"moves": 240, "right": 0.8 - 0.1 * seed},
            "plain_text": None,
            "cost": {"answers": 768, "tokens": 90_000 + seed, "seconds": 8.5},
        }
        for name in SKILL
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
        (folder / "forgetting").mkdir()
        (folder / "forgetting" / "forgetting.json").write_text(json.dumps({"models": lost(seed), "settings": {}}))
        for name in STUDY.recipes:
            (folder / name).mkdir()
            (folder / name / "metrics.json").write_text(json.dumps(run_metrics(name, seed)))
    return out
