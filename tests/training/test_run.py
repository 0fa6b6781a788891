import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import namedtuple
from contextlib import contextmanager
from fnmatch import fnmatch

import pyarrow.parquet
import pytest
import yaml
from safetensors import safe_open

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.files import MARK, UNFINISHED, output_folder, staged
from ascii_maze.models.loading import load_model, load_tokenizer
from ascii_maze.recipe import load_recipe
from ascii_maze.recipe.run_metrics import read_metrics
from ascii_maze.training.callbacks import JsonLog
from ascii_maze.training.folder import WRITTEN

from .conftest import ROOT, history, interrupt_at, launch, losses, settings

TINY = "recipes/tiny/sft.yaml"


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
    assert len(changed) == 8 * len(projections)


def test_the_resolved_recipe_runs_again_and_says_that_it_is_done(sft_run, train, capsys):
    out, _ = sft_run
    before = (out / "metrics.json").read_bytes()
    assert yaml.safe_load((out / "recipe.yaml").read_text())["max_steps"] == 4
    for dry_run in (True, False):
        train(out / "recipe.yaml", [], dry_run=dry_run)
        assert "holds this run, finished" in capsys.readouterr().out
    assert (out / "metrics.json").read_bytes() == before


def test_a_run_of_another_recipe_is_not_overwritten_unless_asked(sft_run, train):
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="holds a run of another recipe"):
            train(sft_run[0] / "recipe.yaml", ["--learning_rate", "5e-4"], dry_run=dry_run)


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


@pytest.fixture(scope="module")
def uninterrupted(dataset, tmp_path_factory):
    """A run of 12 steps."""
    from ascii_maze.launch import train

    return train(TINY, settings(dataset, tmp_path_factory.mktemp("uninterrupted") / "run", max_steps=12))


@pytest.mark.parametrize("moment", ["checkpoint-4/trainer_state.json", "checkpoint-6"])
def test_a_killed_run_goes_on_from_its_last_whole_checkpoint(dataset, uninterrupted, train, tmp_path, capsys, moment):
    """`kill -9` after a checkpoint and within one, and a newest checkpoint cut short by it: adapter and losses are,
    bit for bit, those of a run that was never interrupted, and the log holds every step once.
    """
    out = tmp_path / "killed"
    words = settings(dataset, out, save_steps=2, save_total_limit=9, max_steps=12)
    command = [sys.executable, "-m", "ascii_maze", "train", TINY, *map(str, words)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(out / moment)
        os.kill(process.pid, signal.SIGKILL)
    newest = max(int(path.name.split("-")[1]) for path in out.glob("checkpoint-*"))
    assert newest < 12
    assert not (out / "metrics.json").exists()
    weights = out / f"checkpoint-{newest}" / "adapter_model.safetensors"
    if weights.exists():
        weights.write_bytes(weights.read_bytes()[:-100])
    train(TINY, words)
    printed = capsys.readouterr().out
    assert f"checkpoint-{newest} is skipped:" in printed
    assert 0 < int(re.search(r"resuming from .*checkpoint-(\d+)", printed)[1]) < newest
    assert_same_run(out, uninterrupted)
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if "loss" in line] == list(range(1, 13))
    assert not list(out.glob("checkpoint-*"))


@contextmanager
def killed_before_the_move(out):
    with staged(out) as stage:
        yield stage
        raise KeyboardInterrupt


def killed(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("moment", "replacement", "finished"),
    [
        ("outcome.staged", killed_before_the_move, False),
        ("outcome.write_metrics", killed, False),
        ("run.remove_checkpoints", killed, True),
    ],
)
def test_a_run_killed_while_it_saves_is_unfinished_and_the_same_command_gives_the_same_bytes(
    dataset, train, tmp_path, monkeypatch, moment, replacement, finished
):
    """Also the last checkpoint is one to resume from: not one step more is trained."""
    changes = {"max_steps": 2, "save_steps": 1, "per_device_train_batch_size": 2}
    words = settings(dataset, tmp_path / "run", **changes)
    with monkeypatch.context() as patch:
        patch.setattr(f"ascii_maze.training.{moment}", replacement)
        with pytest.raises(KeyboardInterrupt):
            train(TINY, words)
    assert (tmp_path / "run" / "metrics.json").exists() == finished
    assert (tmp_path / "run" / "checkpoint-2").is_dir()
    train(TINY, words)
    train(TINY, settings(dataset, tmp_path / "whole", **changes))
    names = [{path.name for path in (tmp_path / name).iterdir()} for name in ("run", "whole")]
    assert names[0] == names[1]
    assert not {name for name in names[0] if name.startswith(("checkpoint-", UNFINISHED))}
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def assert_same_run(one, other):
    weights = [(folder / "adapter_model.safetensors").read_bytes() for folder in (one, other)]
    assert weights[0] == weights[1]
    assert losses(one) == losses(other)
    metrics = [read_metrics(folder) for folder in (one, other)]
    for key in ("steps", "samples", "tokens", "dataset"):
        assert metrics[0][key] == metrics[1][key]


@pytest.mark.parametrize("step", [4, 5])
def test_a_run_interrupted_in_a_later_epoch_resumes_in_it(dataset, train, tmp_path, monkeypatch, step):
    """Three epochs of two steps, a checkpoint of each: from the middle of the second epoch, and from its end."""
    changes = {"train_limit": 8, "per_device_train_batch_size": 4, "max_steps": 6}
    words = settings(dataset, tmp_path / "run", save_steps=1, **changes)
    with monkeypatch.context() as patch:
        patch.setattr(JsonLog, "on_step_end", interrupt_at(step))
        with pytest.raises(KeyboardInterrupt):
            train(TINY, words)
    assert max(int(path.name[11:]) for path in (tmp_path / "run").glob("checkpoint-*")) == step - 1
    train(TINY, words)
    train(TINY, settings(dataset, tmp_path / "whole", save_steps=1, **changes))
    assert len(losses(tmp_path / "run")) == 6
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize(("change", "steps"), [({"budget": "tokens=1500"}, 2), ({"early_stopping_patience": 2}, 3)])
def test_a_run_that_ends_early_ends_at_the_same_step_when_it_is_resumed(
    dataset, train, tmp_path, monkeypatch, change, steps
):
    words = settings(
        dataset, tmp_path / "run", max_steps=9, learning_rate=0.0, save_steps=1, eval_strategy="steps", eval_steps=1,
        eval_limit=4, **change,
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr("ascii_maze.training.run.save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(TINY, words)
    train(TINY, words)
    assert read_metrics(tmp_path / "run")["steps"] == steps


def wait_for(path, seconds=120):
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"no {path}"
        time.sleep(0.05)


def test_a_loss_that_is_not_a_number_ends_the_run_with_its_batch(dataset, train, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(AsciiMazeError, match=r"the loss at step \d is nan; its batch is in .*bad-batch-") as caught:
        train(TINY, settings(dataset, out, learning_rate=1e30, warmup_steps=0))
    assert "\n" not in str(caught.value)
    batch = json.loads(next(out.glob("bad-batch-*.json")).read_text())
    assert len(batch["ids"]) == len(batch["texts"]) == 8
    rows = {row["id"]: row["maze"] for row in pyarrow.parquet.read_table(dataset / "sft").to_pylist()}
    assert all(rows[row] in text for row, text in zip(batch["ids"], batch["texts"]))
    assert not (out / "metrics.json").exists()


@pytest.mark.parametrize(
    ("budget", "holds"),
    [
        ("steps=2", lambda metrics: metrics["steps"] == 2),
        ("tokens=1500", lambda metrics: metrics["tokens"] - 1000 < 1500 <= metrics["tokens"]),
        ("seconds=1", lambda metrics: 1 <= metrics["seconds"] < 20 and metrics["steps"] < 32),
    ],
)
def test_a_budget_ends_the_run(dataset, train, tmp_path, budget, holds):
    words = settings(dataset, tmp_path / "run", max_steps=-1)
    train(TINY, [*words, "--budget", budget])
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert holds(metrics), metrics


def test_a_budget_of_tokens_is_used_up_by_rows_that_do_not_fill_a_batch(dataset, train, tmp_path):
    """Of nine rows in batches of eight, every second step reads one."""
    words = settings(dataset, tmp_path / "run", max_steps=-1, train_limit=9)
    train(TINY, [*words, "--budget", "tokens=8000"])
    assert 8000 <= read_metrics(tmp_path / "run")["tokens"] < 9500


def test_a_budget_of_tokens_fits_the_learning_rate_to_itself(dataset, train, tmp_path):
    """The cosine is spent when the tokens are, however long the recipe would have been."""
    train(TINY, [*settings(dataset, tmp_path / "run", max_steps=-1, warmup_steps=0), "--budget", "tokens=8000"])
    rates = [line["learning_rate"] for line in history(tmp_path / "run") if "learning_rate" in line]
    assert rates[0] == pytest.approx(load_recipe(TINY).values["learning_rate"])
    assert rates[-1] < 0.1 * rates[0]


def test_of_a_budget_and_a_number_of_steps_the_smaller_holds(dataset, train, tmp_path):
    for number, (steps, budget) in enumerate([(1, "steps=2"), (2, "steps=1"), (1, "tokens=100000")]):
        train(TINY, [*settings(dataset, tmp_path / str(number), max_steps=steps), "--budget", budget])
        assert json.loads((tmp_path / str(number) / "metrics.json").read_text())["steps"] == 1


def test_a_run_whose_validity_no_longer_rises_ends_early(dataset, train, tmp_path):
    words = settings(dataset, tmp_path / "run", max_steps=9, learning_rate=0.0, eval_strategy="steps", eval_steps=1)
    train(TINY, [*words, "--eval_limit", "4", "--early_stopping_patience", "2"])
    assert len([line for line in history(tmp_path / "run") if "eval_valid" in line]) == 3
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["steps"] == 3


def test_a_full_disk_is_one_line(dataset, train, tmp_path, monkeypatch):
    words = settings(dataset, tmp_path / "run", max_steps=2, save_steps=1)
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: usage(1, 1, 1_000_000))
        with pytest.raises(AsciiMazeError, match=r"no space for the run in .*run: .* MB and 1 MB are free"):
            train(TINY, words)
    assert not (tmp_path / "run" / "recipe.yaml").exists()

    def fail(self, output_dir=None, _internal_call=False):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("transformers.Trainer.save_model", fail)
        with pytest.raises(AsciiMazeError, match=r"no space left for the run in .*run; make room"):
            train(TINY, words)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_dry_run_shows_everything_and_writes_nothing(dataset, train, tmp_path, capsys):
    train(TINY, settings(dataset, tmp_path / "new" / "run"), dry_run=True)
    printed = capsys.readouterr().out
    assert "max_steps: 4" in printed
    assert "parameters: 2,392,960, of which 655,360 are trained" in printed
    assert "run: 256 rows, 4 steps of 8 rows" in printed
    assert re.search(r"tokens per row: median \d+, 90 % \d+, 99 % \d+, most \d+; limit 1024", printed)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("optim_args", "x", "not enough values to unpack"),
        ("lr_scheduler_kwargs", '{"nope": 1}', "unexpected keyword argument 'nope'"),
        ("lr_scheduler_kwargs", '"[1]"', "must be a mapping"),
    ],
)
def test_an_optimizer_that_cannot_be_made_is_refused_before_the_run(dataset, train, tmp_path, key, value, message):
    with pytest.raises(AsciiMazeError, match=rf"sft\.yaml cannot be trained: .*{message}"):
        train(TINY, settings(dataset, tmp_path / "run", **{key: value}))
    assert not list(tmp_path.iterdir())


def test_modules_that_take_too_long_to_find_are_refused(dataset, train, tmp_path, monkeypatch):
    monkeypatch.setattr("ascii_maze.models.adapter_config.PATTERN_SECONDS", 0.05)
    slow = r"(\w|\w\w|\w\w\w|\.)+" * 5 + "[0-9]{2}"  # matches no name, and takes hours to see it
    with pytest.raises(AsciiMazeError, match=r"the recipe's adapter: target_modules .* takes too long"):
        train(TINY, settings(dataset, tmp_path / "run", lora_target_modules=slow), dry_run=True)


@pytest.mark.parametrize("marked", ["false", "true"])
def test_the_end_of_text_that_a_recipe_names_is_saved(dataset, train, tmp_path, marked):
    """Also where TRL sets it on the copy whose template marks the turns."""
    words = settings(dataset, tmp_path / "run", max_steps=1, eos_token="<mark0>", assistant_only_loss=marked)
    train(TINY, words)
    assert load_tokenizer(str(tmp_path / "run")).eos_token == "<mark0>"


def test_a_repository_named_for_the_result_is_asked_before_training(dataset, train, tmp_path, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr("ascii_maze.hub.check_target", lambda *words, **options: asked.append((words, options)))
    words = settings(dataset, tmp_path / "run", hub_model_id="someone/mazes", hub_private_repo="true")
    train(TINY, words, dry_run=True)
    assert asked == [(("adapter", "someone/mazes"), {"public": False})]
    assert "hub: someone/mazes would take the result" in capsys.readouterr().out


def test_a_run_is_alone_in_its_folder_and_resumes_what_it_started(dataset, train, tmp_path):
    out = tmp_path / "run"
    words = settings(dataset, out, max_steps=2, save_steps=1)
    with output_folder(out), pytest.raises(AsciiMazeError, match="another ascii-maze process is writing to"):
        train(TINY, words)
    train(TINY, words)
    start, metrics = (json.loads((out / name).read_text()) for name in ("start.json", "metrics.json"))
    assert (start["rows_per_step"], start["processes"]) == (8, 1)
    assert start["dataset"] == metrics["dataset"]
    made = {path.name for path in out.iterdir()} - {MARK}
    assert {name for name in made if not any(fnmatch(name, pattern) for pattern in WRITTEN)} == set()
    (out / "start.json").write_text(json.dumps({**start, "reads": {**start["reads"], "model_name_or_path": "0"}}))
    with pytest.raises(UsageError, match="was started with another 'model_name_or_path'"):
        train(TINY, words)
    (out / "start.json").write_text(json.dumps(start))
    metrics["dataset"]["sha256"] = "0"
    (out / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(UsageError, match=r"was started on other rows: .* has changed since"):
        train(TINY, words)
    (out / "metrics.json").unlink()
    state = out / "checkpoint-1" / "trainer_state.json"
    state.parent.mkdir()
    state.write_text("{}")
    for change, message in [
        ({"dataset": metrics["dataset"]}, "was started on other rows"),
        (
            {"reads": {**start["reads"], "model_name_or_path": "0"}},
            "was started with another 'model_name_or_path'",
        ),
        ({"reads": {**start["reads"], "chat_template": "0"}}, "was started with another 'chat_template'"),
        ({"rows_per_step": 16, "processes": 2}, r"read 16 rows a step on 2 .* resume it with --num_processes 2"),
    ]:
        (out / "start.json").write_text(json.dumps({**start, **change}))
        with pytest.raises(UsageError, match=message):
            train(TINY, words)


def test_a_model_of_too_few_positions_is_refused(dataset, train, tmp_path):
    model, tokenizer = load_model("tiny")
    model.config.max_position_embeddings = 64
    model.save_pretrained(tmp_path / "short")
    tokenizer.save_pretrained(tmp_path / "short")
    with pytest.raises(UsageError, match=r"the model reads 64 tokens at most and this run needs \d+"):
        train(TINY, settings(dataset, tmp_path / "run", model_name_or_path=tmp_path / "short"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset_name": "no-such-folder"},
            "cannot load split 'train' of dataset 'no-such-folder'.*ascii-maze build demo --out no-such-folder",
        ),
        ({"dataset_config": "mazes"}, "config 'mazes': no column prompt, completion"),
        ({"dataset_train_split": "trian"}, "cannot load split 'trian'"),
        (
            {"model_name_or_path": "no/such-model"},
            "cannot load the tokenizer of 'no/such-model'.*; name a folder .* or run `hf download no/such-model`",
        ),
        ({"max_length": 50}, "max_length is 50 and the longest row has .* tokens"),
        (
            {"eval_strategy": "steps", "dataset_test_split": "train"},
            "of the mazes to evaluate on are also in split 'tr",
        ),
        ({"output_dir": __file__}, "output_dir: .*test_run.py is a file, not a folder"),
        ({"output_dir": f"{__file__}/run"}, "output_dir: .*test_run.py is a file, not a folder"),
        ({"output_dir": ""}, "output_dir is empty; name a folder"),
        ({"push_to_hub": "true"}, "'push_to_hub' needs the name of the repository: --hub_model_id ORG/NAME"),
        ({"push_to_hub": "true", "hub_model_id": "org/x"}, "its base model is 'tiny' .*: --hub_base_model ORG/NAME"),
        ({"hub_model_id": "no/such/name"}, "no/such/name"),
        # What PEFT, TRL and Transformers find only when the trainer is made.
        ({"lora_target_modules": "nope"}, 'the recipe.s adapter: target_modules "nope" fits no module of the base'),
        ({"eos_token": "nope"}, "sft.yaml cannot be trained: The specified `eos_token` .'nope'. is not found"),
        ({"attn_implementation": "flash_attention_2"}, "cannot load the model of 'tiny': FlashAttention2 .*"),
        ({"attn_implementation": "nope"}, "cannot load the model of 'tiny': .*nope"),
        ({"report_to": "nope"}, "sft.yaml cannot be trained: nope is not supported"),
    ],
)
def test_what_cannot_be_trained_is_one_line_before_anything_is_written(dataset, train, tmp_path, changes, message):
    with pytest.raises(AsciiMazeError, match=message) as caught:
        train(TINY, settings(dataset, tmp_path / "run", **changes))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("changes", [{"repetition_penalty": 0}])
def test_what_fails_only_while_it_trains_is_one_line(dataset, sft_run, train, tmp_path, changes):
    words = settings(dataset, tmp_path / "run", adapter_name_or_path=sft_run[0], dataset_config="prompts", **changes)
    with pytest.raises(AsciiMazeError, match=r"grpo\.yaml cannot be trained: ") as caught:
        train("recipes/tiny/grpo.yaml", words)
    assert "\n" not in str(caught.value)


def test_an_adapter_that_has_not_been_trained_comes_with_the_command_that_trains_it(
    dataset, train, tmp_path, tmp_path_factory, monkeypatch
):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))  # the checkout may hold one
    words = settings(dataset, tmp_path / "run", adapter_name_or_path="outputs/tiny/sft")
    with pytest.raises(AsciiMazeError, match=r"make it first: accelerate launch recipes/tiny/sft\.yaml"):
        train(TINY, words)
    assert not list(tmp_path.iterdir())


def test_an_adapter_of_another_base_or_shape_is_refused(dataset, sft_run, train, tmp_path):
    words = settings(dataset, tmp_path / "run", adapter_name_or_path=sft_run[0])
    with pytest.raises(UsageError, match=r"lora_r is 8, and '.*sft', which this run starts from, has 32"):
        train(TINY, [*words, "--lora_r", "8"])
    copied = tmp_path / "other"
    copied.mkdir()
    config = json.loads((sft_run[0] / "adapter_config.json").read_text())
    (copied / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "other/base"}))
    with pytest.raises(UsageError, match="is an adapter of 'other/base', and this recipe's base is 'tiny'"):
        train(TINY, [*words, "--adapter_name_or_path", str(copied)])
    with pytest.raises(UsageError, match="needs 'use_peft: true'"):
        train(TINY, [*words, "--use_peft", "false", "--load_in_4bit", "false"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change", [{"use_dora": "true"}, {"use_rslora": "true", "lora_r": 4}, {"use_peft": "false"}])
def test_other_adapters_and_full_fine_tuning(dataset, train, tmp_path, change):
    quantised = {"load_in_4bit": "false"} if "use_peft" in change else {}
    train(TINY, settings(dataset, tmp_path / "run", max_steps=1, **change, **quantised))
    assert (tmp_path / "run" / "metrics.json").exists()
    saved = "model.safetensors" if "use_peft" in change else "adapter_model.safetensors"
    with safe_open(tmp_path / "run" / saved, "pt") as weights:
        names = set(weights.keys())
    assert any("lora_magnitude" in name for name in names) == ("use_dora" in change)
    assert any("lora_A" in name for name in names) == ("use_peft" not in change)


def test_ascii_maze_train_with_a_bad_key_is_one_line_and_exit_code_2(tmp_path):
    done = launch([sys.executable, "-m", "ascii_maze", "train", TINY, "--learning_rte", "2e-3"])
    assert done.returncode == 2
    assert done.stderr.strip().endswith("unknown key 'learning_rte'; did you mean 'learning_rate'?")
    assert "Traceback" not in done.stderr


def test_the_adapter_is_evaluated_on_its_base_beside_it(dataset, sft_run, tmp_path):
    results = evaluate({"base": "tiny", "sft": str(sft_run[0])}, str(dataset), ["test"], tmp_path, Options(limit=8))
    assert set(results["models"]) >= {"base", "sft", "wall_follower"}
    assert results["models"]["sft"]["test"]["n"] == 8
    assert len(results["paired"]) == 1
