"""Study files that cannot be run: each is refused in one line before anything runs. The next case is a line here."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.recipe.methods import METHODS
from ascii_maze.study.plan import Stage, check_recipes, plan
from ascii_maze.study.runner import run_stages
from ascii_maze.study.settings import load_study

SFT, DPO = "recipes/tiny/sft.yaml", "recipes/tiny/dpo.yaml"
GOOD = {"dataset": "demo", "base": "tiny", "recipes": {"sft": SFT}, "splits": ["test"]}
MAPPING = "expected a mapping"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # Values of another kind.
        ({"dataset": 5}, "'dataset' is 5; expected a config of the builder"),
        ({"dataset": "nope"}, "no dataset config 'nope'"),
        ({"base": None}, "'base' is None; expected a model"),
        ({"base": "--out"}, "'base' is '--out'; expected a model"),
        ({"base": "a b"}, "'base': there is no folder 'a b', and a model on the Hub is ORG/NAME"),
        ({"base": "x" * 300}, "'base' is 'xxx"),
        ({"base": "a\0b"}, r"'base' is 'a\\x00b'"),
        ({"recipes": ["recipes/sft.yaml"]}, r"'recipes' is \['recipes/sft.yaml'\]; expected a mapping"),
        ({"recipes": {}}, "'recipes' is {}; expected a mapping"),
        ({"recipes": None}, "'recipes' is None; expected a mapping"),
        ({"recipes": {"sft": 3}}, "'recipes' is {'sft': 3}; expected a mapping of names to recipes"),
        ({"recipes": {"sft": None}}, MAPPING),
        ({"recipes": {"sft": [SFT]}}, MAPPING),
        ({"recipes": {1: SFT}}, MAPPING),
        ({"recipes": {"sft": "recipes/stf.yaml"}}, "did you mean 'recipes/sft"),
        ({"splits": "test"}, "'splits' is 'test'; expected a list"),
        ({"splits": [1]}, r"'splits' is \[1\]; expected a list of splits"),
        ({"splits": []}, r"'splits' is \[\]; expected a list"),
        ({"splits": ["test", "tset"]}, "'splits': demo has no split 'tset'; expected one of train, "),
        ({"splits": ["test", "test"]}, "'splits' holds test twice"),
        ({"seeds": []}, r"'seeds' is \[\]; expected a list of whole numbers"),
        ({"seeds": 0}, "'seeds' is 0; expected a list"),
        ({"seeds": ["../../x", 1]}, "'seeds' is .*; expected a list of whole numbers"),
        ({"seeds": [True]}, "'seeds' is"),
        ({"seeds": [0.5]}, "'seeds' is"),
        ({"seeds": [-1]}, "'seeds' is"),
        ({"seeds": [2**32]}, "'seeds' is"),
        ({"seeds": [1, 1]}, "'seeds' holds 1 twice"),
        ({"limit": 0}, "'limit' is 0; expected a whole number above 0"),
        ({"limit": "7"}, "'limit' is '7'"),
        ({"batch_size": 0}, "'batch_size' is 0"),
        ({"mri_limit": None}, "'mri_limit' is None"),
        ({"mri_limit": True}, "'mri_limit' is True"),
        ({"mri_limit": 8}, "'mri_limit' is 8; expected 0 for no MRI, or a whole number of 20 or more"),
        ({"mri_split": "unheard"}, "'mri_split': demo has no split 'unheard'"),
        ({"contrasts": "all"}, "'contrasts' is 'all'; expected a list of pairs"),
        ({"contrasts": [["sft"]]}, r"'contrasts' holds \['sft'\]; expected pairs of two different models"),
        ({"contrasts": [["sft", "sft"]]}, "expected pairs of two different models"),
        ({"contrasts": [["sft", "base"], ["base", "sft"]]}, "each pair once"),
        ({"variance": {"seeds": 0.1}}, "'variance' has the keys seeds; expected seeds, mazes and both"),
        ({"variance": {"seeds": "x", "mazes": 0, "both": 0}}, "'variance' is"),
        ({"margin": 0}, "'margin' is 0; expected a number above 0"),
        ({"margin": "small"}, "'margin' is 'small'"),
        ({"margin": 5}, "'margin' is 5; expected a number above 0 and below 1"),
        ({"curves": "some"}, "'curves' is 'some'; expected all or first"),
        ({"overrides": [1]}, r"'overrides' is \[1\]; expected a mapping"),
        ({"overrides": {"seed --push_to_hub": 1}}, "'overrides' is"),
        ({"overrides": {"run_name": "--overwrite"}}, "'overrides' is"),
        ({"overrides": {"lora_r": None}}, "'overrides' is"),
        ({"overrides": {"lora_r": float("nan")}}, "'overrides' is"),
        ({"overrides": {"a": {"b": 1}}}, "'overrides' is"),
        ({"overrides": {"a": [[1]]}}, "'overrides' is"),
        ({"minutes": {"build": "soon"}}, "'minutes' is {'build': 'soon'}; expected a mapping of stages to numbers"),
        ({"minutes": {"build": float("inf")}}, "'minutes' is"),
        ({"minutes": {"build": 1e308, "sft": 1e308}}, "'minutes' is"),
        ({"minutes": 3}, "'minutes' is 3"),
        ({"launcher": 5}, "'launcher' is 5; expected a command"),
        ({"launcher": ""}, "'launcher' is ''"),
        ({"launcher": "accelerate launch '"}, "'launcher' is .*: no closing quotation"),
        ({"starts_from": ["sft"]}, "'starts_from' is"),
        ({"starts_from": {"sft": "dpo"}}, "'starts_from' is"),
        ({"starts_from": {"spo": {}}}, "no recipe 'spo' in this study"),
        ({"starts_from": {"sft": {"adapter_name_or_path": "dpo"}}}, "no recipe 'dpo' in this study"),
        ({"starts_from": {"sft": {"adapter": "sft"}}}, "has a key 'adapter'; expected adapter_name_or_path or"),
        ({"datasett": "demo"}, "unknown key 'datasett'; did you mean 'dataset'"),
        ({"seeds": list(range(20_000))}, "'recipes' and 'seeds' make 20,000 trainings, more than 1,000;"),
        # Keys and values that a recipe does not have, in the study or in the recipe.
        ({"overrides": {"seed": 7}}, "'overrides' may not set 'seed'; name 'seeds'"),
        ({"overrides": {"output_dir": "x"}}, "'overrides' may not set 'output_dir'; give --out"),
        ({"overrides": {"method": "dpo"}}, "'overrides' may not set 'method'"),
        ({"overrides": {"model_name_or_path": "x/y"}}, "'overrides' may not set 'model_name_or_path'; name 'base'"),
        ({"overrides": {"push_to_hub": "true"}}, "'overrides' may not set 'push_to_hub'; a study publishes nothing"),
        ({"overrides": {"nope": 1}}, "'sft' cannot be trained: sft.yaml: unknown key 'nope'"),
        ({"recipes": {"sft": SFT, "dpo": DPO}, "overrides": {"beta": 0.1}}, "'sft' .*: unknown key 'beta'"),
        ({"overrides": {"learning_rate": "fast"}}, "sft.yaml: --learning_rate.*: invalid float value: 'fast'"),
        ({"overrides": {"lora_r": 0}}, "sft.yaml: lora_r is 0; expected a finite number of at least 1"),
        ({"overrides": {"budget": "soon"}}, "sft.yaml: budget is 'soon'; expected tokens=N"),
        ({"overrides": {"push_to_hub_token": "x"}}, "a token does not belong in a recipe"),
        # Names that become folders, and columns of tables.
        ({"recipes": {"..": SFT}}, r"a name '\.\.'; expected letters, digits, - and _, at most"),
        ({"recipes": {"s" * 300: SFT}}, "a name 'sss"),
        ({"recipes": {".": SFT}}, r"a name '\.'; expected"),
        ({"recipes": {"../up": SFT}}, "a name '../up'"),
        ({"recipes": {"a/b": SFT}}, "a name 'a/b'"),
        ({"recipes": {"a.b": SFT}}, "a name 'a.b'"),
        ({"recipes": {"-a": SFT}}, "a name '-a'"),
        ({"recipes": {"a=b": SFT}}, "a name 'a=b'"),
        ({"recipes": {"\x1b[2J": SFT}}, r"a name '\\x1b\[2J'"),
        ({"recipes": {"a\n": SFT}}, r"a name 'a\\n'"),
        ({"recipes": {"": SFT}}, "a name ''"),
        ({"recipes": {"é": SFT}}, "a name 'é'"),
        ({"recipes": {"base": SFT}}, "a name 'base', which the study uses for something else"),
        ({"recipes": {"Dataset": SFT}}, "a name 'Dataset', which the study uses"),
        ({"recipes": {"stages": SFT}}, "a name 'stages', which the study uses"),
        ({"recipes": {"seed-1": SFT}}, "a name 'seed-1', which the study uses"),
        ({"recipes": {"wall_follower": SFT}}, "a name 'wall_follower', which the study uses"),
        ({"recipes": {"sft": SFT, "SFT": SFT}}, "the names SFT and sft, which some disks take for one"),
        # Recipes that learn the mazes that they are asked.
        ({"overrides": {"dataset_train_split": "test"}}, "'sft' is trained on split 'test', which the study"),
        ({"overrides": {"dataset_train_split": "train+test[:50%]"}}, "'sft' is trained on split 'test'"),
        # Recipes of which it is not clear what they start from.
        ({"recipes": {"sft": SFT, "hot": SFT, "dpo": DPO}},
         r"'dpo' starts from outputs/tiny/sft \(adapter_name_or_path\), which the recipes of hot and sft write to; "
         r"say which in the study, starts_from: {dpo: {adapter_name_or_path: hot}}"),
        ({"starts_from": {"sft": {"adapter_name_or_path": "sft"}}}, "the recipes start from each other: sft -> sft"),
        # Launchers that could run anything.
        ({"launcher": "python evil.py"}, "'python' is none of accelerate launch, torchrun, srun, so it may run anyth"),
        ({"launcher": "accelerate test"}, "'accelerate' is none of"),
        ({"launcher": "accelerate launch evil.py"}, "'evil.py' is none of"),
        ({"launcher": "accelerate launch --num_processes 2 evil.py"}, "'evil.py' is none of"),
        ({"launcher": "accelerate launch --module evil"}, "accelerate launch may not be given --module"),
        ({"launcher": "accelerate launch --no_python evil"}, "accelerate launch may not be given --no_python"),
        ({"launcher": "accelerate launch --num_processes"}, "--num_processes of accelerate launch needs a value"),
        ({"launcher": "accelerate launch --num_processes --module"}, "--num_processes .* needs a value"),
        ({"launcher": "accelerate launch --cpu=evil"}, "may not be given --cpu"),
        ({"launcher": "accelerate launch --config_file nope.yaml"}, "nope.yaml: no such recipe"),
        ({"launcher": "torchrun -m evil"}, "torchrun may not be given -m"),
        ({"launcher": "torchrun --log-dir x"}, "torchrun may not be given --log-dir"),
        ({"launcher": "srun --export=ALL,LD_PRELOAD=x"}, "srun may not be given --export"),
        ({"launcher": "srun -n 2 --task-prolog=x torchrun"}, "srun may not be given --task-prolog"),
        ({"launcher": "srun -n 2 bash -c x"}, "'bash' is none of .*: srun -n 2 bash -c x RECIPE.yaml ... If that is"),
    ],
)  # fmt: skip
def test_a_broken_study_is_one_line(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message) as caught:
        planned(load_study(written(tmp_path, {**GOOD, **changes})))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert list(tmp_path.iterdir()) == [tmp_path / "study.yaml"]


def test_a_broken_recipe_of_a_study_is_found_before_anything_runs(tmp_path):
    (tmp_path / "mine.yaml").write_text("method: sft\noutput_dir: out\nlearning_rat: 0.1\n")
    study = load_study(written(tmp_path, {**GOOD, "recipes": {"hot": str(tmp_path / "mine.yaml")}}))
    with pytest.raises(
        UsageError, match=r"'hot' cannot be trained: mine.yaml: unknown key 'learning_rat'; did you mean"
    ):
        check_recipes(study)


def test_a_base_that_cannot_be_read_here_is_found_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("ASCII_MAZE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("transformers.utils.is_gguf_available", lambda: False)
    base = tmp_path / "base.gguf"
    base.write_bytes(b"GGUF")
    with pytest.raises(AsciiMazeError, match=r"base.gguf' is a GGUF file, and the package gguf is missing or too old"):
        check_recipes(load_study(written(tmp_path, {**GOOD, "base": str(base)})))


def test_every_shipped_recipe_can_be_in_a_study_on_whatever_machine_plans_it(tmp_path, monkeypatch):
    """Also those for a GPU, planned where there is none: TRL's own checks ask for this machine's devices."""
    monkeypatch.setattr("transformers.training_args.TrainingArguments.__post_init__", None)
    recipes = {
        f"{name}{place}".replace("/", ""): f"recipes/{place}{name}.yaml" for name in METHODS for place in ("", "tiny/")
    }
    check_recipes(load_study(written(tmp_path, {**GOOD, "recipes": recipes, "overrides": {"eval_steps": 0.25}})))


@pytest.mark.parametrize("text", ["", "# nothing\n", "null\n", "[1]\n", "a: [\n", "dataset: demo\n"])
def test_a_file_that_holds_no_study_is_one_line(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"^study.yaml") as caught:
        load_study(path)
    assert "\n" not in str(caught.value)


def test_the_command_line_ends_with_that_line(tmp_path):
    file = written(tmp_path, {**GOOD, "launcher": 5})
    words = [sys.executable, "-m", "ascii_maze", "study", str(file), "--out", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ascii-maze: study.yaml: 'launcher' is 5; expected a command, such as accelerate launch --num_processes 8\n"
    )
    assert not (tmp_path / "out").exists()


def planned(study):
    """All that is checked before a study runs."""
    plan(study, Path("out"))
    check_recipes(study)


def written(folder, values):
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize("name", ["..", ".", "../../mine"])
def test_no_stage_removes_what_is_not_the_study_s(tmp_path, name):
    """A stage of such a name, however it came about: its inputs change, and the user's other files stay."""
    theirs = tmp_path / "mine" / "thesis.tex"
    theirs.parent.mkdir()
    theirs.write_text("of years of work")
    out = tmp_path / "study" / "out"
    program = "import pathlib, sys; pathlib.Path(sys.argv[1], 'metrics.json').touch()"

    def run(change: str):
        words = (str(out / name),)
        stage = Stage("train", words, Path(name) / "metrics.json", inputs=(change,),
                      launcher=(sys.executable, "-c", program))  # fmt: skip
        return run_stages([stage], out)[0]

    assert run("first").state == "done"
    before = sorted(tmp_path.rglob("*"))
    changed = run("second")
    assert changed.state == "failed"
    assert "so it is neither moved nor removed" in changed.note
    assert sorted(tmp_path.rglob("*")) == before
    assert theirs.read_text() == "of years of work"


def test_nor_from_a_folder_that_somebody_else_made(tmp_path):
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "thesis.tex").touch()
    program = "import pathlib, sys; pathlib.Path(sys.argv[1], 'metrics.json').touch()"

    def run(change: str):
        stage = Stage("train-sft", (str(tmp_path / "sft"),), tmp_path / "sft" / "metrics.json", inputs=(change,),
                      launcher=(sys.executable, "-c", program))  # fmt: skip
        return run_stages([stage], tmp_path)[0]

    assert run("first").state == "done"
    assert "was not made by ascii-maze" in run("second").note
    assert (tmp_path / "sft" / "thesis.tex").exists()


@pytest.mark.parametrize("name", ["study.yaml", "report.md", "results.json"])
def test_nor_is_a_file_of_somebody_else_written_over(tmp_path, name):
    (tmp_path / name).write_text("of years of work")
    with pytest.raises(UsageError, match=f"{name} exists and was not written by a study; give another --out"):
        run_stages([], tmp_path)
    assert (tmp_path / name).read_text() == "of years of work"
