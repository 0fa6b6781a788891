"""Writes the results of a run: adapter, tokenizer, learning curve, card, and last of all metrics.json."""

import shutil
from pathlib import Path

from ..errors import AsciiMazeError
from ..files import replacing, staged, write_text
from ..hub.cards import render_card
from ..models.chat import describe_reading, turn_ends
from ..models.gguf import identify_gguf
from ..models.pins import weights_of
from ..packages import versions
from ..plots import colours_of
from ..recipe import Recipe
from ..recipe.methods import METHODS
from ..recipe.run_metrics import OwnAnswers, RunMetrics, write_metrics

# Counted since the process started, so wrong for a resumed run; `tokens` counts everything.
SINCE_START = {"train_loss", "num_tokens", "eval_num_tokens"}
# What each panel of the learning curve shows, where the run logged it: title -> keys of the history.
PANELS = {
    "loss": ("loss", "eval_loss"),
    "validity on held-out mazes": ("eval_valid", "eval_optimal"),
    "reward": ("reward", "rewards/validity/mean"),
    "pairs": ("eval_pair_accuracy", "eval_rank_correlation", "eval_calibration_error"),
}


def collect_metrics(recipe: Recipe, trainer, dataset: dict, own: OwnAnswers | None = None) -> RunMetrics:
    """The content of metrics.json: the cost of the run, and every figure that it logged.

    Args:
        dataset: from `data.identify_rows`.
        own: the cost of sampling the model's own answers, if the rows are made of these.
    """
    import resource
    import sys

    import torch

    args = trainer.args
    history = [
        {key: value for key, value in line.items() if key not in SINCE_START} for line in trainer.state.log_history
    ]
    rows = len(trainer.train_dataset) * (args.num_generations if METHODS[recipe.method].generates else 1)
    on_gpu = args.device.type == "cuda"
    metrics: RunMetrics = {
        "method": recipe.method,
        "base_model": recipe.values.get("model_name_or_path"),
        "base_gguf": identify_gguf(recipe.values.get("model_name_or_path")),
        "base_weights": weights_of(recipe.values.get("model_name_or_path")),
        "started_from": recipe.values.get("adapter_name_or_path"),
        "dataset": dataset,
        "budget": recipe.values.get("budget"),
        "chat": {
            **describe_reading(trainer.processing_class),
            "ends": turn_ends(trainer.processing_class, trainer.accelerator.unwrap_model(trainer.model)),
        },
        "steps": trainer.state.global_step,
        "samples": round((trainer.state.epoch or 0) * rows),
        "tokens": trainer.state.num_input_tokens_seen,
        "seconds": round(trainer.elapsed(), 3),
        "peak_memory_bytes": torch.cuda.max_memory_allocated()
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "processes": trainer.accelerator.num_processes,
        "versions": versions(),
        "history": history,
    }
    if own:
        metrics["own_answers"] = own
    if trainer.shared:
        metrics["tokens_computed"] = trainer.computed
    return metrics


def gather_weights(trainer) -> dict | None:
    """The trained weights, whole, where FSDP or ZeRO-3 shards them, else None; every process must call it."""
    accelerator = trainer.accelerator
    accelerator.wait_for_everyone()
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return accelerator.get_state_dict(trainer.deepspeed if trainer.is_deepspeed_enabled else trainer.model)
    return None


def save(out: Path, trainer, weights: dict | None, tokenizer, recipe: Recipe, metrics: RunMetrics) -> None:
    """Write adapter (or model), tokenizer, curve and card, and last metrics.json, which marks the run as finished.

    If the process is killed before, the run resumes from its last checkpoint; no file is left half written.

    Args:
        weights: from `gather_weights`.

    Raises:
        AsciiMazeError: something cannot be written.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    adapters = getattr(model, "peft_config", {})
    for config in adapters.values():
        # The name in the recipe, not a path of this machine. PEFT would look that name up on the Hub to see whether
        # the vocabulary has grown; it has not.
        config.base_model_name_or_path = recipe.values["model_name_or_path"]
        revision = recipe.values.get("model_revision")
        config.revision = None if revision is None else str(revision)
    # The reference model is the adapter that the run started from; it is not saved again.
    of_adapter = {"save_embedding_layers": False, "selected_adapters": ["default"]} if adapters else {}
    with staged(out) as stage:
        model.save_pretrained(stage, state_dict=weights, **of_adapter)
        tokenizer.save_pretrained(stage)
    draw_curves(out / "learning_curve.png", metrics["history"])
    card = render_card({"method": recipe.method, **recipe.values}, metrics, str(out), published=False)
    write_text(out / "README.md", card)
    write_metrics(out, metrics)


def draw_curves(path: Path, history: list[dict]) -> None:
    """Draw the learning curves of a run as a PNG: loss, validity and reward over steps, where it logged them."""
    from matplotlib.figure import Figure

    curves = {
        title: {
            key: points for key in keys if (points := [(line["step"], line[key]) for line in history if key in line])
        }
        for title, keys in PANELS.items()
    }
    curves = {title: lines for title, lines in curves.items() if lines}
    colours = colours_of([key for lines in curves.values() for key in lines], ())
    figure = Figure(figsize=(5 * max(1, len(curves)), 3.5), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, max(1, len(curves)), squeeze=False)[0], curves.items()):
        for key, points in lines.items():
            axes.plot(*zip(*points), marker="." if len(points) < 40 else None, color=colours[key], label=key)
        axes.set(title=title, xlabel="step")
        axes.legend()
        axes.grid(alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def check_disk(out: Path, trained_bytes: int, checkpoints: int) -> None:
    """Check that the checkpoints of a run fit on the disk: each holds the trained weights and twice that of optimizer.

    Raises:
        AsciiMazeError: they do not.
    """
    folder = next(parent for parent in (out, *out.absolute().parents) if parent.is_dir())
    needed = trained_bytes * (3 * checkpoints + 1) + 10_000_000
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise AsciiMazeError(
            f"no space for the run in {out}: its checkpoints take about {needed / 1e6:,.0f} MB and "
            f"{free / 1e6:,.0f} MB are free; make room, or lower --save_total_limit"
        )
