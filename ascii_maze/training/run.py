"""One training run, in reading order: data, model, preflight, trainer, train, save.

The output folder holds `recipe.yaml` (resolved, written first), `log.jsonl`, checkpoints while it trains, then the
adapter, the tokenizer, the card, and `metrics.json`, written last: a folder without it is not a finished run.
"""

import json
import shutil
import time
from pathlib import Path

from transformers import TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

from ..errors import AsciiMazeError, UsageError
from ..files import write_text
from ..recipe import Arguments, Recipe
from . import method_module
from .card import render_card
from .model import keep_adapter_in_float32, load_base, load_tokenizer
from .preflight import check_lengths, describe


class JsonLog(TrainerCallback):
    """Appends every log of the trainer to a file, a JSON object a line with its step."""

    def __init__(self, path: Path):
        self.path = path

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Called by the trainer in every process; the first one writes."""
        if state.is_world_process_zero:
            with self.path.open("a", encoding="utf-8") as log:
                log.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def run(recipe: Recipe, arguments: Arguments, dry_run: bool = False, overwrite: bool = False) -> Path:
    """Train what the recipe says and return the output folder.

    A finished run of the same recipe is left as it is; an unfinished one goes on from its last checkpoint.

    Raises:
        AsciiMazeError: data or model cannot be used, or the output folder holds a run of another recipe.
    """
    from trl import get_peft_config

    training, method = arguments.training, method_module(recipe.method)
    out = Path(training.output_dir)
    first_process = training.process_index == 0
    with training.main_process_first(desc="look at the output folder and the dataset"):
        if overwrite and not dry_run and first_process:
            clear_run(out)
        if not dry_run and is_finished(out, recipe):
            print(f"{out} holds this run, finished; --overwrite trains it anew")
            return out
        train_rows, eval_rows = load_rows(arguments, method.COLUMNS)
    tokenizer = load_tokenizer(arguments.model.model_name_or_path or "", arguments.model.model_revision)
    check_lengths(train_rows, tokenizer, training.max_length)
    existed = out.exists()
    trainer = method.make_trainer(
        model=load_base(arguments.model),
        args=training,
        train_dataset=train_rows,
        eval_dataset=eval_rows,
        processing_class=tokenizer,
        peft_config=get_peft_config(arguments.model),
    )
    keep_adapter_in_float32(trainer.model)
    if first_process:
        print(describe(recipe, trainer), flush=True)
    if dry_run:
        if first_process and not existed:
            out.rmdir()  # the trainer has made it
        return out
    checkpoint = get_last_checkpoint(out) if out.is_dir() else None
    if first_process:
        print(f"going on from {checkpoint}" if checkpoint else f"training into {out}", flush=True)
        write_text(out / "recipe.yaml", recipe.to_yaml())
    trainer.add_callback(JsonLog(out / "log.jsonl"))
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=checkpoint)
    metrics = collect_metrics(recipe, trainer, time.monotonic() - began)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        save(out, trainer, tokenizer, recipe, metrics)
        print(f"{out}: {metrics['steps']} steps, {metrics['tokens']:,} tokens in {metrics['seconds']:.0f} s")
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()
    return out


def is_finished(out: Path, recipe: Recipe) -> bool:
    """Whether the folder holds this very run, finished.

    Raises:
        UsageError: it holds a run of another recipe.
    """
    if not (out / "recipe.yaml").exists():
        return False
    if (out / "recipe.yaml").read_text(encoding="utf-8") != recipe.to_yaml():
        raise UsageError(f"{out} holds a run of another recipe; give another --output_dir, or --overwrite")
    return (out / "metrics.json").exists()


def clear_run(out: Path) -> None:
    """Remove what says that a folder holds a run, and what a run would go on from; nothing else."""
    for name in ("metrics.json", "recipe.yaml", "log.jsonl"):
        (out / name).unlink(missing_ok=True)
    for checkpoint in out.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def load_rows(arguments: Arguments, columns: tuple[str, ...]):
    """The rows to train on, and those to evaluate on where the recipe asks for it, with the method's columns alone.

    Raises:
        AsciiMazeError: no such dataset, config or split, or it lacks a column.
    """
    from datasets import load_dataset

    script = arguments.script
    name, config = script.dataset_name, script.dataset_config

    def split_rows(split: str):
        try:
            rows = load_dataset(name, config, split=split)
        except (FileNotFoundError, ConnectionError, ValueError, OSError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise AsciiMazeError(
                f"cannot load split '{split}' of dataset '{name}' ({reason}); "
                f"build it with `ascii-maze build --out {name}`"
            ) from error
        missing = [column for column in columns if column not in rows.column_names]
        if missing:
            raise AsciiMazeError(
                f"dataset '{name}', config '{config}': no column {', '.join(missing)}; "
                f"it has {', '.join(rows.column_names)}"
            )
        return rows.select_columns(list(columns))

    if not name:
        raise UsageError("no 'dataset_name'; give a folder that `ascii-maze build` made, or a Hub id")
    train_rows = split_rows(script.dataset_train_split)
    if arguments.run.train_limit is not None:
        train_rows = train_rows.select(range(min(arguments.run.train_limit, len(train_rows))))
    evaluates = arguments.training.eval_strategy != "no"
    return train_rows, split_rows(script.dataset_test_split) if evaluates else None


def collect_metrics(recipe: Recipe, trainer, seconds: float) -> dict:
    """What metrics.json holds: what the run cost and how its loss went."""
    import resource
    import sys

    import torch

    history = trainer.state.log_history
    on_gpu = trainer.args.device.type == "cuda"
    return {
        "method": recipe.method,
        "base_model": recipe.values.get("model_name_or_path"),
        "steps": trainer.state.global_step,
        "samples": round((trainer.state.epoch or 0) * len(trainer.train_dataset)),
        "tokens": int(max((line["num_tokens"] for line in history if "num_tokens" in line), default=0)),
        "seconds": round(seconds, 3),
        "peak_memory_bytes": torch.cuda.max_memory_allocated()
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "processes": trainer.accelerator.num_processes,
        "history": history,
    }


def save(out: Path, trainer, tokenizer, recipe: Recipe, metrics: dict) -> None:
    """Adapter (or model), tokenizer and card, and then metrics.json, which says that the run is finished."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    adapters = getattr(model, "peft_config", {})
    for config in adapters.values():
        # The name in the recipe, not where it lies on this machine. PEFT would look that name up on the Hub to see
        # whether the vocabulary has grown; it has not.
        config.base_model_name_or_path = recipe.values["model_name_or_path"]
    model.save_pretrained(out, **({"save_embedding_layers": False} if adapters else {}))
    tokenizer.save_pretrained(out)
    write_text(out / "README.md", render_card(recipe, metrics))
    write_text(out / "metrics.json", json.dumps(metrics, indent=2))
