"""Overhead of our layer over TRL, and gain of our defaults over `trl sft`, with the embedded model on this machine.

    python benchmarks/training.py
    python benchmarks/training.py --model HuggingFaceTB/SmolLM2-135M-Instruct --methods sft dpo orpo grpo

*Overhead*: one process, two trainers with the same settings, model and rows, ours and a bare `trl.SFTTrainer`. They
train ten steps in alternation, so that a slow moment of the machine affects both: the median of the rounds' ratios.
*Throughput*: `accelerate launch recipes/tiny/sft.yaml` against `trl sft` with the same model, rows, quantisation and
adapter, and otherwise its defaults, without bfloat16 on a CPU that would emulate it: tokens per second of training,
padding not counted; the runs alternate too.

With `--model`, *steps* of any model: forward and backward pass of TRL's trainer alone and of ours, on the same rows
and settings (float32, LoRA of rank 32 on every linear layer, mazes of 3x3 and 4x4), ours also under bfloat16 autocast.
They alternate on the same batch. Times are wall-clock and CPU seconds; the latter are less affected by other load.
GRPO's batch is a group of rollouts, generated beforehand. `--memory` runs each in its own process, to measure its
peak.
"""

import argparse
import dataclasses
import importlib.metadata
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from ascii_maze.launch import prepare_process
from ascii_maze.models.devices import this_device
from ascii_maze.recipe import load_recipe
from ascii_maze.tiny import TINY

RECIPE = "recipes/tiny/sft.yaml"


def overhead(dataset: Path, folder: Path, rounds: int, steps: int = 10) -> list[float]:
    """Seconds of ours / seconds of the bare trainer, for each round."""
    from transformers import TrainerCallback
    from trl import SFTTrainer

    from ascii_maze.models.loading import load_model_to_train, load_tokenizer
    from ascii_maze.models.quantisation import restore_weights, trained_weights
    from ascii_maze.recipe import parse_recipe
    from ascii_maze.training.callbacks import JsonLog
    from ascii_maze.training.data import load_rows, measure_lengths
    from ascii_maze.training.trainer import make_trainer

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
    """Tokens per second of our recipe and of `trl sft`, for each round; both read the same number of rows."""
    shared = ["--dataset_name", dataset, "--eval_strategy", "no", "--report_to", "none", "--learning_rate", 1e-3]
    commands = Path(sys.executable).parent
    batch = load_recipe(RECIPE).values["per_device_train_batch_size"]
    ours = [commands / "accelerate", "launch", RECIPE, "--budget", f"steps={steps}"]
    plain = [
        commands / "trl",
        "sft",
        "--model_name_or_path",
        TINY,
        "--dataset_config",
        "sft",
        "--max_steps",
        batch * steps // 8,  # its batches have 8 rows
    ]
    plain += ["--use_peft", "--lora_r", 32, "--lora_alpha", 64, "--lora_target_modules", "all-linear"]
    plain += ["--load_in_4bit", "--use_bnb_nested_quant", "--use_cpu"]
    plain += precision()
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


def precision() -> list[str]:
    """What `trl sft` is told on a CPU that would emulate its default, bfloat16, and take many times as long."""
    return [] if this_device().bfloat16 else ["--bf16", "false"]


def trainers_of(method: str, options: argparse.Namespace, dataset: Path, folder: Path, which: list[str]) -> dict:
    """Trainers of a method with the same settings and rows: `ours`, and `plain`, TRL's alone."""
    from ascii_maze.models.loading import load_model_to_train, load_tokenizer
    from ascii_maze.models.sources import settle_name
    from ascii_maze.recipe import parse_recipe
    from ascii_maze.recipe.methods import METHODS
    from ascii_maze.training.data import load_rows, measure_lengths
    from ascii_maze.training.rewards import Terms, reward_function
    from ascii_maze.training.trainer import make_trainer

    settings = {
        "model_name_or_path": settle_name(options.model),
        "dataset_name": dataset,
        "output_dir": folder / method,
        "dtype": "float32",
        "bf16": "false",
        "use_cpu": "true",
        "load_in_4bit": str(options.nf4).lower(),
        "per_device_train_batch_size": options.rows,
        "eval_strategy": "no",
        "attn_implementation": "sdpa",
        "max_steps": 100,
        "dataloader_pin_memory": "false",
    }
    if method == "grpo":
        settings |= {"num_generations": options.rows, "max_completion_length": 40, "beta": 0.04}
    words = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
    recipe = load_recipe(f"recipes/{method}.yaml", words)
    values = {key: v for key, v in recipe.values.items() if key not in ("adapter_name_or_path", "cpu_batch_size")}
    recipe = dataclasses.replace(recipe, values=values)
    tokenizer, columns = load_tokenizer(values["model_name_or_path"]), METHODS[method].columns
    rows, _ = load_rows(parse_recipe(recipe), columns)
    made: dict = {}
    if "ours" in which:
        lengths = measure_lengths(rows, tokenizer)
        made["ours"] = make_trainer(recipe, parse_recipe(recipe), rows, None, tokenizer, lengths)
    if "plain" in which:
        arguments, rows = parse_recipe(recipe), rows.select_columns(list(columns))
        rewards = [reward_function(term, tokenizer) for term in Terms._fields]
        made["plain"] = METHODS[method].trainer_class()(
            model=load_model_to_train(arguments.model, None, 0),
            args=arguments.training,
            train_dataset=rows,
            processing_class=tokenizer,
            **({"reward_funcs": rewards} if method == "grpo" else {}),
        )
    for trainer in made.values():
        trainer.model.train()
        trainer.current_gradient_accumulation_steps = 1
    return made


def measure_steps(method: str, options: argparse.Namespace, dataset: Path, folder: Path, ways: list[str]) -> None:
    """Print one table row for each of `plain`, `ours` and `ours, bfloat16`."""
    import torch

    trainers = trainers_of(method, options, dataset, folder, sorted({way.split(",")[0] for way in ways}))
    maker = next(iter(trainers.values()))
    batches = iter(maker.get_train_dataloader())
    clock, processor = {way: [] for way in ways}, {way: [] for way in ways}
    losses: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(options.rounds + 1):  # the first warms up
        inputs = maker._prepare_inputs(next(batches))
        for way in ways if number % 2 else ways[::-1]:
            trainer = trainers[way.split(",")[0]]
            trainer.model.zero_grad()
            began, worked = time.perf_counter(), time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled="bfloat16" in way):
                loss = trainer.compute_loss(trainer.model, dict(inputs), num_items_in_batch=torch.tensor(100.0))
            loss.backward()
            if number:
                clock[way].append(time.perf_counter() - began)
                processor[way].append(time.process_time() - worked)
            losses[way].append(loss.item())
    for way in ways:
        ratios = [median(a / b for a, b in zip(seconds[ways[0]], seconds[way])) for seconds in (clock, processor)]
        apart = max(abs(a - b) / (abs(a) or 1.0) for a, b in zip(losses[ways[0]], losses[way]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        print(
            f"| {method} | {way} | {median(clock[way]):.1f} | {ratios[0]:.2f} | {median(processor[way]):.1f} | "
            f"{ratios[1]:.2f} | {apart:.0e} | {peak:.1f} |",
            flush=True,
        )


def steps_of_a_model(options: argparse.Namespace) -> None:
    """Print the table of `--model`, or measure one row in its own process."""
    from dataset_builder.build import build
    from dataset_builder.config import BuildConfig

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = options.dataset or folder / "ascii-maze"
        if options.dataset is None:
            splits = {"train": 240, "validation": 40, "test": 40}
            sizes = {"3x3": 1, "4x4": 1}
            build(BuildConfig(name="small", sizes=sizes, generators={"depth_first": 1}, splits=splits), dataset)
        ways = options.way or ["plain", "ours", "ours, bfloat16"]
        if not options.way:
            print("| method | | s | speedup | CPU s | speedup | loss difference | peak, GB |")
            print("|---|---|---|---|---|---|---|---|", flush=True)
        for method in options.methods:
            if not options.memory:
                measure_steps(method, options, dataset, folder, ways)
                continue
            for way in ways:
                words = [sys.executable, __file__, "--model", options.model, "--methods", method, "--way", way]
                words += ["--dataset", dataset, "--rows", options.rows, "--rounds", 1, *["--nf4"] * options.nf4]
                done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
                print(next(line for line in done.stdout.splitlines() if line.startswith(f"| {method}")), flush=True)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, help="a folder that `ascii-maze build demo` made; built if not given")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--model", help="measure steps of this model, with TRL alone and with ours")
    parser.add_argument("--methods", nargs="+", default=["sft"], choices=["sft", "dpo", "orpo", "grpo", "reward"])
    parser.add_argument("--rows", type=int, default=16, help="rows per batch, or pairs, or rollouts of one group")
    parser.add_argument("--nf4", action="store_true", help="load the base in 4 bits")
    parser.add_argument("--memory", action="store_true", help="run each in its own process, to measure its peak")
    parser.add_argument("--way", action="append", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    prepare_process()
    if arguments.model:
        steps_of_a_model(arguments)
        return
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
        print(f"| `{' '.join(['trl', 'sft', *precision()])}` | {median(rates['plain']):,.0f} | 1 |\n")
        ratios = overhead(dataset, folder / "overhead", arguments.rounds)
        print(
            f"step time relative to a bare SFTTrainer: {100 * (median(ratios) - 1):+.1f} % (rounds {rounded(ratios)})"
        )


def rounded(ratios: list[float]) -> str:
    """Ratios as text, sorted."""
    return ", ".join(f"{ratio:.3f}" for ratio in sorted(ratios))


if __name__ == "__main__":
    main()
