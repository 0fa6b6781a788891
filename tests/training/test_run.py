import json
import shutil
import sys

import pytest
import yaml
from safetensors import safe_open

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.evaluation import evaluate

from .conftest import launch, settings

TINY = "recipes/tiny/sft.yaml"


def losses(folder) -> list[float]:
    return [line["loss"] for line in json.loads((folder / "metrics.json").read_text())["history"] if "loss" in line]


def test_accelerate_launch_of_the_yaml_itself_makes_a_whole_output_folder(sft_run):
    out, printed = sft_run
    names = {path.name for path in out.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "chat_template.jinja"} <= names
    assert {"recipe.yaml", "metrics.json", "README.md", "log.jsonl"} <= names
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["method"], metrics["base_model"], metrics["device"]) == ("sft", "tiny", "cpu")
    assert (metrics["steps"], metrics["samples"], metrics["processes"]) == (4, 32, 1)
    assert metrics["tokens"] > 32 * 90
    assert metrics["peak_memory_bytes"] > 1e8
    assert len(losses(out)) == 4
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if "loss" in line] == [1, 2, 3, 4]
    assert "no loss on:" in printed
    assert "#########" in printed


def test_every_linear_layer_of_the_base_has_an_adapter(sft_run):
    config = json.loads((sft_run[0] / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    projections = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert set(config["target_modules"]) == projections
    with safe_open(sft_run[0] / "adapter_model.safetensors", "pt") as weights:
        changed = [name for name in weights.keys() if "lora_B" in name and weights.get_tensor(name).abs().sum() > 0]  # noqa: SIM118
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"F32"}  # noqa: SIM118
    assert len(changed) == 6 * len(projections)


def test_the_resolved_recipe_runs_again_and_says_that_it_is_done(sft_run, train, capsys):
    out, _ = sft_run
    before = (out / "metrics.json").read_bytes()
    assert yaml.safe_load((out / "recipe.yaml").read_text())["max_steps"] == 4
    train(out / "recipe.yaml", [])
    assert "holds this run, finished" in capsys.readouterr().out
    assert (out / "metrics.json").read_bytes() == before


def test_a_run_of_another_recipe_is_not_overwritten_unless_asked(sft_run, train):
    with pytest.raises(UsageError, match="holds a run of another recipe"):
        train(sft_run[0] / "recipe.yaml", ["--learning_rate", "5e-4"])


def test_overwriting_starts_from_nothing(dataset, train, tmp_path):
    words = settings(dataset, tmp_path / "run", max_steps=2, per_device_train_batch_size=2, save_steps=1)
    train(TINY, words)
    train(TINY, [*words, "--learning_rate", "1e-4"], overwrite=True)
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log if '"loss"' in line] == [1, 2]
    assert yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["learning_rate"] == 1e-4


def test_two_processes_train_one_model(dataset, sft_run, tmp_path):
    """Twice four rows a step are the same rows as eight in one process, and so the same losses."""
    words = settings(dataset, tmp_path / "two", per_device_train_batch_size=4)
    accelerate = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    done = launch([*accelerate, "--multi_gpu", "--num_processes", "2", TINY, *words])
    assert done.returncode == 0, done.stderr[-4000:]
    metrics = json.loads((tmp_path / "two" / "metrics.json").read_text())
    assert metrics["processes"] == 2
    assert metrics["samples"] == 32
    assert losses(tmp_path / "two") == pytest.approx(losses(sft_run[0]), rel=2e-3)


def test_an_interrupted_run_goes_on_from_its_last_checkpoint(dataset, sft_run, train, tmp_path, capsys):
    """The losses are, bit for bit, those of a run that was never interrupted."""
    words = settings(dataset, tmp_path / "run", save_steps=2, save_total_limit=9)
    train(TINY, words)
    whole = losses(tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint-2").is_dir()
    (tmp_path / "run" / "metrics.json").unlink()  # as if it had been killed between step 2 and step 4
    shutil.rmtree(tmp_path / "run" / "checkpoint-4")
    train(TINY, words)
    assert "going on from" in capsys.readouterr().out
    assert losses(tmp_path / "run") == whole


def test_dry_run_shows_everything_and_writes_nothing(dataset, train, tmp_path, capsys):
    train(TINY, settings(dataset, tmp_path / "run"), dry_run=True)
    printed = capsys.readouterr().out
    assert "max_steps: 4" in printed
    assert "parameters: 1,775,744, of which 491,520 are trained" in printed
    assert "4 steps of 8 rows" in printed
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset_name": "no-such-folder"},
            "cannot load split 'train' of dataset 'no-such-folder'.*ascii-maze build",
        ),
        ({"dataset_config": "mazes"}, "config 'mazes': no column prompt, completion"),
        ({"dataset_train_split": "trian"}, "cannot load split 'trian'"),
        ({"model_name_or_path": "no/such-model"}, "cannot load the tokenizer of 'no/such-model'"),
        ({"max_length": 50}, "max_length is 50 and the longest row has .* tokens"),
    ],
)
def test_what_cannot_be_trained_is_one_line_before_anything_is_written(dataset, train, tmp_path, changes, message):
    with pytest.raises(AsciiMazeError, match=message) as caught:
        train(TINY, settings(dataset, tmp_path / "run", **changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_ascii_maze_train_with_a_bad_key_is_one_line_and_exit_code_2(tmp_path):
    done = launch([sys.executable, "-m", "ascii_maze", "train", TINY, "--learning_rte", "2e-3"])
    assert done.returncode == 2
    assert done.stderr.strip().endswith("unknown key 'learning_rte'; did you mean 'learning_rate'?")
    assert "Traceback" not in done.stderr


def test_the_adapter_is_evaluated_on_its_base_beside_it(dataset, sft_run, tmp_path):
    results = evaluate({"base": "tiny", "sft": str(sft_run[0])}, str(dataset), ["test"], tmp_path, limit=8)
    assert set(results["models"]) >= {"base", "sft", "wall_follower"}
    assert results["models"]["sft"]["test"]["n"] == 8
    assert len(results["paired"]) == 1
