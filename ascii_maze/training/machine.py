"""Settings that a recipe leaves to the machine: the file of its base, precision, batch size, and a tracker.

It also notes when accelerate has started fewer processes than it was asked for.

The decisions are in the resolved recipe and, in words, in its notes, which the plan prints. A key that a recipe sets
is kept, except for the batch size, which `cpu_batch_size` limits: a step still reads the same rows.
"""

import dataclasses
import functools
import importlib.util
import os
from collections.abc import Mapping
from typing import Any

from ..configuration import is_false, is_true
from ..models.devices import Device, precision_for
from ..models.gguf import identify_gguf, in_words
from ..models.sources import find_named
from ..recipe import Recipe
from ..recipe.methods import METHODS
from ..references import is_on_hub

AUTO = (None, "auto")


def settle(recipe: Recipe, device: Device) -> Recipe:
    """The recipe as a device can run it, with notes on what was decided.

    Raises:
        AsciiMazeError: the base's name is not one of a model, or it is a folder with several GGUF files or with one
            that cannot be read.
    """
    batches = functools.partial(settle_batches, generates=METHODS[recipe.method].generates)
    for decide in (settle_base, settle_precision, batches, settle_tracker):
        values, note = decide(recipe.values, device)
        recipe = dataclasses.replace(recipe, values={**recipe.values, **values}, notes=(*recipe.notes, *note))
    values = {key: v for key, v in recipe.values.items() if key != "cpu_batch_size"}
    return dataclasses.replace(recipe, values=values, notes=(*missing_processes(os.environ), *recipe.notes))


def missing_processes(environment: Mapping[str, str]) -> list[str]:
    """A line of the plan where `accelerate launch --num_processes N` has started one process, and not N.

    It does so on a machine without several GPUs, unless `--multi_gpu` is given, and says nothing. It then sets
    MASTER_ADDR, as for several processes, but not WORLD_SIZE, as a launcher of several does; N is not passed on.
    """
    started_one = "ACCELERATE_MIXED_PRECISION" in environment and "WORLD_SIZE" not in environment
    if not started_one or environment.get("MASTER_ADDR") != "127.0.0.1":
        return []
    return [
        "warning: accelerate was asked for several processes and started only this one, as it does on a machine "
        "without several GPUs; add --multi_gpu to start them all"
    ]


def processes_in_words(processes: int) -> str:
    """`1 process`, `2 processes`."""
    return f"{processes} process{'es' if processes > 1 else ''}"


Decision = tuple[dict[str, Any], list[str]]  # keys of the recipe that change, and lines of the plan


def settle_base(values: dict[str, Any], device: Device) -> Decision:
    """Replace a base that cannot be reached by a local file, and note any GGUF file; the revision of
    `ORG/NAME@REVISION` becomes TRL's `model_revision`.

    Raises:
        UsageError: no model can have that name, or two revisions are given.
    """
    name, revision = values.get("model_name_or_path"), values.get("model_revision")
    if not isinstance(name, str):
        return {}, []
    apart = revision not in (None, "main") and is_on_hub(name)
    base = find_named(f"{name}@{revision}" if apart else name)
    changes = {"model_name_or_path": base.name, **({"model_revision": base.revision} if base.revision else {})}
    gguf, stands_in = identify_gguf(base.name), base.is_local and base.name != name
    notes = [
        f"base: '{name}' is not in the Hub's cache and the Hub cannot be reached; using {base} instead"
    ] * stands_in
    return changes, notes + ([f"base: {in_words(gguf)}"] if gguf else [])


def settle_precision(values: dict[str, Any], device: Device) -> Decision:
    """Fill in `dtype`, `bf16` and `fp16` where the recipe leaves them out or says `auto`; see `precision_for`."""
    precision = precision_for(device, whole_model=is_false(values.get("use_peft")))
    changes: dict[str, Any] = {}
    if values.get("dtype") in AUTO:
        changes["dtype"] = precision.dtype
    if values.get("bf16") in AUTO and values.get("fp16") in AUTO:
        changes |= {"bf16": precision.bf16, "fp16": precision.fp16}
    if device.kind == "cpu" and is_true(changes.get("bf16")):
        changes["use_cpu"] = True  # without it transformers demands a GPU for bf16
    if device.kind != "cuda":
        changes["dataloader_pin_memory"] = values.get("dataloader_pin_memory", False)
    words = {**values, **changes}
    autocast = next((f", computed in {kind}" for kind in ("bf16", "fp16") if is_true(words.get(kind))), "")
    note = f"precision on {device.kind}: {words['dtype']}{autocast}"
    if not precision.quantises and (is_true(values.get("load_in_4bit")) or is_true(values.get("load_in_8bit"))):
        changes |= {"load_in_4bit": False, "load_in_8bit": False}
        note += "; not quantised, which bitsandbytes cannot do there"
    return changes, [note]


def settle_batches(values: dict[str, Any], device: Device, generates: bool) -> Decision:
    """Without CUDA, limit batches to `cpu_batch_size` and accumulate more of them: a step reads the same rows.

    A method that generates evaluates four times as many rows at once: a token of 16 rows takes little longer than one
    of four, and without gradients the rows of an evaluation need less memory.
    """
    most, rows = values.get("cpu_batch_size"), values.get("per_device_train_batch_size")
    batches, evaluated = values.get("gradient_accumulation_steps", 1), values.get("per_device_eval_batch_size", 8)
    counts = [n for n in (most, rows, batches, evaluated) if isinstance(n, int) and n > 0]
    if device.kind == "cuda" or len(counts) < 4 or counts[1] <= counts[0]:
        return {}, []
    most, rows, batches, evaluated = counts
    each = max(size for size in range(1, most + 1) if rows % size == 0)
    changes = {
        "per_device_train_batch_size": each,
        "gradient_accumulation_steps": batches * rows // each,
        "per_device_eval_batch_size": min(evaluated, 4 * most if generates else most),
    }
    if isinstance(sampled := values.get("steps_per_generation"), int):  # counted in batches, too
        changes["steps_per_generation"] = sampled * rows // each
    per_process = " per process" * (int(os.environ.get("WORLD_SIZE", "1")) > 1)
    return changes, [
        f"memory: {each} rows{per_process} at once, {rows * batches}{per_process} a step all the same (cpu_batch_size)"
    ]


def settle_tracker(values: dict[str, Any], device: Device) -> Decision:
    """If `report_to` is missing or `auto`, track the run with Trackio if that is installed, else not at all.

    Trackio keeps a run on this machine; nothing goes to the Hub unless the recipe names a Space, `trackio_space_id`.
    """
    if values.get("report_to") not in AUTO:
        return {}, []
    if importlib.util.find_spec("trackio") is None:
        return {"report_to": "none"}, []
    project = values.get("project", "ascii-maze")
    space = values.get("trackio_space_id")
    changes = {"report_to": "trackio", "project": project}
    if not space:
        changes["trackio_static_space_id"] = False  # otherwise Trackio creates a Space for a run that is pushed
    where = f"and on {space}" if space else f"on this machine; `trackio show --project {project}`"
    return changes, [f"tracker: Trackio, {where}"]
