"""A build, or the pairs of a model, ended at any moment: the same call then gives what an undisturbed one gives."""

import os
import shutil
import signal
import subprocess
import sys
from itertools import count

import datasets
import pytest

from ascii_maze import files
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import UNFINISHED, output_folder
from ascii_maze.models.pins import digests_of
from dataset_builder import on_policy
from dataset_builder.build import build
from dataset_builder.config import BuildConfig
from dataset_builder.on_policy import Pair, replace_preferences
from dataset_builder.schema import read_record

from .test_build import contents

CONFIG = BuildConfig(name="small", sizes={"3x3": 1}, generators={"depth_first": 1}, splits={"train": 12, "test": 4})


def answer_in_place_of_a_model(patch):
    """A model that is right and wrong about the first mazes of `train`, and right about all of `test`."""
    patch.setattr("ascii_maze.models.pins.find_pinned", lambda name, chat: name)
    patch.setattr("ascii_maze.models.pins.fingerprint", digests_of)
    patch.setattr("ascii_maze.models.loading.load_source", lambda source: (None, None))
    patch.setattr(on_policy, "_ask", ask)


def ask(rows, walker, samples, on_progress):
    return [Pair(place, rows[place]["solution"], "U", "wall") for place in range(3)] if len(rows) == 12 else []


def prefer(out):
    build(CONFIG, out)
    return replace_preferences(CONFIG, out, "a model", 4, lambda *_: None)


def interrupt_at(patch, name, call):
    """End the process, as far as an exception can, at one of the renames or removals of files.py, counted from 0."""
    calls = count()
    whole = getattr(files.os if name == "replace" else files.shutil, name)

    def interrupted(*arguments, **options):
        if next(calls) == call:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    patch.setattr(files.os if name == "replace" else files.shutil, name, interrupted)


@pytest.mark.slow
@pytest.mark.parametrize("run", [lambda out: build(CONFIG, out), prefer], ids=["build", "preferences"])
@pytest.mark.parametrize("step", ["replace", "rmtree"])
def test_interrupted_at_every_rename_and_removal(tmp_path, monkeypatch, run, step):
    answer_in_place_of_a_model(monkeypatch)
    run(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    for call in count():
        out = tmp_path / f"{call}"
        with monkeypatch.context() as patch:
            interrupt_at(patch, step, call)
            try:
                run(out)
            except KeyboardInterrupt:
                pass
            else:
                break
        run(out)
        assert contents(out) == whole, call
        shutil.rmtree(out)
    assert call >= (12 if step == "replace" else 1)


KILLED = """
import os, signal, sys
from itertools import count
from pathlib import Path
import pytest
from ascii_maze import files
from tests.dataset_builder import test_interrupted as here
calls, whole = count(), files.os.replace
def killed(*arguments):
    if next(calls) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    whole(*arguments)
with pytest.MonkeyPatch.context() as patch:
    here.answer_in_place_of_a_model(patch)
    if sys.argv[2] == "preferences":
        here.build(here.CONFIG, Path(sys.argv[1]))
    files.os.replace = killed
    here.prefer(Path(sys.argv[1])) if sys.argv[2] == "preferences" else here.build(here.CONFIG, Path(sys.argv[1]))
"""


@pytest.mark.parametrize(("what", "call"), [("build", 5), ("build", 18), ("preferences", 2), ("preferences", 9)])
def test_killed(tmp_path, monkeypatch, what, call):
    """While the files are written, and while they are moved into place."""
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", KILLED, str(out), what, str(call)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    answer_in_place_of_a_model(monkeypatch)
    run = prefer if what == "preferences" else (lambda folder: build(CONFIG, folder))
    run(out)
    run(tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_a_split_without_a_pair_is_left_out(tmp_path, monkeypatch):
    answer_in_place_of_a_model(monkeypatch)
    record = prefer(tmp_path)
    assert (record["rows"]["preference/train"], record["rows"]["preference/test"]) == (3, 0)
    assert os.listdir(tmp_path / "preference") == ["train-00000-of-00001.parquet"]
    assert list(datasets.load_dataset(str(tmp_path), "preference")) == ["train"]
    assert list(datasets.load_dataset(str(tmp_path), "sft")) == ["train", "test"]
    assert build(CONFIG, tmp_path) == prefer(tmp_path) == record


def test_no_pairs_at_all_leave_the_dataset_as_it_was(tmp_path, monkeypatch):
    answer_in_place_of_a_model(monkeypatch)
    monkeypatch.setattr(on_policy, "_ask", lambda *_: [])
    record = build(CONFIG, tmp_path)
    with pytest.raises(AsciiMazeError, match="'a model' gives no pairs"):
        prefer(tmp_path)
    assert read_record(tmp_path) == record == build(CONFIG, tmp_path)
    assert not (tmp_path / UNFINISHED).exists()  # with which it could not be pushed


def test_another_model_under_the_same_name_is_asked_anew(tmp_path, monkeypatch):
    answer_in_place_of_a_model(monkeypatch)
    model, out = tmp_path / "model", tmp_path / "out"
    model.mkdir()
    build(CONFIG, out)
    records = []
    for weights in ("old", "new"):
        (model / "model.safetensors").write_text(weights)
        records.append(replace_preferences(CONFIG, out, str(model), 4, lambda *_: None))
    assert records[0]["preferences_from"] != records[1]["preferences_from"]


def remove_prompts(out):
    shutil.rmtree(out / "prompts")


def remove_the_card(out):
    (out / "README.md").unlink()


def remove_a_file(out):
    (out / "sft" / "test-00000-of-00001.parquet").unlink()


@pytest.mark.parametrize("damage", [remove_prompts, remove_the_card, remove_a_file])
def test_a_dataset_that_lacks_a_file_is_made_again(tmp_path, damage):
    build(CONFIG, tmp_path)
    whole = contents(tmp_path)
    (tmp_path / "sft" / "notes.txt").write_text("mine")
    damage(tmp_path)
    build(CONFIG, tmp_path)
    assert contents(tmp_path) == {**whole, "sft/notes.txt": b"mine"}


def test_a_file_that_somebody_changed_is_kept_and_said(tmp_path):
    build(CONFIG, tmp_path)
    changed = tmp_path / "prompts" / "train-00000-of-00001.parquet"
    changed.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"train-00000-of-00001.parquet has changed since it was built; remove it"):
        build(CONFIG, tmp_path)
    assert changed.read_bytes() == b"mine"


def test_a_copy_is_kept_if_it_is_whole_and_nothing_in_it_is_replaced(tmp_path, monkeypatch):
    answer_in_place_of_a_model(monkeypatch)
    record = build(CONFIG, tmp_path / "out")
    copy = shutil.copytree(tmp_path / "out", tmp_path / "copy")
    before = contents(copy)
    assert build(CONFIG, copy) == record
    with pytest.raises(UsageError, match="was not made here"):
        prefer(copy)
    assert contents(copy) == before
    remove_prompts(copy)
    with pytest.raises(UsageError, match=r"is missing, and .* was not made here"):
        build(CONFIG, copy)


def test_a_dataset_that_was_renamed_is_ours_still(tmp_path, monkeypatch):
    answer_in_place_of_a_model(monkeypatch)
    build(CONFIG, tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "renamed")
    assert prefer(tmp_path / "renamed")["rows"]["preference/train"] == 3


def test_a_folder_that_another_process_writes_to_is_refused(tmp_path):
    with output_folder(tmp_path), pytest.raises(AsciiMazeError, match="another ascii-maze process"):
        build(CONFIG, tmp_path)


@pytest.mark.parametrize("broken", [b"", b"[1, 2", b"\xff"])
@pytest.mark.parametrize("part", ["plan.json", "parts/train-00000.json"])
def test_an_unfinished_build_that_someone_damaged_is_one_line(tmp_path, monkeypatch, part, broken):
    with monkeypatch.context() as patch:
        patch.setattr("dataset_builder.build.finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(CONFIG, tmp_path / "out")
    (damaged,) = (tmp_path / "out").rglob(part)
    damaged.write_bytes(broken)
    with pytest.raises(UsageError, match=f"cannot read {damaged}: ") as caught:
        build(CONFIG, tmp_path / "out")
    assert "\n" not in str(caught.value)
    shutil.rmtree(tmp_path / "out" / UNFINISHED)
    build(CONFIG, tmp_path / "out")


def interrupted(*_):
    raise KeyboardInterrupt
