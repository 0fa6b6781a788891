import dataclasses
from pathlib import Path

import pytest
import yaml

from ascii_maze.errors import UsageError
from ascii_maze.study.plan import Study, expectation, load_study, plan, to_yaml
from ascii_maze.study.runner import key_of

CHAIN = {name: f"recipes/tiny/{name}.yaml" for name in ("rlhf", "reward", "dpo", "sft")}


def test_the_demo_is_the_study_without_a_file(tmp_path):
    demo = load_study(None)
    assert {"sft", "dpo", "orpo", "reward", "rlhf", "grpo"} == set(demo.recipes)
    assert demo.base == "tiny"
    (tmp_path / "again.yaml").write_text(to_yaml(demo))
    assert load_study(tmp_path / "again.yaml") == demo
    stages = plan(demo, tmp_path)
    assert all(stage.minutes for stage in stages)
    assert sum(stage.minutes for stage in stages) < 15


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


def test_only_walkers_that_are_there_are_evaluated():
    study = Study("demo", "tiny", CHAIN, ["test", "test_larger"], limit=7)
    evaluate = next(stage for stage in plan(study, Path("out")) if stage.name == "evaluate")
    assert set(evaluate.uses) == {"train-sft", "train-dpo", "train-rlhf"}
    assert evaluate.shell({"build", "train-sft", "train-reward"}) == (
        "ascii-maze evaluate base=tiny --dataset out/dataset --out out/evaluation "
        "--split test --split test_larger --limit 7 --batch-size 64 sft=out/sft"
    )


def test_a_look_inside_needs_one_adapter():
    mri = next(stage for stage in plan(Study("demo", "tiny", CHAIN, ["test"]), Path("out")) if stage.name == "mri")
    assert mri.missing({"build"}) == list(mri.uses)
    assert mri.missing({"train-sft"}) == ["build"]
    assert mri.missing({"build", "train-dpo"}) == []


def test_every_seed_has_its_own_runs():
    study = Study("demo", "tiny", {"sft": CHAIN["sft"], "dpo": CHAIN["dpo"]}, ["test"], seeds=[3, 4])
    stages = {stage.name: stage for stage in plan(study, Path("out"))}
    seeds = ["train-sft-3", "train-dpo-3", "evaluate-3", "mri", "train-sft-4", "train-dpo-4", "evaluate-4"]
    assert list(stages) == ["build", *seeds]
    words = stages["train-dpo-4"].words(set())
    assert words[words.index("--adapter_name_or_path") + 1] == "out/seed-4/sft"
    assert words[words.index("--seed") + 1] == "4"


def test_a_launcher_runs_the_recipes_file():
    study = Study("demo", "tiny", {"sft": CHAIN["sft"]}, ["test"], launcher="accelerate launch --num_processes 2")
    stage = plan(study, Path("out"))[1]
    words = stage.words(set())
    assert words[:4] == ["accelerate", "launch", "--num_processes", "2"]
    assert Path(words[4]).is_file()
    assert stage.shell(set()).startswith("accelerate launch")


def test_overrides_reach_every_recipe_and_none_of_its_places():
    study = Study("demo", "tiny", {"sft": CHAIN["sft"]}, ["test"], overrides={"bf16": True, "output_dir": "elsewhere"})
    words = plan(study, Path("out"))[1].words(set())
    assert words[words.index("--bf16") + 1] == "true"
    assert "elsewhere" not in words


def test_what_a_recipe_takes_stands_in_its_head():
    assert expectation("recipes/tiny/sft.yaml").startswith("3 GB of memory")


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
    monkeypatch.setattr("ascii_maze.study.plan.embedded_model_digest", lambda: "other weights")
    after = keys(study, tmp_path, workers=1)
    assert {name for name in before if before[name] != after[name]} == {"train-sft", "evaluate", "mri"}
    assert of_other == keys(other, tmp_path, workers=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": None}, "study.yaml: no 'base'"),
        ({"datasett": "demo"}, "unknown key 'datasett'; did you mean 'dataset'"),
        ({"recipes": {"sft": "recipes/stf.yaml"}}, "did you mean 'recipes/sft"),
        ({"recipes": ["recipes/sft.yaml"]}, r"'recipes' is \['recipes/sft.yaml'\]; expected a mapping"),
        ({"recipes": {"base": "recipes/sft.yaml"}}, "'recipes' has a name 'base', which will not do"),
        ({"recipes": {"../up": "recipes/sft.yaml"}}, "'recipes' has a name '../up'"),
        ({"splits": "test"}, "'splits' is 'test'; expected a list"),
        ({"seeds": []}, "'seeds' is empty"),
    ],
)
def test_bad_study_files(tmp_path, changes, message):
    values = {"dataset": "demo", "base": "tiny", "recipes": {"sft": "recipes/tiny/sft.yaml"}, "splits": ["test"]}
    values = {key: value for key, value in {**values, **changes}.items() if value is not None}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UsageError, match=message) as caught:
        load_study(tmp_path / "study.yaml")
    assert "\n" not in str(caught.value)


def test_recipes_that_start_from_each_other_are_refused(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.yaml").write_text(f"method: dpo\noutput_dir: {one}\nadapter_name_or_path: {other}\n")
    study = Study("demo", "tiny", {name: str(tmp_path / f"{name}.yaml") for name in "ab"}, ["test"])
    with pytest.raises(UsageError, match="start from each other"):
        plan(study, tmp_path)
