"""What a run removes of its output folder, and what it refuses to."""

import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import MARK, output_folder
from ascii_maze.recipe import load_recipe
from ascii_maze.training.folder import RunStart, check_resumed, check_start, clear_run, is_finished

OF_A_RUN = ("metrics.json", "recipe.yaml", "start.json", "log.jsonl", "README.md", "adapter_model.safetensors")


def fill(out):
    for name in (*OF_A_RUN, "checkpoint-2/optimizer.pt", "notes.txt", "weights.safetensors", "checkpoint-best/x"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("")


def test_overwriting_removes_what_a_run_wrote_and_nothing_else(tmp_path):
    with output_folder(tmp_path):
        fill(tmp_path)
        clear_run(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {MARK, "notes.txt", "weights.safetensors", "checkpoint-best"}


def test_overwriting_removes_nothing_in_a_folder_that_this_program_did_not_make(tmp_path):
    fill(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with (
        output_folder(tmp_path),
        pytest.raises(AsciiMazeError, match="was not made by ascii-maze"),
    ):
        clear_run(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.name != MARK) == before


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "chat_template.jinja", "learning_curve.png"])
def test_a_file_that_a_run_would_replace_is_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name} exists, but .* holds no run"):
        is_finished(tmp_path, load_recipe("recipes/tiny/sft.yaml"))


def test_a_recipe_beside_it_that_is_not_text_is_another_run(tmp_path):
    (tmp_path / "recipe.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="holds a run of another recipe"):
        is_finished(tmp_path, load_recipe("recipes/tiny/sft.yaml"))


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"dataset": {}, "steps": 1}'])
def test_a_damaged_start_is_one_line(tmp_path, text):
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-1" / "trainer_state.json").write_text("{}")
    (tmp_path / "start.json").write_text(text)
    with pytest.raises(UsageError, match=r"start\.json is damaged; give another --output_dir, or --overwrite"):
        check_start(tmp_path, RunStart({"sha256": "0"}, 8, 1))


def test_a_plan_is_checked_against_an_interrupted_run_as_the_run_is_and_writes_nothing(tmp_path):
    start = RunStart({"sha256": "0", "name": "mazes"}, 8, 1, {"own_answers": "a", "model_name_or_path": "b"})
    planned = start._replace(reads={"model_name_or_path": "b"})  # a plan samples no answers
    assert not check_resumed(tmp_path, planned, planned=True)
    assert not list(tmp_path.iterdir())
    check_start(tmp_path, start)
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-1" / "trainer_state.json").write_text("{}")
    assert check_resumed(tmp_path, planned, planned=True)
    with pytest.raises(UsageError, match="another 'own_answers'"):  # a run must have all of them
        check_resumed(tmp_path, planned)
    with pytest.raises(UsageError, match="another 'model_name_or_path'"):
        check_resumed(tmp_path, planned._replace(reads={"model_name_or_path": "c"}), planned=True)
    with pytest.raises(UsageError, match="8 rows a step on 1 process, and 2 would read 16"):
        check_resumed(tmp_path, planned._replace(rows_per_step=16, processes=2), planned=True)
