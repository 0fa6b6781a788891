"""All seven methods with the embedded model, over several seeds, as `accelerate launch recipes/tiny/METHOD.yaml`.

    python benchmarks/methods.py                       # writes benchmarks/METHODS.md; about ten minutes per seed
    python benchmarks/methods.py --seeds 0 --out outputs/methods-try --page outputs/methods-try/METHODS.md

Every seed runs its own chain: SFT and ORPO from the base; the reward model, DPO, KTO, RLHF and GRPO from that seed's
SFT adapter. `sft_twice` is the control, which spends the second budget on more SFT. The recipes are unmodified; their
settings were chosen on the validation split, and `test` is used only here. Finished runs are skipped.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from statistics import mean
from types import SimpleNamespace

from pages import write_page

from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.launch import prepare_process
from ascii_maze.recipe.run_metrics import RunMetrics, read_metrics

# In order of dependency; each with what it starts from.
CHAIN = {
    "sft": {},
    "orpo": {},
    "sft_twice": {"adapter_name_or_path": "sft"},
    "reward": {"adapter_name_or_path": "sft"},
    "dpo": {"adapter_name_or_path": "sft"},
    "kto": {"adapter_name_or_path": "sft"},
    "rlhf": {"adapter_name_or_path": "sft", "reward_model_name_or_path": "reward"},
    "grpo": {"adapter_name_or_path": "sft"},
}
WALKERS = ["base", *(name for name in CHAIN if name != "reward")]


def launch(name: str, seed: int, out: Path, dataset: Path) -> None:
    """One run of the chain, unless it is finished."""
    folder = out / f"seed-{seed}"
    if (folder / name / "metrics.json").exists():
        return
    recipe = f"recipes/tiny/{name.split('_')[0]}.yaml"
    order = seed + 1000 if name == "sft_twice" else seed  # otherwise it would see the same rows as its start
    words = ["--seed", order, "--dataset_name", dataset, "--output_dir", folder / name]
    for key, start in CHAIN[name].items():
        words += [f"--{key}", folder / start]
    print(f"seed {seed}: {name}", flush=True)
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", recipe, *map(str, words)]
    with (out / f"seed-{seed}-{name}.log").open("w") as log:
        subprocess.run(command, stdout=log, stderr=log, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})


def judge(seed: int, out: Path, dataset: Path) -> dict:
    """Evaluate every model of a seed on the test split, with greedy decoding."""
    results = out / f"seed-{seed}" / "evaluation" / "results.json"
    if not results.exists():
        folder = out / f"seed-{seed}"
        models = {name: "tiny" if name == "base" else str(folder / name) for name in WALKERS}
        evaluate(models, str(dataset), ["test"], results.parent, Options(baselines=False))
    return json.loads(results.read_text())


def judge_reward_model(seed: int, out: Path, dataset: Path) -> dict:
    """Evaluate a seed's reward model on the pairs of the test split; see `ascii_maze.training.reward.judge_pairs`."""
    path = out / f"seed-{seed}" / "evaluation" / "reward.json"
    if not path.exists():
        from datasets import load_dataset

        from ascii_maze.models.loading import load_model
        from ascii_maze.training.reward import judge_pairs

        model, tokenizer = load_model(str(out / f"seed-{seed}" / "reward"), task="SEQ_CLS")
        args = SimpleNamespace(device=model.device)
        judge = SimpleNamespace(
            model=model, processing_class=tokenizer, args=args, compute_loss_context_manager=nullcontext
        )
        path.write_text(json.dumps(judge_pairs(judge, load_dataset(str(dataset), "preference", split="test"))))
    return json.loads(path.read_text())


def p_against(results: dict, start: str, name: str) -> tuple[int, int, float]:
    """Mazes that only the start and only the other model solves, and the exact McNemar p."""
    for test in results["paired"]:
        if (test["a"], test["b"]) == (start, name):
            return test["only_a"], test["only_b"], test["p"]
        if (test["b"], test["a"]) == (start, name):
            return test["only_b"], test["only_a"], test["p"]
    raise KeyError((start, name))


def metrics(out: Path, seed: int, name: str) -> RunMetrics:
    """metrics.json of a run."""
    return read_metrics(out / f"seed-{seed}" / name)


def page(seeds: list[int], out: Path, results: dict[int, dict], rewards: dict[int, dict]) -> str:
    """METHODS.md, except the part written by hand."""
    packages = ("torch", "trl", "peft", "transformers")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    mazes = results[seeds[0]]["models"]["base"]["test"]["n"]
    lines = [
        "# Comparison of the seven methods",
        "",
        f"`python benchmarks/methods.py --seeds {' '.join(map(str, seeds))}`: the unmodified recipes of",
        f"`recipes/tiny`, each with a budget of `{metrics(out, seeds[0], 'sft')['budget']}` (the reward model "
        f"`{metrics(out, seeds[0], 'reward')['budget']}`), on {os.cpu_count()} cores "
        f"({platform.machine()}), Python {platform.python_version()}, {versions}.",
        f"Test split: {mazes} mazes that neither the base nor any run has seen. Settings were chosen on validation.",
        "Rates in per cent: the mean over seeds, and each seed.",
        "",
        "| method | starts from | valid | 95 % of the first seed | shortest | minutes | tokens, thousands |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in WALKERS:
        cells = [results[seed]["models"][name]["test"] for seed in seeds]
        low, high = cells[0]["valid_ci"]
        runs = [metrics(out, seed, name) for seed in seeds] if name != "base" else []
        start = CHAIN.get(name, {}).get("adapter_name_or_path", "base") if runs else ""
        lines.append(
            f"| {name} | {start} "
            f"| {_each(100 * cell['valid'] for cell in cells)} | {100 * low:.1f} - {100 * high:.1f} "
            f"| {_each(100 * cell['optimal'] for cell in cells)} "
            f"| {_each(run['seconds'] / 60 for run in runs)} | {_each((run['tokens'] / 1000 for run in runs), 0)} |"
        )
    lines += [
        "",
        "Against the SFT adapter that each run started from, on the same mazes (exact McNemar, uncorrected):",
        "",
    ]
    lines += ["| method | " + " | ".join(f"seed {seed}: won, lost, p" for seed in seeds) + " | all seeds |"]
    lines += ["|---|" + "---|" * (len(seeds) + 1)]
    for name in [name for name in WALKERS if name not in ("base", "sft")]:
        tests = [p_against(results[seed], "sft", name) for seed in seeds]
        lost, won = sum(test[0] for test in tests), sum(test[1] for test in tests)
        cells = [f"+{only_name} -{only_sft}, {p:.2g}" for only_sft, only_name, p in tests]
        lines.append(f"| {name} | {' | '.join(cells)} | +{won} -{lost}, {exact_mcnemar(lost, won):.2g} |")
    figures = {key: [rewards[seed][key] for seed in seeds] for key in rewards[seeds[0]]}
    lines += [
        "",
        f"The reward model on the {mazes} pairs of the test split: accuracy "
        f"{_each(100 * value for value in figures['pair_accuracy'])} %, calibration error "
        f"{_each(figures['calibration_error'], 3)}, rank correlation with the true reward "
        f"{_each(figures['rank_correlation'], 2)}.",
    ]
    return "\n".join(lines)


def exact_mcnemar(lost: int, won: int) -> float:
    """Two-sided exact McNemar p of so many lost and won mazes."""
    from scipy.stats import binomtest

    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def _each(values, digits: int = 1) -> str:
    values = list(values)
    if len(values) < 2:
        return "".join(f"{value:.{digits}f}" for value in values)
    return f"**{mean(values):.{digits}f}** ({', '.join(f'{value:.{digits}f}' for value in values)})"


def main() -> None:
    """Build the dataset, run every seed and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("outputs/methods"))
    parser.add_argument("--page", type=Path, default=Path("benchmarks/METHODS.md"))
    arguments = parser.parse_args()
    from dataset_builder.build import build
    from dataset_builder.config import load_config

    dataset = arguments.out / "ascii-maze"
    if not (dataset / "build.json").exists():
        build(load_config("demo"), dataset)
    for seed in arguments.seeds:
        for name in CHAIN:
            launch(name, seed, arguments.out, dataset)
    prepare_process()
    results = {seed: judge(seed, arguments.out, dataset) for seed in arguments.seeds}
    rewards = {seed: judge_reward_model(seed, arguments.out, dataset) for seed in arguments.seeds}
    write_page(arguments.page, page(arguments.seeds, arguments.out, results, rewards))
    print(arguments.page)


if __name__ == "__main__":
    main()
