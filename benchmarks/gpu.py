"""All seven methods in 4 bits on a GPU, ours against TRL alone: tokens per second and peak memory, without a network.

    python benchmarks/gpu.py                                    # on a CUDA machine; writes benchmarks/GPU.md
    python benchmarks/gpu.py --methods sft grpo --steps 20
    python benchmarks/gpu.py --model tiny --rows 2 --steps 1 --page /tmp/gpu.md      # smoke test, also on a CPU

The model is random: the configuration of Qwen3-0.6B, with a small tokenizer and the Qwen3 chat template that TRL
ships. Every entry of `WAYS` trains the same steps of the method's own recipe, from the base, on mazes of 6x6 and 8x8.
TRL's trainer alone gets the same settings, model and rows. The first two steps are warm-up. Entries whose package is
not installed are skipped; one that fails is listed with its error. Tokens are those that the model processes in
training: padding is not counted, a prompt shared by several rows counts once per row, and generation adds time but no
tokens.
"""

import argparse
import dataclasses
import gc
import os
import platform
import resource
import shlex
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from pages import write_page

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 2  # steps


class Way(NamedTuple):
    """A way to train: overrides of the recipe, and what it requires.

    Attributes:
        changes: overrides of the recipe; None for TRL's trainer alone.
        package: must be installed.
        generating: only applies to methods that generate.
    """

    changes: dict[str, Any] | None
    package: str | None = None
    generating: bool = False


WAYS = {
    "TRL alone": Way(None),
    "ours": Way({}),
    "ours, shared_prefix on": Way({"shared_prefix": "true"}),
    "ours, flash attention": Way({"attn_implementation": "flash_attention_2"}, "flash_attn"),
    "ours, Liger": Way({"use_liger_kernel": "true"}, "liger_kernel"),
    "TRL alone, again": Way(None),  # the first run pays for warm-up that later ones reuse
    "ours, vLLM": Way({"use_vllm": "true", "vllm_mode": "colocate"}, "vllm", generating=True),
}
# Qwen3-0.6B's config.json, and a small model of the same kind.
SIZES = {
    "qwen3-0.6b": {
        "vocab_size": 151_936,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0},
        "tie_word_embeddings": True,
    },
    "tiny": {
        "vocab_size": 2_048,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "tie_word_embeddings": True,
    },
}
DATASET = {
    "name": "gpu",
    "sizes": {"6x6": 1, "8x8": 1},
    "generators": {"depth_first": 1},
    "splits": {"train": 1024, "validation": 8, "test": 8},
}


class Measured(NamedTuple):
    """Cost of a run: tokens per second, seconds per step, and peak device memory in GB (on a CPU, of the process)."""

    tokens_per_second: float
    seconds: float
    peak: float


def save_random_model(size: str, folder: Path) -> Path:
    """A random Qwen3 with the template that TRL ships, as a folder."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    sys.path.insert(0, str(ROOT))
    from tests.training.families import tokenizer_of

    tokenizer = tokenizer_of("qwen3")
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(Qwen3Config(**SIZES[size], **ids, max_position_embeddings=4096, dtype="bfloat16"))
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_trainer(method: str, way: Way, settings: dict[str, Any]):
    """A trainer for a method's recipe, ours or TRL's alone, starting from the base."""
    from ascii_maze.models.devices import this_device
    from ascii_maze.models.loading import load_model, load_model_to_train, load_tokenizer
    from ascii_maze.recipe import load_recipe, parse_recipe
    from ascii_maze.recipe.methods import METHODS
    from ascii_maze.training.data import load_rows, measure_lengths
    from ascii_maze.training.machine import settle
    from ascii_maze.training.rewards import Terms, reward_function
    from ascii_maze.training.trainer import make_trainer as make_ours

    words = [word for key, value in {**settings, **(way.changes or {})}.items() for word in (f"--{key}", str(value))]
    recipe = load_recipe(ROOT / f"recipes/{method}.yaml", words)
    kept = {key: value for key, value in recipe.values.items() if key != "adapter_name_or_path"}
    recipe = settle(dataclasses.replace(recipe, values=kept), this_device())
    arguments, entry = parse_recipe(recipe), METHODS[method]
    tokenizer = load_tokenizer(settings["model_name_or_path"])
    rows, _ = load_rows(arguments, entry.columns)
    if way.changes is not None:
        return make_ours(recipe, arguments, rows, None, tokenizer, measure_lengths(rows, tokenizer))
    rows, extra = rows.select_columns(list(entry.columns)), {}
    if method == "kto":
        from trl import unpair_preference_dataset

        rows = unpair_preference_dataset(rows)
    if method == "grpo":
        extra = {"reward_funcs": [reward_function(term, tokenizer) for term in Terms._fields]}
    if method == "rlhf":
        judge, judges = load_model(arguments.run.reward_model_name_or_path, task="SEQ_CLS")
        extra = {"reward_funcs": [judge], "reward_processing_classes": [judges]}
    model = load_model_to_train(arguments.model, None, arguments.training.seed)
    return entry.trainer_class()(
        model=model, args=arguments.training, train_dataset=rows, processing_class=tokenizer, **extra
    )


def measure(trainer, steps: int) -> Measured:
    """Train for `steps` steps after the warm-up."""
    import torch
    from transformers import TrainerCallback

    from ascii_maze.training.watch import count_tokens

    class Stopwatch(TrainerCallback):
        """Starts when the warm-up is over."""

        def on_step_begin(self, args, state, control, **kwargs):
            if state.global_step == WARM_UP:
                wait()
                self.began, counted["tokens"] = time.perf_counter(), 0

        def on_train_end(self, args, state, control, **kwargs):
            wait()
            self.seconds = time.perf_counter() - self.began

    def wait() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def counting(model, inputs, *args, **kwargs):
        rollouts = [inputs[key] for key in ("prompt_mask", "completion_mask") if key in inputs]
        counted["tokens"] += int(sum(mask.sum() for mask in rollouts)) if rollouts else count_tokens(inputs)
        return compute_loss(model, inputs, *args, **kwargs)

    counted, watch, compute_loss = {"tokens": 0}, Stopwatch(), trainer.compute_loss
    trainer.compute_loss = counting
    trainer.add_callback(watch)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    trainer.train()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated() / 1e9
    return Measured(counted["tokens"] / watch.seconds, watch.seconds / steps, peak)


def measure_method(method: str, ways: list[str], settings: dict[str, Any], steps: int) -> list[str]:
    """One table row per entry of `ways`, printed as it is measured."""
    import torch

    rows, plain = [], None
    for name in ways:
        way = WAYS[name]
        if (way.package and find_spec(way.package) is None) or (way.generating and method not in ("grpo", "rlhf")):
            continue
        try:
            found = measure(make_trainer(method, way, settings), steps)
            plain = plain or found
            figures = [f"{found.tokens_per_second:,.0f}", f"{found.tokens_per_second / plain.tokens_per_second:.2f}"]
            row = [method, name, *figures, f"{found.seconds:.2f}", f"{found.peak:.1f}"]
        except Exception as error:
            row = [method, name, "-", "-", "-", f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"]
        rows.append(f"| {' | '.join(row)} |")
        print(rows[-1], flush=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return rows


def page(options: argparse.Namespace, rows: list[str]) -> str:
    """GPU.md."""
    import torch

    gpu = torch.cuda.is_available()
    card = torch.cuda.get_device_name() if gpu else f"no GPU, {os.cpu_count()} cores of a CPU"
    packages = ("torch", "transformers", "trl", "peft", "bitsandbytes")
    installed = [package for way in WAYS.values() if (package := way.package) and find_spec(package)]
    versions = ", ".join(f"{package} {version(package)}" for package in (*packages, *installed))
    return "\n".join(
        [
            "# All methods on a GPU",
            "",
            f"`python benchmarks/gpu.py {shlex.join(sys.argv[1:])}`:",
            f"{card},",
            f"{platform.machine()}, Python {platform.python_version()}, {versions}.",
            "",
            (__doc__ or "").split("\n\n")[2],
            "",
            f"| method | | tokens/s | speedup over TRL | s/step | peak, GB{'' if gpu else ', of the process'} |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    """Measure the requested methods and write the page."""
    from ascii_maze.recipe.methods import METHODS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--model", default="qwen3-0.6b", choices=list(SIZES))
    parser.add_argument("--rows", type=int, default=32, help="rows, pairs, or rollouts in groups of 8 per batch")
    parser.add_argument("--completion", type=int, default=64, help="tokens per rollout")
    parser.add_argument("--steps", type=int, default=10, help=f"measured steps, after {WARM_UP} of warm-up")
    parser.add_argument("--page", type=Path, default=ROOT / "benchmarks" / "GPU.md")
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from ascii_maze.launch import prepare_process

    prepare_process()
    from dataset_builder.build import build
    from dataset_builder.config import BuildConfig

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(BuildConfig(**DATASET), folder / "dataset")
        settings: dict[str, Any] = {
            "model_name_or_path": save_random_model(options.model, folder / "model"),
            "dataset_name": folder / "dataset",
            "output_dir": folder / "run",
            "per_device_train_batch_size": options.rows,
            "cpu_batch_size": options.rows,
            "max_steps": WARM_UP + options.steps,
            "train_limit": options.rows * (WARM_UP + options.steps),
            "eval_strategy": "no",
            "save_strategy": "no",
        }
        rollouts = {"num_generations": min(8, options.rows), "max_completion_length": options.completion}
        if "rlhf" in options.methods:
            judge = make_trainer("reward", WAYS["ours"], {**settings, "max_steps": 1})
            judge.train()
            judge.save_model(str(folder / "reward"))
            judge.processing_class.save_pretrained(folder / "reward")
            del judge
        rows = []
        for method in options.methods:
            extra = rollouts if METHODS[method].generates else {}
            if method == "rlhf":
                extra = {**extra, "reward_model_name_or_path": folder / "reward"}
            rows += measure_method(method, options.ways, {**settings, **extra}, options.steps)
            write_page(options.page, page(options, rows))  # an interrupted run keeps its results
    print(options.page)


if __name__ == "__main__":
    main()
