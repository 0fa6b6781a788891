import dataclasses
import itertools
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from ascii_maze.cli import main
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.models.packaged import HUB_ID, packaged_model
from ascii_maze.packages import versions
from ascii_maze.recipe import find_recipe, parse_overrides, shipped_recipes
from ascii_maze.study.launchers import launch_words, usual_config
from ascii_maze.study.plan import Stage, expectation, plan
from ascii_maze.study.results import gather
from ascii_maze.study.runner import key_of
from ascii_maze.study.settings import Study, load_study, to_yaml

CHAIN = {name: f"recipes/tiny/{name}.yaml" for name in ("rlhf", "reward", "dpo", "sft")}


def test_the_demo_is_the_study_without_a_file(tmp_path):
    demo = load_study(None)
    assert {"sft", "sft_twice", "dpo", "orpo", "reward", "rlhf"} == set(demo.recipes)
    assert demo.base == "tiny"
    (tmp_path / "again.yaml").write_text(to_yaml(demo))
    assert load_study(tmp_path / "again.yaml") == demo
    stages = plan(demo, tmp_path)
    assert all(stage.minutes for stage in stages)
    assert sum(stage.minutes for stage in stages) < 20  # one after another; `make demo` runs two at once


def test_stages_stand_after_those_that_they_start_from():
    study = Study("demo", "tiny", CHAIN, ["test"])
    stages = {stage.name: stage for stage in plan(study, Path("out"))}
    names = list(stages)
    assert names[0] == "build"
    assert names[-2:] == ["evaluate", "mri"]
    for stage in stages.values():
        assert all(names.index(name) < names.index(stage.name) for name in (*stage.needs, *stage.uses))
    assert stages["train-rlhf"].needs == ("build", "train-sft", "train-reward")
    words = stages["train-rlhf"].words(set())
    assert words[words.index("--adapter_name_or_path") + 1] == "out/sft"
    assert words[words.index("--reward_model_name_or_path") + 1] == "out/reward"
    assert words[words.index("--model_name_or_path") + 1] == "tiny"
    assert all(stage.keeps_names == name.startswith("train-") for name, stage in stages.items())


def test_the_mri_speaks_the_language_of_the_report_and_nothing_else_changes():
    english, other = (plan(load_study(None), Path("out"), language=language) for language in ("en", "pt"))
    assert [stage.command for stage in english[:-1]] == [stage.command for stage in other[:-1]]
    assert other[-1].command == (*english[-1].command, "--language", "pt")


@pytest.mark.parametrize("folder", ["{base}", "{out}", "a{recipe}b", "{config}{workers}", "{"])
def test_a_folder_named_like_a_placeholder_is_that_folder(folder):
    for stage in plan(Study("demo", "tiny", CHAIN, ["test"]), Path(folder)):
        option = "--output_dir" if stage.name.startswith("train-") else "--out"
        words = stage.words(set())
        assert Path(words[words.index(option) + 1]).parent == Path(folder)


def test_only_walkers_that_are_there_are_evaluated():
    study = Study("demo", "tiny", CHAIN, ["test", "test_larger"], limit=7)
    evaluate = next(stage for stage in plan(study, Path("out")) if stage.name == "evaluate")
    assert set(evaluate.uses) == {"train-sft", "train-dpo", "train-rlhf"}
    assert evaluate.shell({"build", "train-sft", "train-reward"}) == (
        "ascii-maze evaluate base=tiny --dataset out/dataset --out out/evaluation "
        "--split test --split test_larger --limit 7 --batch-size 64 sft=out/sft"
    )


def test_a_study_may_ask_for_the_unquantised_base_as_a_row_of_its_own(tmp_path):
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({**asdict_of_demo(), "unquantised_base": True}))
    stages = {stage.name: stage.shell(set()) for stage in plan(load_study(tmp_path / "my.yaml"), tmp_path)}
    assert " --unquantised-base " in stages["evaluate-0"]
    assert not any("--unquantised-base" in stage.shell(set()) for stage in plan(load_study(None), tmp_path))


def asdict_of_demo() -> dict:
    """The demo's study file."""
    return yaml.safe_load(find_recipe("recipes/tiny/study.yaml").read_text())


def test_a_study_of_a_base_out_of_reach_names_the_file_that_stands_in(tmp_path, monkeypatch):
    monkeypatch.setenv("ASCII_MAZE_CACHE", str(tmp_path / "cache"))
    packaged_model().parent.mkdir(parents=True)
    packaged_model().write_bytes(b"GGUF")
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({**asdict_of_demo(), "base": HUB_ID}))
    assert load_study(tmp_path / "my.yaml").base == str(packaged_model())


def test_what_was_lost_is_measured_of_what_is_there_each_beside_its_start():
    study = Study("demo", "tiny", CHAIN, ["test", "test_unseen"], forgetting_limit=50, seeds=[0, 3], mri_limit=0)
    stages = {stage.name: stage for stage in plan(study, Path("out"))}
    lost = stages["forgetting-3"]
    assert lost.missing({"build"}) == list(lost.uses)
    assert lost.shell({"build", "train-sft-3", "train-rlhf-3", "train-reward-3"}) == (
        "ascii-maze forgetting base=tiny --dataset out/dataset --out out/seed-3/forgetting --split test "
        "--split test_unseen --limit 50 --batch-size 64 sft=out/seed-3/sft rlhf=out/seed-3/rlhf --start rlhf=sft"
    )
    assert lost.product == Path("seed-3/forgetting/forgetting.json")
    assert "mri" not in stages


def test_a_look_inside_needs_one_adapter():
    mri = next(stage for stage in plan(Study("demo", "tiny", CHAIN, ["test"]), Path("out")) if stage.name == "mri")
    assert mri.missing({"build"}) == list(mri.uses)
    assert mri.missing({"train-sft"}) == ["build"]
    assert mri.missing({"build", "train-dpo"}) == []


def test_every_seed_has_its_own_runs():
    study = Study("demo", "tiny", {"sft": CHAIN["sft"], "dpo": CHAIN["dpo"]}, ["test"], seeds=[3, 4])
    stages = {stage.name: stage for stage in plan(study, Path("out"))}
    seeds = ["train-sft-3", "train-dpo-3", "evaluate-3", "train-sft-4", "train-dpo-4", "evaluate-4"]
    assert list(stages) == ["build", *seeds, "mri"]
    looked_into = stages["mri"].words(set(stages))
    adapters = [looked_into[place + 1] for place, word in enumerate(looked_into) if word == "--adapter"]
    assert adapters == [f"{name}@{seed}=out/seed-{seed}/{name}" for name in ("sft", "dpo") for seed in (3, 4)]
    words = stages["train-dpo-4"].words(set())
    assert words[words.index("--adapter_name_or_path") + 1] == "out/seed-4/sft"
    assert words[words.index("--seed") + 1] == "4"


def test_a_launcher_runs_our_module_which_reads_the_recipe():
    study = Study("demo", "tiny", {"sft": CHAIN["sft"]}, ["test"], launcher="accelerate launch --num_processes 2")
    stage = plan(study, Path("out"))[1]
    words = stage.words(set())
    assert words[:7] == ["accelerate", "launch", "--num_processes", "2", "--module", "ascii_maze", "train"]
    assert words[7] == CHAIN["sft"]
    assert stage.shell(set()).startswith("accelerate launch")
    assert not stage.follows


def test_overrides_reach_every_recipe_and_none_of_its_places():
    study = Study("demo", "tiny", {"sft": CHAIN["sft"]}, ["test"], overrides={"bf16": True, "output_dir": "elsewhere"})
    words = plan(study, Path("out"))[1].words(set())
    assert words[words.index("--bf16") + 1] == "true"
    assert "elsewhere" not in words


def test_with_curves_of_the_first_seed_the_others_are_not_evaluated_while_they_train():
    watching = {"eval_steps": 0.5, "eval_on_start": True}
    study = Study("demo", "tiny", {"sft": CHAIN["sft"]}, ["test"], seeds=[3, 1, 2], overrides=watching)

    def settings(curves: str) -> list[dict]:
        stages = plan(dataclasses.replace(study, curves=curves), Path("out"))
        return [parse_overrides(stage.words(set())[2:]) for stage in stages if stage.name.startswith("train-sft")]

    every = settings("all")
    first, *others = settings("first")
    assert first == every[0]
    assert others == [one | {"eval_strategy": "no", "eval_on_start": "false"} for one in every[1:]]


def test_what_a_recipe_takes_stands_in_its_head():
    assert expectation("recipes/tiny/sft.yaml").startswith("1.7 GB of memory")


@pytest.mark.parametrize(
    ("base", "recipe", "told"),
    [
        ("tiny", "recipes/tiny/sft.yaml", True),
        (HUB_ID, "recipes/tiny/sft.yaml", False),
        ("tiny", "recipes/sft.yaml", False),
        (HUB_ID, "recipes/sft.yaml", True),
        (str(packaged_model()), "recipes/sft.yaml", True),
        (str(packaged_model()), "recipes/tiny/sft.yaml", False),
    ],
)
def test_what_a_recipe_takes_is_told_of_its_own_base_alone(base, recipe, told, tmp_path):
    study = Study("demo", base, {"sft": recipe}, ["test"])
    (note,) = (stage.note for stage in plan(study, tmp_path) if stage.name == "train-sft")
    assert note == (expectation(recipe) if told else "")
    assert expectation(recipe)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"overrides": {"eval_limit": 4, "save_steps": 2}}, True),
        ({"overrides": {"per_device_train_batch_size": 1024}}, False),
        ({"overrides": {"max_length": 1024}}, False),
        ({"dataset": "my.yaml"}, False),
    ],
)
def test_what_a_recipe_takes_is_told_where_it_trains_as_it_says(changed, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"name": "my", "sizes": ["20x20"], "generators": ["prim"], "splits": {"train": 8}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(config))
    usual = {"dataset": "demo", "base": "tiny", "recipes": {"sft": "recipes/tiny/sft.yaml"}, "splits": ["test"]}
    study = Study(**{**usual, **changed})
    (note,) = (stage.note for stage in plan(study, tmp_path) if stage.name == "train-sft")
    assert bool(note) == told


def keys(study: Study, out: Path, workers: int) -> dict[str, str]:
    stages, found = plan(study, out, workers), {}
    for stage in stages:
        found[stage.name] = key_of(stage, {other.name for other in stages}, found)
    return found


def test_the_key_of_a_stage_does_not_hang_on_where_the_study_lies(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    dataset = {"name": "my", "sizes": ["4x4"], "generators": ["prim"], "splits": {"train": 8}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(dataset))
    (tmp_path / "sft.yaml").write_text("method: sft\nlearning_rate: 1.0e-3\noutput_dir: outputs/sft\n")

    def study(folder: str) -> Study:
        recipes = {"sft": f"{folder}sft.yaml", "dpo": CHAIN["dpo"]}
        return Study(f"{folder}my.yaml", "tiny", recipes, ["test"], seeds=[0, 1])

    monkeypatch.chdir(tmp_path)
    wanted = keys(study(""), Path("out"), workers=2)
    assert wanted == keys(study(""), tmp_path / "moved" / "here", workers=7)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert wanted == keys(study("../"), Path("../out"), workers=1)
    (tmp_path / "sft.yaml").write_text("method: sft\nlearning_rate: 2.0e-3\noutput_dir: outputs/sft\n")
    changed = keys(study("../"), Path("../out"), workers=1)
    assert {name for name in wanted if wanted[name] == changed[name]} == {"build"} | {
        name for name in wanted if "dpo" in name
    }


def test_the_key_of_a_stage_hangs_on_its_command(tmp_path):
    study = Study("demo", "tiny", {"sft": CHAIN["sft"]}, ["test"])
    before = keys(study, tmp_path, workers=1)

    def changed(**values) -> set[str]:
        after = keys(dataclasses.replace(study, **values), tmp_path, workers=1)
        return {name for name in before if before[name] != after[name]}

    assert changed(overrides={"lora_r": 8}) == {"train-sft", "evaluate", "mri"}
    assert changed(launcher="accelerate launch --num_processes 8") == {"train-sft", "evaluate", "mri"}
    assert changed(limit=7) == {"evaluate"}
    assert changed(mri_limit=7) == {"mri"}
    assert changed(forgetting_limit=7) == set()
    assert changed(base="ORG/other") == {"train-sft", "evaluate", "mri"}
    assert changed(dataset="mazebench") == set(before)
    assert changed(minutes={"sft": 3}) == set()


def test_the_source_that_a_stage_runs_is_part_of_its_key(tmp_path, monkeypatch):
    study = Study("demo", "tiny", {"sft": CHAIN["sft"], "dpo": CHAIN["dpo"]}, ["test"])
    before = keys(study, tmp_path, workers=1)
    monkeypatch.setattr("ascii_maze.study.runner.source_digest", lambda command, modules: f"{command} {modules}")
    run = keys(study, tmp_path, workers=1)
    assert not set(before.values()) & set(run.values())
    monkeypatch.setattr(
        "ascii_maze.study.runner.source_digest",
        lambda command, modules: f"{command} {modules}" + " changed" * any("dpo" in name for name in modules),
    )
    after = keys(study, tmp_path, workers=1)
    assert {name for name in run if run[name] != after[name]} == {"train-dpo", "evaluate", "mri"}


def test_the_weights_of_the_embedded_model_are_part_of_the_key(tmp_path, monkeypatch):
    study = Study("demo", "tiny", {"sft": CHAIN["sft"]}, ["test"])
    other = dataclasses.replace(study, base="ORG/other")
    before, of_other = keys(study, tmp_path, workers=1), keys(other, tmp_path, workers=1)
    monkeypatch.setattr("ascii_maze.study.inputs.embedded_model_digest", lambda name: "other weights")
    after = keys(study, tmp_path, workers=1)
    assert {name for name in before if before[name] != after[name]} == {"train-sft", "evaluate", "mri"}
    assert of_other == keys(other, tmp_path, workers=1)


ALL, TRAINED = {"build", "train-sft", "evaluate", "mri"}, {"train-sft", "evaluate", "mri"}


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("base/model.safetensors", TRAINED),
        ("base/tokenizer.json", TRAINED),
        ("base/chat_template.jinja", TRAINED),
        ("base/README.md", set()),
        ("base/checkpoint-7/model.safetensors", set()),
        ("adapter/adapter_model.safetensors", TRAINED),
        ("adapter/adapter_config.json", TRAINED),
        ("other/mazes/train.parquet", TRAINED),
        ("template.jinja", TRAINED),
        ("dataset.yaml", ALL),
        ("recipe.yaml", TRAINED),
    ],
)
def test_every_file_that_a_stage_reads_is_part_of_its_key(tmp_path, monkeypatch, file, changed):
    """Also one that is of the same length; and wherever they all lie together."""
    dataset = "name: my\nsizes: [4x4]\ngenerators: [prim]\nsplits: {train: 8, test: 8}\n"
    recipe = "method: dpo\nadapter_name_or_path: adapter\ndataset_name: other\nchat_template: template.jinja\n"
    for name in ("base/model.safetensors", "base/tokenizer.json", "base/chat_template.jinja", "base/README.md",
                 "base/checkpoint-7/model.safetensors", "adapter/adapter_model.safetensors",
                 "adapter/adapter_config.json", "other/mazes/train.parquet", "template.jinja"):  # fmt: skip
        (tmp_path / "at" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "at" / name).write_bytes(b"1111")
    (tmp_path / "at" / "dataset.yaml").write_text(dataset)
    (tmp_path / "at" / "recipe.yaml").write_text(recipe)
    monkeypatch.chdir(tmp_path / "at")
    study = Study("dataset.yaml", "./base", {"sft": "recipe.yaml"}, ["test"], overrides={"dataset_name": "other"})
    before = keys(study, Path("out"), workers=1)
    shutil.copytree(tmp_path / "at", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert keys(study, Path("out"), workers=1) == before
    text = Path(file).read_text()
    Path(file).write_text(text.replace("1111", "0000").replace("8}", "9}").replace("adapter\n", "adapter\nseed: 1\n"))
    after = keys(study, Path("out"), workers=1)
    assert {name for name in before if before[name] != after[name]} == changed


def test_versions_of_what_computes_are_part_of_every_key_and_ours_is_not(tmp_path, monkeypatch):
    study = Study("demo", "tiny", {"sft": CHAIN["sft"]}, ["test"])
    before = keys(study, tmp_path, workers=1)
    installed = versions()
    monkeypatch.setattr("ascii_maze.study.inputs.versions", lambda: {**installed, "ascii-maze": "99"})
    assert keys(study, tmp_path, workers=1) == before
    monkeypatch.setattr("ascii_maze.study.inputs.versions", lambda: {**installed, "peft": "99"})
    assert not set(keys(study, tmp_path, workers=1).values()) & set(before.values())


def test_of_a_repository_on_the_hub_the_commit_is_part_of_the_key(tmp_path, monkeypatch):
    study = Study("demo", "ORG/base@v1", {"sft": CHAIN["sft"]}, ["test"])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = []
    for commit in (None, "1" * 40, "2" * 40):
        refs = tmp_path / "models--ORG--base" / "refs"
        refs.mkdir(parents=True, exist_ok=True)
        if commit:
            (refs / "v1").write_text(commit)
            (refs.parent / "snapshots" / commit).mkdir(parents=True)
            (refs.parent / "snapshots" / commit / "config.json").write_text("{}")
        found.append(keys(study, tmp_path, workers=1))
    for one, other in itertools.pairwise(found):
        assert {name for name in one if one[name] != other[name]} == TRAINED


def test_recipes_that_start_from_each_other_are_refused(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.yaml").write_text(f"method: dpo\noutput_dir: {one}\nadapter_name_or_path: {other}\n")
    study = Study("demo", "tiny", {name: str(tmp_path / f"{name}.yaml") for name in "ab"}, ["test"])
    with pytest.raises(UsageError, match="start from each other"):
        plan(study, tmp_path)


def test_a_study_may_say_where_a_run_starts_from(tmp_path):
    """`sft-hot` extends `sft` and so writes to the same folder of the recipes; which of the two DPO needs is said."""
    (tmp_path / "hot.yaml").write_text(
        f"extends: {find_recipe(CHAIN['sft'])}\nlearning_rate: 1.0e-2\noutput_dir: outputs/tiny/../tiny/sft/\n"
    )
    recipes = {"sft": CHAIN["sft"], "sft-hot": str(tmp_path / "hot.yaml"), "dpo": CHAIN["dpo"]}
    with pytest.raises(UsageError, match=r"'dpo' starts from outputs/tiny/sft \(adapter_name_or_path\)"):
        plan(Study("demo", "tiny", recipes, ["test"]), Path("out"))
    for start in ("sft", "sft-hot"):
        study = Study("demo", "tiny", recipes, ["test"], starts_from={"dpo": {"adapter_name_or_path": start}})
        dpo = next(stage for stage in plan(study, Path("out")) if stage.name == "train-dpo")
        assert dpo.needs == ("build", f"train-{start}")
        words = dpo.words(set())
        assert words[words.index("--adapter_name_or_path") + 1] == f"out/{start}"
        assert gather(study, [], tmp_path)["settings"]["study"]["starts_from"] == study.starts_from


def test_a_config_of_accelerate_is_found_wherever_the_package_is_and_its_content_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    launcher = "srun -n 2 accelerate launch --config_file={} --cpu"

    def training(config: str) -> Stage:
        return plan(
            Study("demo", "tiny", {"sft": CHAIN["sft"]}, ["test"], launcher=launcher.format(config)), tmp_path
        )[1]

    words = training("recipes/accelerate/ddp.yaml").words(set())
    assert Path(words[words.index("--config_file") + 1]).is_file()
    (tmp_path / "my.yaml").write_text("num_processes: 2\n")
    before = [key_of(training("my.yaml"), set(), {}), key_of(training(str(tmp_path / "my.yaml")), set(), {})]
    assert before[0] == before[1]
    (tmp_path / "my.yaml").write_text("num_processes: 4\n")
    assert key_of(training("my.yaml"), set(), {}) != before[0]


@pytest.mark.parametrize("text", [
    "compute_environment: AMAZON_SAGEMAKER", "tpu_use_sudo: true", "command_file: x", "mpirun_config: {}",
    "deepspeed_config: {deepspeed_multinode_launcher: pdsh}", "deepspeed_config: {deepspeed_config_file: x}",
])  # fmt: skip
def test_a_config_of_accelerate_that_does_more_than_distribute_is_refused(tmp_path, text):
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"my\.yaml: '.*' is not allowed in a study"):
        launch_words(f"accelerate launch --config_file {tmp_path / 'my.yaml'}")


def test_the_shipped_configs_of_accelerate_are_taken():
    for name, path in shipped_recipes().items():
        if path.parent.name == "accelerate":
            assert launch_words(f"accelerate launch --config_file {name}")[1] == path


def test_any_launcher_runs_the_recipe_s_file_where_the_user_allows_it():
    study = Study("demo", "tiny", {"sft": CHAIN["sft"]}, ["test"], launcher="my-cluster --queue long")
    with pytest.raises(UsageError, match=r"anything: my-cluster --queue long RECIPE\.yaml .* --allow-launcher"):
        plan(study, Path("out"))
    words = plan(study, Path("out"), any_launcher=True)[1].words(set())
    assert words[:3] == ["my-cluster", "--queue", "long"]
    assert Path(words[3]).is_file()


def test_the_commands_of_any_launcher_are_shown_whole_before_one_of_them_runs(tmp_path, monkeypatch, capsys):
    launcher = "my-cluster --run 'rm -rf x'"
    study = {"dataset": "demo", "base": "tiny", "recipes": {"sft": CHAIN["sft"], "dpo": CHAIN["dpo"]}}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({**study, "launcher": launcher, "splits": ["test"]}))
    shown = []

    def run_stages(stages, *others):
        shown.extend([*capsys.readouterr(), *stages])
        raise AsciiMazeError("nothing has run")

    monkeypatch.setattr("ascii_maze.study.plan.check_recipes", lambda study: None)
    monkeypatch.setattr("ascii_maze.study.runner.run_stages", run_stages)
    out = tmp_path / "out\x1b[2J"
    words = ["study", str(tmp_path / "my.yaml"), "--out", str(out), "--allow-launcher"]
    monkeypatch.setattr("sys.argv", ["ascii-maze", *words])
    with pytest.raises(SystemExit):
        main()
    printed, told, *stages = shown
    trained = {stage.name: stage.words(set()) for stage in stages if stage.name.startswith("train-")}
    assert printed == ""
    assert told.splitlines() == [
        f"{name} runs: {launcher} {shlex.join(words[3:])}".replace("\x1b", r"\x1b") for name, words in trained.items()
    ]
    for name in ("sft", "dpo"):
        assert f"--output_dir '{out}/{name}'".replace("\x1b", r"\x1b") in told


def test_the_config_that_accelerate_reads_unasked_is_among_what_a_training_reads(tmp_path, monkeypatch):
    file = tmp_path / "default_config.yaml"
    monkeypatch.setattr("accelerate.commands.config.config_args.default_config_file", str(file))
    words = ("accelerate", "launch", "--num_processes", "2")
    assert usual_config(words) is None
    file.write_text("num_processes: 2\n")
    assert usual_config(words) == file
    assert usual_config((*words, "--config_file", "mine.yaml")) is None
    assert usual_config(("torchrun", "--nproc_per_node", "2")) is None


def test_a_study_that_ships_is_found_by_its_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_study(Path("recipes/tiny/paper.yaml")).seeds == [0, 1, 2, 3, 4]
    with pytest.raises(UsageError, match=r"^recipes/tiny/papers.yaml: no such study file$"):
        load_study(Path("recipes/tiny/papers.yaml"))
