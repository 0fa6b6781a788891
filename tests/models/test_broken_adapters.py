"""Adapters as strangers write them, and as accidents leave them: each is one line wherever an adapter is read."""

import json
import shutil
from functools import partial

import pytest

from ascii_maze.errors import AsciiMazeError, one_line

from . import damage

FILE, CONFIG = "adapter_model.safetensors", "adapter_config.json"
weights, without, rename = (partial(how, FILE) for how in (damage.edited, damage.without, damage.renamed))
SLOW = r"(\w|\w\w|\w\w\w|\.)+" * 5 + "[0-9]{2}"  # matches no name, and takes hours to see it


def config(**changes):
    """A change of the adapter's config."""

    def change(folder):
        values = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(values | changes))

    return change


def text(content, file=CONFIG):
    """A file of another content."""

    def change(folder):
        (folder / file).write_bytes(content)

    return change


def first(tensors, part="lora_A"):
    return next(key for key in tensors if part in key)


def put(number, part="lora_B"):
    return weights(lambda tensors: tensors[first(tensors, part)].view(-1)[:1].fill_(number))


def own_vocabulary(folder):
    """A tokenizer with more tokens than the model has rows."""
    from ascii_maze.models.loading import load_tokenizer

    tokenizer = load_tokenizer("tiny")
    tokenizer.add_tokens(["<new>", "<newer>"])
    tokenizer.save_pretrained(folder)


# What is wrong -> what breaks it, and what the line says.
BROKEN = {
    "keys of another model": (rename("layers.", "blocks."), "no place in the model for .*blocks"),
    "keys of a deeper model": (rename("layers.5.", "layers.9."), "no place in the model for .*layers.9"),
    "a tensor missing": (weights(lambda t: t.pop(first(t))), "has no .*lora_A"),
    "a layer missing": (
        without("layers.5.mlp.up_proj"),
        "has no .*layers.5.mlp.up_proj.* and 1 more",
    ),
    "no tensors": (weights(lambda t: t.clear()), "its weights are of rank 0"),
    "weights of the base": (
        weights(lambda t: t.update({"base_model.model.model.norm.weight": t[first(t)].new_zeros(128)})),
        "no place in the model for .*norm",
    ),
    "NaN": (put(float("nan")), "not all numbers of .*lora_B.* are finite"),
    "infinity": (put(float("inf"), "lora_A"), "not all numbers of .*lora_A.* are finite"),
    "whole numbers": (
        weights(lambda t: t.update({first(t): t[first(t)].int()})),
        "lora_A.* is stored as int32; expected floating-point numbers",
    ),
    "whole numbers in a layer kept whole": (
        weights(lambda t: t.update({"base_model.model.lm_head.weight": t[first(t)].new_ones(2, 2).int()})),
        "lm_head.weight is stored as int32; expected floating-point numbers",
    ),
    "another shape": (weights(lambda t: t.update({first(t): t[first(t)][:, :5]})), "size mismatch for "),
    "torn": (damage.torn(FILE), "cannot be read"),
    "empty file": (text(b"", FILE), "cannot be read"),
    "git-lfs pointer": (text(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", FILE), "lfs pull"),
    "no weights": (lambda folder: (folder / FILE).unlink(), "has no adapter_model.safetensors"),
    "config: not JSON": (text(b"{"), "is not JSON"),
    "config: deep": (text(b"[" * 100_000), "is not JSON"),
    "config: not UTF-8": (text(b"\xff\xfe\x00"), "is not JSON"),
    "config: git-lfs pointer": (text(b"version https://git-lfs.github.com/spec/v1\n"), "lfs pull"),
    "config: a list": (text(b"[1, 2]"), "no mapping"),
    "config: empty": (text(b"{}"), "peft_type is null"),
    "r: 0": (config(r=0), "r is 0; expected a whole number above 0"),
    "r: negative": (config(r=-4), "r is -4"),
    "r: huge": (config(r=10**12), "r is 1000000000000 .* and its weights are of rank 4"),
    "r: text": (config(r="four"), 'r is "four"'),
    "r: true": (config(r=True), "r is true"),
    "r: another": (config(r=3), "size mismatch"),
    "lora_alpha: NaN": (config(lora_alpha=float("nan")), "lora_alpha is NaN"),
    "lora_alpha: text": (config(lora_alpha="much"), 'lora_alpha is "much"'),
    "rank_pattern": (config(rank_pattern={"q_proj": 0}), "rank_pattern is dict"),
    "rank_pattern: slow": (config(rank_pattern={SLOW: 4}), "rank_pattern .* takes too long"),
    "alpha_pattern": (config(alpha_pattern=[1]), "alpha_pattern is list"),
    "peft_type: unknown": (config(peft_type="NOVEL"), 'peft_type is "NOVEL"'),
    "peft_type: a list": (config(peft_type=["LORA"]), "peft_type is list"),
    "peft_type: prompts": (config(peft_type="PROMPT_TUNING"), 'peft_type is "PROMPT_TUNING"'),
    "task_type": (config(task_type="SEQ_2_SEQ_LM"), 'task_type is "SEQ_2_SEQ_LM"'),
    "task_type: reward": (config(task_type="SEQ_CLS"), "it is a reward model"),
    "base: none": (config(base_model_name_or_path=None), "names no base model.* --base"),
    "base: a number": (config(base_model_name_or_path=5), "base_model_name_or_path is 5"),
    "base: moved": (config(base_model_name_or_path="/once/here"), "'/once/here', is not here.* --base"),
    "target_modules: null": (config(target_modules=None), "no place in the model for"),
    "target_modules: others": (config(target_modules=["conv"]), "does not fit"),
    "target_modules: a number": (config(target_modules=7), "target_modules is 7"),
    "target_modules: slow": (config(target_modules=SLOW), "takes too long"),
    "target_modules: no pattern": (config(target_modules="(["), "is not a pattern"),
    "target_modules: of nothing": (config(target_modules="nothing"), "fits no module"),
    "exclude_modules: slow": (config(exclude_modules=SLOW), "takes too long"),
    "modules_to_save: not saved": (config(modules_to_save=["lm_head"]), "has no .*lm_head"),
    "modules_to_save: text": (config(modules_to_save="lm_head"), "modules_to_save is"),
    "modules_to_save: slow": (config(modules_to_save=[SLOW]), "modules_to_save is list"),
    "pissa": (config(init_lora_weights="pissa"), 'init_lora_weights is "pissa"'),
    "corda": (config(init_lora_weights="corda"), 'init_lora_weights is "corda"'),
    "initialisation: a list": (config(init_lora_weights=[1]), "init_lora_weights is list"),
    "tokenizer: more tokens": (own_vocabulary, "has 125 tokens, and its model reads 123"),
    "tokenizer: broken": (text(b"{", "tokenizer_config.json"), "cannot load the tokenizer"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A small adapter of `tiny` that fits."""
    import torch
    from peft import LoraConfig, get_peft_model
    from trl import ModelConfig

    from ascii_maze.models.loading import load_base

    folder = tmp_path_factory.mktemp("sound")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        lora = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
        model = get_peft_model(load_base(ModelConfig(model_name_or_path="tiny", dtype="float32")), lora)
    model.peft_config["default"].base_model_name_or_path = "tiny"
    model.save_pretrained(folder, save_embedding_layers=False)
    return folder


@pytest.fixture
def copied(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "adapter")


def load(folder):
    from ascii_maze import load_model

    load_model(folder)


def merge(folder):
    from pathlib import Path

    from ascii_maze.training import merge

    held_out = merge.HeldOut("dataset", "test", 1)
    merge.merge_adapter(folder, Path(folder).parent / "merged", held_out, 0.0, lambda *progress: None)


def mri(folder):
    from ascii_maze.mri.models import find_adapters, load_models

    load_models(find_adapters("tiny", {"one": folder}))


def start(folder):
    from trl import ModelConfig

    from ascii_maze.models.loading import check_vocabulary, load_model_to_train, load_tokenizer_to_train

    args = ModelConfig(model_name_or_path="tiny", dtype="float32", use_peft=True, lora_r=4, lora_alpha=8)
    tokenizer = load_tokenizer_to_train(args, folder)
    check_vocabulary(load_model_to_train(args, folder, seed=0), tokenizer, folder)


READERS = {"load_model": load, "merge": merge, "mri": mri, "train": start}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr("ascii_maze.models.adapter_config.PATTERN_SECONDS", 0.1)
    monkeypatch.setattr("ascii_maze.training.merge.load_mazes", lambda *names: [])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_adapter_is_one_line_wherever_it_is_read(copied, case, reader):
    breaks, says = BROKEN[case]
    breaks(copied)
    with pytest.raises(AsciiMazeError, match=None if reader in ("mri", "train") else says) as refused:
        READERS[reader](str(copied))
    assert "\n" not in str(refused.value)
    assert len(one_line(refused.value)) < 500
    assert not (copied.parent / "merged").exists()


@pytest.mark.parametrize("reader", ["load_model", "mri", "train"])
def test_a_sound_adapter_is_loaded_by_the_same(sound, reader):
    READERS[reader](str(sound))


def test_an_adapter_that_names_no_task_writes_paths_and_is_no_reward_model(copied):
    from ascii_maze import load_model

    config(task_type=None)(copied)
    for reader in ("load_model", "mri", "train"):
        READERS[reader](str(copied))
    with pytest.raises(AsciiMazeError, match="it writes paths, and is not a reward model"):
        load_model(str(copied), task="SEQ_CLS")
