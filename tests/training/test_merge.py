import json
import os
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.models.loading import load_model
from ascii_maze.training.merge import HeldOut, merge_adapter, merge_weights


def quiet(what, done, total):
    assert 0 <= done <= total


def test_a_merged_model_is_a_model_of_its_own_and_walks_as_before(sft_run, dataset, tmp_path):
    figures = merge_adapter(str(sft_run[0]), tmp_path / "merged", HeldOut(str(dataset), "validation", 8), 0.13, quiet)
    assert figures["mazes"] == 8
    assert json.loads((tmp_path / "merged" / "merge.json").read_text()) == figures
    config = json.loads((tmp_path / "merged" / "config.json").read_text())
    assert "quantization_config" not in config
    names = load_file(tmp_path / "merged" / "model.safetensors").keys()
    assert not [name for name in names if "lora" in name or "absmax" in name]
    with pytest.raises(UsageError, match="already exists"):
        merge_adapter(str(sft_run[0]), tmp_path / "merged", HeldOut(str(dataset), "validation", 8), 0.02, quiet)
    with pytest.raises(UsageError, match="is a full model"):
        merge_adapter(
            str(tmp_path / "merged"), tmp_path / "again", HeldOut(str(dataset), "validation", 8), 0.02, quiet
        )


@pytest.mark.parametrize("out", ["dangling", "dangling/merged", "file/merged", "new/.."])
def test_a_place_where_nothing_can_be_written_is_refused_before_the_work(sft_run, dataset, tmp_path, monkeypatch, out):
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "file").touch()
    monkeypatch.setattr("ascii_maze.training.merge.share_valid", lambda *arguments: pytest.fail("measured"))
    with pytest.raises(UsageError, match=r"already exists|cannot be a folder"):
        merge_adapter(str(sft_run[0]), tmp_path / out, HeldOut(str(dataset), "validation", 8), 0.02, quiet)


def test_merging_into_the_dequantised_base_leaves_the_answers_as_they_are(sft_run):
    """Where merging into the original weights would not: there the adapter meets a base it was not trained on."""
    model, _ = load_model(str(sft_run[0]))
    with_strong_adapter(model)
    tokens = torch.randint(5, 18, (4, 60), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model(input_ids=tokens).logits
        merged = merge_weights(model)
        after = merged(input_ids=tokens).logits
    assert float((after - before).abs().max()) < 1e-3


def with_strong_adapter(model):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)


def test_a_merged_model_that_lost_more_than_the_margin_is_not_saved(sft_run, dataset, tmp_path, monkeypatch):
    shares = iter([0.9, 0.8])
    monkeypatch.setattr("ascii_maze.training.merge.share_valid", lambda *arguments: next(shares))
    with pytest.raises(
        AsciiMazeError, match=r"not saved: 90\.0 % of 8 mazes .* and 80\.0 % after, more than .* 2\.0 po"
    ):
        merge_adapter(str(sft_run[0]), tmp_path / "merged", HeldOut(str(dataset), "validation", 8), 0.02, quiet)
    assert not (tmp_path / "merged").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from transformers import PreTrainedTokenizerBase
from ascii_maze.training.merge import HeldOut, merge_adapter

def killed(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

adapter, dataset, out, step = sys.argv[1:]
kind, name = {"tokenizer": (PreTrainedTokenizerBase, "save_pretrained"), "rename": (Path, "rename")}[step]
setattr(kind, name, killed)
merge_adapter(adapter, Path(out), HeldOut(dataset, "validation", 2), 1.0, lambda *progress: None)
"""


@pytest.mark.parametrize("step", ["tokenizer", "rename"])
def test_a_merge_that_was_killed_leaves_nothing_under_its_name_and_the_next_is_whole(sft_run, dataset, tmp_path, step):
    """Killed when the weights are written and the tokenizer is not, and when only the name is missing."""
    adapter, out = str(sft_run[0]), tmp_path / "out" / "merged"
    out.parent.mkdir()
    done = subprocess.run([sys.executable, "-c", KILLED, adapter, str(dataset), str(out), step], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list(out.parent.rglob("model.safetensors"))
    assert not out.exists()
    for folder in (out, tmp_path / "whole"):
        merge_adapter(adapter, folder, HeldOut(str(dataset), "validation", 2), 1.0, quiet)
    assert os.listdir(out.parent) == ["merged"]
    made, whole = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (out, tmp_path / "whole"))
    assert made == whole
