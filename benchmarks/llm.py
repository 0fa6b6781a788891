"""From which representation does a language model learn to solve mazes? Pilots on SmolLM2-135M-Instruct.

    python benchmarks/llm.py                              # runs missing pilots, writes benchmarks/LLM.md
    python benchmarks/llm.py cells/search_dfs --steps 700    # seven minutes on a GPU
    python benchmarks/llm.py cells/none --adapter outputs/run/checkpoint-400   # evaluates an adapter trained elsewhere

Each pilot is SFT with `recipes/sft.yaml` in full precision on Wilson mazes of 4x4 cells, in one maze style and with
one way of reasoning. The fine-tuned model is then evaluated on mazes with held-out wall layouts. Results are stored in
llm.json; rerun the command to resume.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from pages import write_page

ROOT = Path(__file__).resolve().parents[1]
PAGE, RECORDS = ROOT / "benchmarks" / "LLM.md", ROOT / "benchmarks" / "llm.json"
PILOTS = ("hash/none", "spaced/none", "adjacency/none", "cells/none", "spaced/search_dfs", "cells/search_dfs")
BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
THOUGHT = 250  # tokens; searches of 4x4 mazes need 200
SETTINGS = {
    "load_in_4bit": "false",
    "per_device_train_batch_size": 32,
    "learning_rate": 7e-4,
    "lora_r": 16,
    "lora_alpha": 32,
    "num_train_epochs": 3,
    "eval_strategy": "no",
    "save_steps": 50,
}


def dataset_config(style: str, reasoning: str) -> dict[str, Any]:
    """The dataset config of a pilot; all pilots use the same mazes."""
    return {
        "name": "pilot",
        "sizes": {"4x4": 1},
        "generators": ["wilson"],
        "maze_style": style,
        "reasoning": {reasoning: 1},
        "split_by": "layout",
        "splits": {"train": 30_000, "validation": 300, "test": 300},
    }


def call(*words: object) -> None:
    """Run an ascii-maze command, which resumes if it was interrupted."""
    subprocess.run([sys.executable, "-m", "ascii_maze", *map(str, words)], check=True, cwd=ROOT)


def make_pilot(pilot: str, out: Path, steps: int, mazes: int, adapter: Path | None) -> dict[str, Any]:
    """Train, unless an adapter is given, and evaluate; returns the pilot's record."""
    style, reasoning = pilot.split("/")
    folder = out / pilot.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "dataset.yaml"
    config.write_text(yaml.safe_dump(dataset_config(style, reasoning)))
    if not (folder / "dataset" / "README.md").exists():
        call("build", config, "--out", folder / "dataset")
    trained = adapter or folder / "model"
    if adapter is None:
        recipe = {**SETTINGS, "dataset_name": folder / "dataset", "output_dir": trained, "max_steps": steps}
        call(
            "train",
            ROOT / "recipes/sft.yaml",
            *(word for key, value in recipe.items() for word in (f"--{key}", value)),
        )
    asked = ["--dataset", folder / "dataset", "--limit", mazes, "--batch-size", 100, "--out", folder / "evaluation"]
    call(
        "evaluate",
        f"base={BASE}",
        f"sft={trained}",
        *asked,
        *(["--thinking-tokens", THOUGHT] if reasoning != "none" else []),
    )
    results = json.loads((folder / "evaluation" / "results.json").read_text())["models"]
    logged = [json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()]
    state = trained / "trainer_state.json"  # of a checkpoint; the log may go further
    end = json.loads(state.read_text())["global_step"] if state.exists() else logged[-1]["step"]
    last = [line for line in logged if "loss" in line and line["step"] <= end][-1]
    return {
        "steps": end,
        "tokens": last["tokens"],
        "loss": round(last["loss"], 3),
        "seconds": round(last["seconds"]),
        "rates": {name: found["test"] for name, found in results.items()},
    }


def page(records: dict[str, Any]) -> str:
    """LLM.md, except the part written by hand."""
    columns = (
        "steps",
        "tokens",
        "loss",
        "valid",
        "95 %",
        "shortest",
        "lenient",
        "parsed",
        "at decisions",
        "thought true",
        "base, lenient",
    )
    lines = [
        "# Pilots on a language model",
        "",
        (__doc__ or "").split("\n\n")[2].replace("\n", " "),
        "By `python benchmarks/llm.py STYLE/REASONING --steps N`. Rates in per cent under strict parsing; `lenient` "
        "also accepts a path inside a longer text. `at decisions`: share of moves",
        "at junctions that lead closer to the goal. `thought true`: share of a thought's statements that are true.",
        "",
        f"| maze style / reasoning | {' | '.join(columns)} |",
        "|---" * (1 + len(columns)) + "|",
    ]
    for pilot, record in records.items():
        rates = record["rates"]["sft"]
        low, high = rates["valid_ci"]
        right, true = rates["decisions"]["right"], rates.get("thoughts", {}).get("true")
        base = record["rates"].get("base", {}).get("valid_lenient")
        figures = [rates["optimal"], rates["valid_lenient"], rates["parsed"], right, true, base]
        shown = " | ".join("" if figure is None else f"{100 * figure:.1f}" for figure in figures)
        lines.append(
            f"| {pilot} | {record['steps']} | {record['tokens']:,} | {record['loss']} | {100 * rates['valid']:.1f} | "
            f"{100 * low:.1f} - {100 * high:.1f} | {shown} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the missing pilots and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pilots", nargs="*", default=list(PILOTS), help="STYLE/REASONING")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "llm")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--mazes", type=int, default=300)
    parser.add_argument("--adapter", type=Path, help="adapter of one pilot, trained elsewhere")
    options = parser.parse_args()
    records = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
    for pilot in options.pilots:
        if pilot not in records:
            records[pilot] = make_pilot(pilot, options.out.resolve(), options.steps, options.mazes, options.adapter)
            RECORDS.write_text(json.dumps(records, indent=1) + "\n")
    write_page(PAGE, page(records))


if __name__ == "__main__":
    main()
