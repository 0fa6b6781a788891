"""Models that are not whole: each is one line wherever a model is read, by itself or as the base of an adapter."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from safetensors import safe_open

from ascii_maze.errors import AsciiMazeError
from ascii_maze.models.whole import check_stored
from ascii_maze.tiny import TINY

from . import damage
from .test_sources import write_adapter

FILE = "model.safetensors"
UP = "model.layers.3.mlp.up_proj.weight"
MISMATCH = "mismatch"
weights, without, rename = (partial(how, FILE) for how in (damage.edited, damage.without, damage.renamed))


def put(number, key=UP):
    return weights(lambda tensors: tensors[key].view(-1)[:1].fill_(number))


def stored_as(kind):
    import torch

    return weights(lambda tensors: tensors.update({UP: tensors[UP].to(getattr(torch, kind))}))


def not_quantised_but(kind):
    """Weights of a kind that only a quantised model has, and a config that says that this is none."""

    def change(folder):
        stored_as(kind)(folder)
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "quantization_config": None}))

    return change


def index(named):
    """An index that names this file, beside the model's folder if it leads out of it."""

    def change(folder):
        place = Path(named) if Path(named).is_absolute() else folder / named
        shutil.move(folder / FILE, place)
        tensors = dict.fromkeys(safe_open(place, "pt").keys(), named)
        (folder / f"{FILE}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": tensors}))

    return change


# What is wrong -> what breaks it, and what the line says.
BROKEN = {
    "a tensor missing": (without(UP), f"its file has no {UP}$"),
    "a layer missing": (without("layers.7."), "its file has no model.layers.7.* and 8 more"),
    "no tensors": (weights(lambda tensors: tensors.clear()), "its file has no "),
    "keys of another model": (rename("layers.", "blocks."), "its file has no model.layers.0.* and 71 more"),
    "a layer too many": (
        weights(lambda tensors: tensors.update({UP.replace("3", "8"): tensors[UP].clone()})),
        "its file has no place for model.layers.8.mlp.up_proj.weight",
    ),
    "NaN": (put(float("nan")), f"not all numbers of .*{UP} are finite"),
    "infinity": (put(float("-inf")), f"not all numbers of .*{UP} are finite"),
    "NaN in a norm": (put(float("nan"), "model.norm.weight"), "not all numbers of .*model.norm.weight are finite"),
    "too few rows": (weights(lambda tensors: tensors.update({UP: tensors[UP][:5]})), MISMATCH),
    "too many rows": (weights(lambda tensors: tensors.update({UP: tensors[UP].repeat(2, 1)})), MISMATCH),
    "rows for columns": (weights(lambda tensors: tensors.update({UP: tensors[UP].T})), MISMATCH),
    "whole numbers": (stored_as("int64"), f"{UP} is stored as I64; expected floating-point numbers"),
    "truth values": (stored_as("bool"), f"{UP} is stored as BOOL; expected floating-point numbers"),
    "whole numbers, not quantised": (not_quantised_but("int8"), f"{UP} is stored as I8; expected floating-point"),
    "an index that leads out": (
        index("../elsewhere.safetensors"),
        "index.json names ../elsewhere.safetensors, outside",
    ),
    "torn": (damage.torn(FILE), "cannot load the model"),
    "git-lfs pointer": (
        lambda folder: (folder / FILE).write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
        "cannot load the model",
    ),
    "no weights": (lambda folder: (folder / FILE).unlink(), "cannot load the model"),
}


def load(model):
    from ascii_maze import load_model

    load_model(str(model))


def start(model, **settings):
    from trl import ModelConfig

    from ascii_maze.models.loading import load_model_to_train

    load_model_to_train(ModelConfig(model_name_or_path=str(model), dtype="float32", **settings), None, seed=0)


def reward(model):
    start(model, use_peft=True, lora_target_modules="all-linear", lora_task_type="SEQ_CLS", load_in_4bit=True)


def start_in_8_bit(model):
    start(model, use_peft=True, lora_target_modules="all-linear", load_in_8bit=True)


def merge(model):
    from ascii_maze.training import merge

    adapter, held_out = write_adapter(model.parent / "adapter", base=str(model)), merge.HeldOut("dataset", "test", 1)
    merge.merge_adapter(adapter, model.parent / "merged", held_out, 0.0, lambda *progress: None)


def mri(model):
    from ascii_maze.mri.models import find_adapters, load_models

    adapter = write_adapter(model.parent / "adapter", base=str(model), recipe=None)
    load_models(find_adapters(str(model), {"one": adapter}))


READERS = {
    "load_model": load,
    "train": start,
    "train on 8 bits": start_in_8_bit,
    "train a reward model": reward,
    "merge": merge,
    "mri": mri,
}


def test_weights_of_a_quantised_part_of_a_model_may_be_whole_numbers(copied):
    stored_as("int8")(copied)
    with pytest.raises(AsciiMazeError, match="stored as I8"):
        check_stored(str(copied), None, "copied")
    config = json.loads((copied / "config.json").read_text())
    config["text_config"] = {"quantization_config": {"quant_method": "bitsandbytes"}}
    (copied / "config.json").write_text(json.dumps(config))
    check_stored(str(copied), None, "copied")
    (copied / "config.json").write_text("[]")
    with pytest.raises(AsciiMazeError, match=r"cannot load the model of 'copied': .*config\.json does not hold"):
        check_stored(str(copied), None, "copied")


@pytest.fixture(autouse=True)
def no_mazes(monkeypatch):
    monkeypatch.setattr("ascii_maze.training.merge.load_mazes", lambda *names: [])


@pytest.fixture
def copied(tmp_path):
    code = shutil.ignore_patterns("*.py", "pretraining", "__pycache__")
    return Path(shutil.copytree(TINY, tmp_path / "model", ignore=code))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_model_is_one_line_wherever_it_is_read(copied, case, reader):
    breaks, says = BROKEN[case]
    breaks(copied)
    with pytest.raises(AsciiMazeError, match=says) as refused:
        READERS[reader](copied)
    assert f"cannot load the model of '{copied}': " in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (copied.parent / "merged").exists()


@pytest.mark.parametrize("reader", [name for name in READERS if name != "load_model"])
def test_an_adapter_is_no_base(tmp_path, reader):
    adapter = Path(write_adapter(tmp_path / "model"))
    with pytest.raises(AsciiMazeError, match=r"cannot load the model of .*: it is an adapter; name the model that"):
        READERS[reader](adapter)


@pytest.mark.parametrize("reader", [start, reward])
def test_an_adapter_on_the_hub_is_no_base(tmp_path, monkeypatch, reader):
    """With PEFT installed, transformers would load the adapter on its own base, in silence."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--someone--adapter"
    write_adapter(repository / "snapshots" / ("0" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    with pytest.raises(
        AsciiMazeError, match=r"cannot load the model of 'someone/adapter': it is an adapter; name the"
    ):
        reader("someone/adapter")


def test_an_index_of_files_inside_is_read(copied):
    index("part.safetensors")(copied)
    load(copied)


@pytest.mark.parametrize("reader", [name for name in READERS if name != "train a reward model"])
@pytest.mark.parametrize("end", ["</s>", "2", [[1, 2]], {}])
def test_an_end_that_is_no_token_is_one_line(copied, end, reader):
    (copied / "generation_config.json").write_text(json.dumps({"eos_token_id": end}))
    with pytest.raises(AsciiMazeError, match=r"eos_token_id of its generation_config.json is .*; expected the number"):
        READERS[reader](copied)


def test_only_a_reward_model_does_without_the_head_that_writes(copied):
    for reader in (load, start, start_in_8_bit, reward):
        reader(copied)
    without("lm_head.")(copied)
    reward(copied)
    for reader in (load, start):
        with pytest.raises(AsciiMazeError, match=r"its file has no lm_head\.weight$"):
            reader(copied)
