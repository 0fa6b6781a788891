"""Sweep the settings of every method's recipe for the embedded model, with equally many trials, on validation.

    python benchmarks/sweeps.py                              # twelve trials per method; writes recipes/tiny/sweeps/
    python benchmarks/sweeps.py --together 3 --jobs 4        # on a GPU or many cores: twelve runs at once
    python benchmarks/sweeps.py --methods sft dpo --trials 4 --out outputs/try --records outputs/try/records

Each recipe starts from the best trial of the one that it builds on: SFT, with and without an adapter, and ORPO from
the base; the reward model and all others from SFT, RLHF from the reward model too. Rerun the command to resume. The
record of each sweep and its figure are saved with the recipe (`recipes/tiny/sweeps/METHOD.json`, `.svg`). The recipe
is then edited by hand to the printed settings; a test compares the two.
"""

import argparse
import json
import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from graphlib import TopologicalSorter
from pathlib import Path

# Recipe -> key -> the recipe whose best trial it starts from.
STARTS = {
    "sft": {},
    "orpo": {},
    "sft_full": {},
    "sft_twice": {"adapter_name_or_path": "sft"},
    "rft": {"adapter_name_or_path": "sft"},
    "reward": {"adapter_name_or_path": "sft"},
    "dpo": {"adapter_name_or_path": "sft"},
    "kto": {"adapter_name_or_path": "sft"},
    "grpo": {"adapter_name_or_path": "sft"},
    "rlhf": {"adapter_name_or_path": "sft", "reward_model_name_or_path": "reward"},
}
# All of validation, once, at the end: the runs have fewer than 100 steps.
JUDGED = {"eval_limit": 500, "eval_steps": 0.99}


def call(*words: object) -> None:
    """Run an ascii-maze command, which resumes if it was interrupted."""
    subprocess.run([sys.executable, "-m", "ascii_maze", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def best_of(name: str, out: Path) -> tuple[Path, dict]:
    """The folder of the best trial of a finished sweep, and its settings."""
    record = json.loads((out / name / "sweep.json").read_text())
    best = next(trial for trial in record["trials"] if trial["number"] == record["best"])
    return out / name / f"trial-{best['number']}", best["settings"]


def sweep(name: str, needs: list[Future], options: argparse.Namespace) -> None:
    """Sweep one method after those that it starts from."""
    for need in needs:
        need.result()
    words = {"dataset_name": options.out / "dataset", **JUDGED}
    for key, start in STARTS[name].items():
        words[key], settings = best_of(start, options.out)
        words |= {"lora_r": settings["lora_r"]} if "lora_r" in settings else {}  # an adapter's rank is kept
    spelled = [word for key, value in words.items() for word in (f"--{key}", value)]
    limits = ["--trials", options.trials, "--jobs", options.jobs, "--search-seed", options.search_seed]
    call("sweep", f"recipes/tiny/{name}.yaml", "--out", options.out / name, *limits, *spelled)
    options.records.mkdir(parents=True, exist_ok=True)
    for kind in ("json", "svg"):
        shutil.copy(options.out / name / f"sweep.{kind}", options.records / f"{name}.{kind}")
    kept = {"lora_r": words["lora_r"]} if "lora_r" in words else {}
    print(f"{name}: {best_of(name, options.out)[1] | kept}", flush=True)


def main() -> None:
    """Run the missing sweeps and print the chosen settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(STARTS), choices=list(STARTS))
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=1, help="parallel trials per method")
    parser.add_argument("--search-seed", type=int, default=0, help="another, to propose other settings than before")
    parser.add_argument("--together", type=int, default=1, help="methods swept in parallel")
    parser.add_argument("--out", type=Path, default=Path("outputs/sweeps"))
    parser.add_argument("--records", type=Path, default=Path("recipes/tiny/sweeps"))
    options = parser.parse_args()
    if not (options.out / "dataset" / "build.json").exists():
        call("build", "demo", "--out", options.out / "dataset")
    wanted = {name: set(STARTS[name].values()) for name in options.methods}
    swept: dict[str, Future] = {}
    with ThreadPoolExecutor(options.together) as pool:
        # Submitted after their dependencies, so that a waiting sweep never blocks them.
        for name in TopologicalSorter(wanted).static_order():
            swept[name] = pool.submit(sweep, name, [swept[start] for start in wanted.get(name, ())], options)
    for one in swept.values():
        one.result()


if __name__ == "__main__":
    main()
