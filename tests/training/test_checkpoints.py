import json

import pytest
import torch
from safetensors.torch import save_file

from ascii_maze.files import MARK, output_folder
from ascii_maze.training.checkpoints import newest_intact, remove_checkpoints, trim_log

SOME = torch.arange(100.0, 110.0).numpy().tobytes()  # of the tensor in optimizer.pt


@pytest.fixture
def checkpoint(tmp_path):
    def write(step):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save_file({"weight": torch.arange(64.0)}, folder / "adapter_model.safetensors")
        torch.save({"state": torch.arange(256.0)}, folder / "optimizer.pt")
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
        return folder

    return write


def test_the_newest_by_number_is_taken_and_nothing_is_said(checkpoint, tmp_path, capsys):
    checkpoint(9)
    newest = checkpoint(10)
    (tmp_path / "checkpoint-best").mkdir()
    assert newest_intact(tmp_path) == newest
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("trainer_state.json", lambda data: None, "no trainer_state.json, so it was never finished"),
        ("trainer_state.json", lambda data: data[:5], "trainer_state.json is damaged"),
        ("adapter_model.safetensors", lambda data: data[:-100], "adapter_model.safetensors is damaged"),
        ("adapter_model.safetensors", lambda data: b"", "adapter_model.safetensors is damaged"),
        ("optimizer.pt", lambda data: data[: len(data) // 2], "optimizer.pt is damaged"),
        ("optimizer.pt", lambda data: data.replace(SOME, SOME[::-1]), "optimizer.pt is damaged at"),
    ],
)
def test_a_damaged_one_is_skipped_in_one_line(checkpoint, tmp_path, capsys, name, damage, reason):
    whole, broken = checkpoint(2), checkpoint(4)
    left = damage((broken / name).read_bytes())
    (broken / name).unlink()
    if left is not None:
        (broken / name).write_bytes(left)
    assert newest_intact(tmp_path) == whole
    said = capsys.readouterr().out
    assert said.startswith(f"{broken} is skipped: {reason}")
    assert said.count("\n") == 1


def test_without_any_a_run_starts_from_nothing(checkpoint, tmp_path):
    assert newest_intact(tmp_path / "nowhere") is None
    (checkpoint(2) / "trainer_state.json").unlink()
    assert newest_intact(tmp_path) is None


def test_they_are_removed_when_the_run_is_finished(checkpoint, tmp_path):
    with output_folder(tmp_path):
        checkpoint(2)
        checkpoint(4)
        (tmp_path / "checkpoint-best").mkdir()
        (tmp_path / "adapter_config.json").write_text("{}")
        remove_checkpoints(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {MARK, "adapter_config.json", "checkpoint-best"}


def test_they_stay_in_a_folder_that_this_program_did_not_make(checkpoint, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("")
    with output_folder(tmp_path):
        checkpoint(2)
        remove_checkpoints(tmp_path)
    assert (tmp_path / "checkpoint-2" / "trainer_state.json").is_file()
    assert "its checkpoints stay; remove them yourself" in capsys.readouterr().out


def test_the_log_is_trimmed_to_the_step_that_the_run_resumes_from(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"step": 4, "lo')
    trim_log(log, 2)
    assert log.read_text() == '{"step": 1}\n{"step": 2}\n'
