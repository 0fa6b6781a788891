"""What a recipe leaves to the machine: a table of devices, and the plan that says what was decided."""

import pytest
from accelerate.commands.launch import launch_command_parser
from accelerate.utils.launch import prepare_simple_launcher_cmd_env

from ascii_maze.errors import UsageError
from ascii_maze.models import packaged
from ascii_maze.models.devices import Device, Precision, precision_for
from ascii_maze.recipe import Recipe, load_recipe, parse_recipe
from ascii_maze.training.machine import missing_processes, settle, settle_base
from tests.models.made_gguf import write_gguf

AMPERE, TURING, APPLE, CPU = Device("cuda", bfloat16=True), Device("cuda"), Device("mps"), Device("cpu")
ZEN4 = Device("cpu", bfloat16=True)


@pytest.mark.parametrize(
    ("device", "whole_model", "expected"),
    [
        (AMPERE, False, Precision("bfloat16", bf16=True, fp16=False, quantises=True)),
        (AMPERE, True, Precision("bfloat16", bf16=True, fp16=False, quantises=True)),
        (TURING, False, Precision("float16", bf16=False, fp16=True, quantises=True)),
        (TURING, True, Precision("float32", bf16=False, fp16=True, quantises=True)),
        (APPLE, False, Precision("float32", bf16=False, fp16=False, quantises=False)),
        (CPU, False, Precision("float32", bf16=False, fp16=False, quantises=True)),
        (CPU, True, Precision("float32", bf16=False, fp16=False, quantises=True)),
        (ZEN4, False, Precision("float32", bf16=True, fp16=False, quantises=True)),
    ],
)
def test_precision_goes_by_what_the_device_can(device, whole_model, expected):
    assert precision_for(device, whole_model) == expected


@pytest.mark.parametrize(
    ("device", "decided", "note"),
    [
        (AMPERE, {"dtype": "bfloat16", "bf16": True, "fp16": False}, "precision on cuda: bfloat16, computed in bf16"),
        (TURING, {"dtype": "float16", "bf16": False, "fp16": True}, "precision on cuda: float16, computed in fp16"),
        (APPLE, {"dtype": "float32", "load_in_4bit": False}, "float32; not quantised, which bitsandbytes cannot do"),
        (CPU, {"dtype": "float32", "bf16": False, "fp16": False, "load_in_4bit": True}, "precision on cpu: float32"),
        (ZEN4, {"dtype": "float32", "bf16": True, "use_cpu": True}, "precision on cpu: float32, computed in bf16"),
    ],
)
def test_a_recipe_is_settled_for_each_device(device, decided, note):
    settled = settle(load_recipe("recipes/orpo.yaml"), device)
    assert decided.items() <= settled.values.items()
    assert any(note in line for line in settled.notes)
    assert "cpu_batch_size" not in settled.values


def test_the_plan_counts_rows_per_process_where_there_are_several(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    notes = settle(load_recipe("recipes/sft.yaml"), CPU).notes
    assert "memory: 4 rows per process at once, 32 per process a step all the same (cpu_batch_size)" in notes


def test_what_a_recipe_says_itself_stays():
    said = {"dtype": "bfloat16", "bf16": "false", "load_in_4bit": "true"}
    words = [word for key, value in said.items() for word in (f"--{key}", value)]
    assert said.items() <= settle(load_recipe("recipes/sft.yaml", words), TURING).values.items()
    tiny = load_recipe("recipes/tiny/sft.yaml")
    kept = {key: value for key, value in tiny.values.items() if key != "cpu_batch_size"}
    assert settle(tiny, CPU).values == {**kept, "report_to": "none"}


def test_the_plan_says_that_accelerate_started_fewer_processes_than_asked_for(monkeypatch):
    """The environment is accelerate's own, as it makes it for a single process on a machine without GPUs."""
    for name in ("MASTER_ADDR", "WORLD_SIZE", "ACCELERATE_MIXED_PRECISION"):
        monkeypatch.delenv(name, raising=False)

    def started(processes: str) -> dict[str, str]:
        words = ["--cpu", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
        args = launch_command_parser().parse_args([*words, "--num_processes", processes, "recipe.yaml"])
        return prepare_simple_launcher_cmd_env(args)[1]

    (line,) = missing_processes(started("2"))
    assert "add --multi_gpu" in line
    assert missing_processes(started("1")) == []
    assert missing_processes({**started("2"), "WORLD_SIZE": "2"}) == []  # torchrun's, which started both
    assert missing_processes({"MASTER_ADDR": "127.0.0.1"}) == []  # without accelerate
    for name, value in started("2").items():
        monkeypatch.setenv(name, value)
    assert settle(load_recipe("recipes/tiny/sft.yaml"), CPU).notes[0] == line


@pytest.mark.parametrize(
    ("rows", "batches", "most", "expected"),
    [
        (32, 1, 4, (4, 8)),
        (32, 2, 5, (4, 16)),
        (30, 1, 4, (3, 10)),
        (7, 1, 4, (1, 7)),
        (4, 1, 4, (4, 1)),
        (2, 3, 4, (2, 3)),
    ],
)
def test_a_step_reads_as_many_rows_on_a_cpu(rows, batches, most, expected):
    values = {"per_device_train_batch_size": rows, "gradient_accumulation_steps": batches, "cpu_batch_size": most}
    values |= {"per_device_eval_batch_size": 64, "steps_per_generation": 2 * batches}
    recipe = Recipe("sft", values, None)
    settled = settle(recipe, CPU)
    found = settled.values["per_device_train_batch_size"], settled.values["gradient_accumulation_steps"]
    assert found == expected
    assert found[0] * found[1] == rows * batches
    assert settled.values["steps_per_generation"] == 2 * found[1]
    assert settled.values["per_device_eval_batch_size"] == (64 if rows <= most else most)
    generating = settle(Recipe("grpo", values, None), CPU)
    assert generating.values["per_device_eval_batch_size"] == (64 if rows <= most else min(64, 4 * most))
    assert settle(recipe, AMPERE).values["per_device_train_batch_size"] == rows


@pytest.mark.parametrize("method", ["sft", "dpo", "orpo", "kto", "reward", "rlhf", "grpo"])
def test_a_settled_recipe_is_one_that_trl_takes_on_a_cpu(method):
    arguments = parse_recipe(settle(load_recipe(f"recipes/{method}.yaml"), CPU))
    training = arguments.training
    assert training.per_device_train_batch_size * training.gradient_accumulation_steps == 32
    assert (arguments.model.dtype, training.bf16, training.fp16) == ("float32", False, False)


def test_the_plan_names_the_file_that_stands_in(tmp_path, monkeypatch):
    monkeypatch.setenv("ASCII_MAZE_CACHE", str(tmp_path))
    write_gguf(packaged.packaged_model())
    settled = settle(load_recipe("recipes/sft.yaml"), CPU)
    assert settled.values["model_name_or_path"] == str(packaged.packaged_model())
    assert settled.notes[0].startswith(
        f"base: '{packaged.HUB_ID}' is not in the Hub's cache and the Hub cannot be reached; "
    )
    assert settled.notes[1].startswith(f"base: {packaged.FILE} (sha256 ")
    pinned = load_recipe("recipes/sft.yaml", ["--model_revision", "v1"])
    assert settle(pinned, CPU).values["model_name_or_path"] == packaged.HUB_ID


@pytest.mark.parametrize(
    ("name", "revision", "settled"),
    [
        ("org/base@v1", None, {"model_name_or_path": "org/base", "model_revision": "v1"}),
        ("org/base", "v1", {"model_name_or_path": "org/base", "model_revision": "v1"}),
        ("org/base", "main", {"model_name_or_path": "org/base"}),
        ("tiny", "v1", {"model_name_or_path": "tiny"}),
    ],
)
def test_a_base_is_a_name_and_a_revision_however_it_is_written(name, revision, settled):
    assert settle_base({"model_name_or_path": name, "model_revision": revision}, CPU) == (settled, [])


def test_a_base_of_two_revisions_is_refused():
    with pytest.raises(UsageError, match="no model 'org/base@v1@v2'"):
        settle_base({"model_name_or_path": "org/base@v1", "model_revision": "v2"}, CPU)


def test_trackio_follows_a_run_where_it_is_installed_and_publishes_nothing_by_itself(monkeypatch):
    recipe = load_recipe("recipes/sft.yaml")
    assert "report_to" not in recipe.values
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert settle(recipe, AMPERE).values["report_to"] == "none"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "trackio")
    alone = settle(recipe, AMPERE)
    wanted = {"report_to": "trackio", "project": "ascii-maze", "trackio_static_space_id": False}
    assert wanted.items() <= alone.values.items()
    assert alone.notes[-1] == "tracker: Trackio, on this machine; `trackio show --project ascii-maze`"
    shared = settle(load_recipe("recipes/sft.yaml", ["--trackio_space_id", "org/runs", "--project", "mine"]), AMPERE)
    assert "trackio_static_space_id" not in shared.values
    assert shared.values["project"] == "mine"
    assert shared.notes[-1] == "tracker: Trackio, and on org/runs"
    assert settle(load_recipe("recipes/sft.yaml", ["--report_to", "wandb"]), AMPERE).values["report_to"] == "wandb"
