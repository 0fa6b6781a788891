"""Effect on results of the defaults that save time or memory, each against a reference, with the embedded model.

    python benchmarks/defaults.py --dataset outputs/demo/dataset --adapter outputs/demo/seed-0/sft       # a minute
    python benchmarks/defaults.py --dataset outputs/demo/dataset --train tokens=60000             # a few minutes

Defaults that should change nothing are compared number by number: loss and gradient of the first step of SFT, or an
adapter's answers to mazes of `test`. Defaults that round the weights are trained both ways, with two seeds, and
evaluated.
"""

import argparse
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

from ascii_maze.launch import prepare_process, train

RECIPE = "recipes/tiny/sft.yaml"
# Overrides of the recipe, (ours, reference); empty for the recipe as it is.
STEPS = {
    "eager attention instead of sdpa": ({}, {"attn_implementation": "sdpa"}),
    "a step's rows in four batches of similar length instead of one": (
        {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4},
        {},
    ),
}
TRAINED = {
    "4 bits with quantised constants (ours)": {},
    "4 bits": {"use_bnb_nested_quant": "false"},
    "float32, not quantised": {"load_in_4bit": "false"},
}


def words_of(values: dict) -> list[str]:
    """Keys and values as command-line arguments."""
    return [word for key, value in values.items() for word in (f"--{key}", str(value))]


def first_step(dataset: Path, folder: Path, changes: dict) -> tuple[float, "object"]:
    """Loss and gradient of the first optimizer step: float, float32 (parameters,)."""
    import torch
    from transformers import TrainerCallback

    from ascii_maze.models.loading import load_tokenizer
    from ascii_maze.recipe import load_recipe, parse_recipe
    from ascii_maze.training.data import load_rows, measure_lengths
    from ascii_maze.training.trainer import make_trainer

    class Keep(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
            self.gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    settings = {"dataset_name": dataset, "output_dir": folder, "max_steps": 1, "logging_steps": 1, "train_limit": 256}
    plain = {"eval_strategy": "no", "save_strategy": "no", "max_grad_norm": 0}
    recipe = load_recipe(RECIPE, words_of({**settings, **plain, **changes}))
    arguments, tokenizer = parse_recipe(recipe), load_tokenizer("tiny")
    rows, _ = load_rows(arguments, ("prompt", "completion"))
    trainer = make_trainer(recipe, arguments, rows, None, tokenizer, measure_lengths(rows, tokenizer))
    with torch.no_grad():  # half the gradient of a new adapter is 0
        generator = torch.Generator().manual_seed(0)
        for name, weight in trainer.model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.02)
    trainer.add_callback(keep := Keep())
    trainer.train()
    return trainer.state.log_history[0]["loss"], keep.gradient


def answers(adapter: str, dataset: str, limit: int, batch_size: int = 64, slow: bool = False, attention=None):
    """An adapter's greedy answers to the first mazes of `test`.

    Args:
        slow: dequantise the 4-bit weights, and compute the adapter's own products, again for every token.
        attention: implementation; None for the default of an evaluation.
    """
    from ascii_maze.models.generation import GREEDY, answer_mazes
    from ascii_maze.models.loading import load_source
    from ascii_maze.models.sources import find_model
    from dataset_builder.load import load_mazes

    source = find_model(adapter)
    source.model_args.attn_implementation = attention
    model, tokenizer = load_source(source)
    if slow:
        del model.get_base_model().generate  # our own override on the instance
    decoding = GREEDY._replace(batch_size=batch_size)
    return [row[0] for row in answer_mazes(model, tokenizer, load_mazes(dataset, "test", limit), decoding)]


def compare_exact(dataset: Path, adapter: str, limit: int, folder: Path) -> None:
    """Print what should be equal, number by number and answer by answer."""
    print("| default | loss | gradient, relative |\n|---|---|---|")
    for name, (ours, plain) in STEPS.items():
        (one, gradient), (other, expected) = (first_step(dataset, folder / "run", keys) for keys in (ours, plain))
        error = float((gradient - expected).norm() / expected.norm())
        print(f"| {name} | {one:.6f}, {other:.6f} | {error:.1e} |", flush=True)
    whole = answers(adapter, str(dataset), limit)
    others = {
        "4-bit weights dequantised once, with the adapter folded in, instead of both for every token": {"slow": True},
        "batches of 64 of similar length, finished rows dropped, instead of one maze at a time": {"batch_size": 1},
        "evaluated with sdpa instead of eager, which the recipe trains with": {"attention": "eager"},
    }
    print(f"\n| default | equal answers, of {len(whole)} |\n|---|---|")
    for name, how in others.items():
        same = sum(map(str.__eq__, whole, answers(adapter, str(dataset), limit, **how)))
        print(f"| {name} | {same} |", flush=True)


def compare_trained(dataset: Path, budget: str, limit: int, folder: Path) -> None:
    """Print the rate of shortest paths for each way to load the base, with two seeds."""
    from ascii_maze.evaluation.options import Options
    from ascii_maze.evaluation.run import evaluate

    print("| base | shortest, seed 0 | seed 1 |\n|---|---|---|")
    for name, keys in TRAINED.items():
        rates = []
        for seed in (0, 1):
            out = folder / f"{len(rates)}-{'-'.join(keys)}"
            settings = {"dataset_name": dataset, "output_dir": out, "budget": budget, "seed": seed, **keys}
            train(RECIPE, words_of({**settings, "eval_strategy": "no"}))
            found = evaluate(
                {"sft": str(out)}, str(dataset), ["test"], out / "evaluation", Options(limit=limit, baselines=False)
            )
            rates.append(f"{100 * found['models']['sft']['test']['optimal']:.1f} %")
        print(f"| {name} | {' | '.join(rates)} |", flush=True)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="a folder that `ascii-maze build demo` made")
    parser.add_argument("--adapter", help="of the embedded model: compare what should be equal")
    parser.add_argument("--train", metavar="BUDGET", help="compare what has to be trained, such as tokens=60000")
    parser.add_argument("--limit", type=int, default=500, help="mazes of `test`")
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    prepare_process()
    print(f"{platform.machine()}, torch {version('torch')}, trl {version('trl')}, peft {version('peft')}\n")
    with tempfile.TemporaryDirectory() as name:
        if arguments.adapter:
            compare_exact(arguments.dataset, arguments.adapter, arguments.limit, Path(name))
        if arguments.train:
            compare_trained(arguments.dataset, arguments.train, arguments.limit, Path(name))


if __name__ == "__main__":
    main()
