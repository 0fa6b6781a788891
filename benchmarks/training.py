"""What our layer costs over TRL, and what our defaults gain over `trl sft`, with the embedded model on this machine.

    python benchmarks/training.py

*Overhead*: one process, two trainers with the same settings, model and rows, ours and `trl.SFTTrainer` by itself, that
train ten steps in turns, so that a slow moment of the machine meets both: the median of the rounds' ratios.
*Throughput*: `accelerate launch recipes/tiny/sft.yaml` against `trl sft` on the same model, rows, quantisation and
adapter, all else at its defaults: tokens a second, padding not counted, in training alone; the runs take turns too.
"""

import argparse
import importlib.metadata
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from ascii_maze.launch import prepare_process
from ascii_maze.models.sources import TINY

RECIPE = "recipes/tiny/sft.yaml"


def overhead(dataset: Path, folder: Path, rounds: int, steps: int = 10) -> list[float]:
    """Seconds of ours / seconds of the bare trainer, for each round."""
    from transformers import TrainerCallback
    from trl import SFTTrainer

    from ascii_maze.models.loading import load_model_to_train, load_tokenizer
    from ascii_maze.models.quantisation import restore_weights, trained_weights
    from ascii_maze.recipe import load_recipe, parse_recipe
    from ascii_maze.training.data import load_rows, measure_lengths
    from ascii_maze.training.run import JsonLog, make_trainer

    class Stopwatch(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == 1:  # the first step warms up
                self.began = time.perf_counter()

        def on_train_end(self, args, state, control, **kwargs):
            self.seconds = time.perf_counter() - self.began

    words = ["--dataset_name", str(dataset), "--output_dir", str(folder), "--max_steps", str(steps)]
    words += ["--train_limit", "2000", "--eval_strategy", "no", "--save_strategy", "no", "--logging_steps", "1"]
    recipe, tokenizer = load_recipe(RECIPE, words), load_tokenizer("tiny")
    arguments = parse_recipe(recipe)
    rows, _ = load_rows(arguments, ("prompt", "completion"))
    ours = make_trainer(recipe, arguments, rows, None, tokenizer, measure_lengths(rows, tokenizer))
    ours.add_callback(JsonLog(folder / "log.jsonl"))
    model = load_model_to_train(arguments.model, None, 0)
    weights = trained_weights(model)
    rows = rows.select_columns(["prompt", "completion"])
    bare = SFTTrainer(model, args=arguments.training, train_dataset=rows, processing_class=tokenizer)
    restore_weights(bare.model, weights)
    watches = {}
    for trainer in (ours, bare):
        trainer.add_callback(watch := Stopwatch())
        watches[trainer] = watch
    ratios = []
    for number in range(rounds):
        for trainer in (ours, bare) if number % 2 else (bare, ours):
            trainer.train()
        ratios.append(watches[ours].seconds / watches[bare].seconds)
    return ratios


def throughput(dataset: Path, folder: Path, steps: int, rounds: int) -> dict[str, list[float]]:
    """Tokens a second of our recipe and of `trl sft`, for each round; both read as many rows."""
    shared = ["--dataset_name", dataset, "--eval_strategy", "no", "--report_to", "none", "--learning_rate", 1e-3]
    commands = Path(sys.executable).parent
    ours = [commands / "accelerate", "launch", RECIPE, "--budget", f"steps={steps}"]
    plain = [
        commands / "trl",
        "sft",
        "--model_name_or_path",
        TINY,
        "--dataset_config",
        "sft",
        "--max_steps",
        8 * steps,
    ]
    plain += ["--use_peft", "--lora_r", 32, "--lora_alpha", 64, "--lora_target_modules", "all-linear"]
    plain += ["--load_in_4bit", "--use_bnb_nested_quant", "--use_cpu"]
    rates: dict[str, list[float]] = {"ours": [], "plain": []}
    for number in range(rounds):
        for name, words in (("ours", ours), ("plain", plain)):
            command = [*words, *shared, "--output_dir", folder / f"{name}-{number}"]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr[-2000:])
            tokens = re.findall(r"'num_tokens': '([0-9.e+]+)'", done.stdout)[-1]
            seconds = re.findall(r"'train_runtime': '([0-9.e+]+)'", done.stdout)[-1]
            rates[name].append(float(tokens) / float(seconds))
    return rates


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, help="a folder that `ascii-maze build demo` made; built if not given")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    prepare_process()
    from dataset_builder.build import build
    from dataset_builder.config import load_config

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = arguments.dataset
        if dataset is None:
            dataset = folder / "ascii-maze"
            build(load_config("demo"), dataset)
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "trl", "peft"))
        print(f"{platform.machine()}, Python {platform.python_version()}, {versions}\n")
        rates = throughput(dataset, folder, steps=20, rounds=max(1, arguments.rounds // 3))
        ratios = [one / two for one, two in zip(rates["ours"], rates["plain"])]
        print("| | tokens/s | ratio |\n|---|---|---|")
        print(f"| `accelerate launch {RECIPE}` | {median(rates['ours']):,.0f} | {median(ratios):.2f} |")
        print(f"| `trl sft` | {median(rates['plain']):,.0f} | 1 |\n")
        ratios = overhead(dataset, folder / "overhead", arguments.rounds)
        print(f"step time over a bare SFTTrainer: {100 * (median(ratios) - 1):+.1f} % (rounds {rounded(ratios)})")


def rounded(ratios: list[float]) -> str:
    """Ratios as text, sorted."""
    return ", ".join(f"{ratio:.3f}" for ratio in sorted(ratios))


if __name__ == "__main__":
    main()
