import pytest
import yaml

from ascii_maze.errors import UsageError
from ascii_maze.recipe import (
    LAUNCHER_KEY,
    RecipeError,
    find_recipe,
    load_recipe,
    parse_overrides,
    parse_recipe,
    shipped_recipes,
    with_values,
)
from ascii_maze.recipe.methods import METHODS


@pytest.fixture
def write(tmp_path):
    def write_recipe(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write_recipe


def test_shipped_tiny_recipe_extends_the_real_one():
    recipe = load_recipe("recipes/tiny/sft.yaml")
    assert recipe.method == "sft"
    assert recipe.values["model_name_or_path"] == "tiny"
    assert recipe.values["lora_target_modules"] == "all-linear"
    assert not any(key.startswith("if ") or key == "extends" for key in recipe.values)


# SFT and GRPO once more, step by step.
STEPS = tuple(f"recipes/{where}{method}_steps.yaml" for where in ("", "tiny/") for method in ("sft", "grpo"))
# Methods once more, as controls: of what they start from, of their reward, of the adapter.
CONTROLS = tuple(
    f"recipes/tiny/{name}.yaml" for name in ("sft_twice", "rft", "dpo_on_policy", "grpo_random", "sft_full")
)
# The methods of the study on a real model, in full precision.
SMOLLM2 = tuple(f"recipes/smollm2/{name}.yaml" for name in ("sft", "sft_twice", "orpo", "dpo", "grpo"))
RECIPES = [name for name, path in shipped_recipes().items() if LAUNCHER_KEY in path.read_text()]


def test_every_method_has_a_recipe_for_a_real_model_and_for_the_embedded_one():
    of_methods = [f"recipes/{where}{method}.yaml" for where in ("", "tiny/") for method in METHODS]
    assert sorted(RECIPES) == sorted([*of_methods, *STEPS, *CONTROLS, *SMOLLM2])


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_recipe_is_yaml_and_python_and_passes_its_own_check(name):
    text = find_recipe(name).read_text()
    assert yaml.safe_load(text)
    compile(text, name, "exec")
    assert f"accelerate launch {name}" in text.split("if __name__")[0]
    recipe = load_recipe(name, ["--bf16", "false"])  # whether a card has bfloat16 is not the recipe's mistake
    if name not in CONTROLS + SMOLLM2:
        method = f"{recipe.method}{'_steps' * (name in STEPS)}"
        assert name == f"recipes/{'tiny/' if 'tiny/' in name else ''}{method}.yaml"
    assert (recipe.values.get("stepwise") is not None) == (name in STEPS)
    assert recipe.values["output_dir"] == name.replace("recipes", "outputs").removesuffix(".yaml")
    arguments = parse_recipe(recipe)
    assert arguments.model.use_peft == ("full" not in name)
    assert arguments.model.load_in_4bit == (arguments.model.use_peft and name not in SMOLLM2)
    assert arguments.model.use_bnb_nested_quant == (name not in SMOLLM2)
    assert arguments.training.remove_unused_columns == (recipe.method not in ("orpo", "rlhf", "grpo"))


def test_methods_differ_in_nothing_that_would_make_the_comparison_unfair():
    shared = (
        "model_name_or_path",
        "dataset_name",
        "lora_r",
        "lora_alpha",
        "lora_target_modules",
        "load_in_4bit",
    )  # and in tokens, over each chain of runs: tests/study/test_results.py
    for where in ("recipes", "recipes/tiny"):
        recipes = [load_recipe(f"{where}/{method}.yaml") for method in METHODS if method != "reward"]
        recipes += [load_recipe(name) for name in CONTROLS if where in name and "tiny" in where]
        for key in shared:
            of = recipes if key != "load_in_4bit" else [recipe for recipe in recipes if "full" not in recipe.path.name]
            assert len({recipe.values.get(key) for recipe in of}) == 1, key


@pytest.mark.parametrize("name", ["ddp", "fsdp2", "deepspeed_zero3", "multi_node"])
def test_accelerate_reads_its_configs(name):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(find_recipe(f"recipes/accelerate/{name}.yaml")))
    assert config.num_processes == 8 * config.num_machines


@pytest.mark.parametrize("budget", ["tokens", "tokens=", "tokens=1.5", "tokens=-1", "hours=3", "steps=0"])
def test_a_budget_that_is_none_is_refused(write, budget):
    recipe = load_recipe(write("good.yaml", "method: sft\noutput_dir: out\nbf16: false\n"), ["--budget", budget])
    with pytest.raises(RecipeError, match=f"budget is '{budget}'; expected tokens=N, seconds=N or steps=N"):
        parse_recipe(recipe)


def test_a_recipe_may_extend_several_the_later_winning(write):
    write("one.yaml", "method: sft\nseed: 1\nlogging_steps: 1\n")
    write("two.yaml", "seed: 2\nsave_steps: 2\n")
    recipe = load_recipe(write("child.yaml", "extends: [one.yaml, two.yaml]\nsave_steps: 3\n"))
    assert recipe.values == {"seed": 2, "logging_steps": 1, "save_steps": 3}


def test_overrides_win_and_the_resolved_recipe_is_a_recipe(write, tmp_path):
    write("base.yaml", "method: sft\nlearning_rate: 1.0e-3\nseed: 1\nwarmup_steps: 5\n")
    child = write("child.yaml", "extends: base.yaml\nseed: 2\n")
    recipe = load_recipe(child, ["--learning_rate", "2e-3"])
    assert recipe.values == {"learning_rate": "2e-3", "seed": 2, "warmup_steps": 5}
    bf16 = load_recipe(child, ["--learning_rate", "2e-3", "--bf16", "false"])
    assert with_values(bf16, parse_recipe(bf16)).values == {**recipe.values, "bf16": False, "learning_rate": 2e-3}
    again = load_recipe(write("resolved.yaml", recipe.to_yaml()))
    assert (again.method, again.values) == (recipe.method, recipe.values)


def test_a_shipped_recipe_is_extended_by_its_name(write):
    recipe = load_recipe(write("mine.yaml", "extends: recipes/sft.yaml\nlearning_rate: 1.0e-4\n"))
    shipped = load_recipe("recipes/sft.yaml")
    assert recipe.values == {**shipped.values, "learning_rate": 1e-4}


def test_tokens_of_the_vocabulary_are_no_secrets(write):
    recipe = load_recipe(write("good.yaml", "method: sft\neos_token: <|im_end|>\npad_token: <pad>\n"))
    assert recipe.values == {"eos_token": "<|im_end|>", "pad_token": "<pad>"}


def test_override_forms():
    words = ["--a", "1", "--b=x", "--c", "y", "z", "--flag", "--learning-rate", "1e-4", "--n", "-1", "--e", "no"]
    assert parse_overrides(words) == {
        "a": 1,
        "b": "x",
        "c": ["y", "z"],
        "flag": "true",
        "learning_rate": "1e-4",
        "n": -1,
        "e": "no",
    }
    with pytest.raises(RecipeError, match="unexpected 'stray'"):
        parse_overrides(["stray", "--a", "1"])


@pytest.mark.parametrize("text", ["7e53216", "007", "0123456", "1:59", "1.10", "2026-11-25", "1_000", "nan"])
def test_a_name_that_looks_like_a_number_stays_as_it_is(write, text):
    words = ["--output_dir", "out", "--bf16", "false", "--run_name", text]
    recipe = load_recipe(write("override.yaml", "method: sft\n"), words)
    assert parse_recipe(recipe).training.run_name == text
    again = load_recipe(write("resolved.yaml", recipe.to_yaml()))
    assert again.values == recipe.values
    if text not in ("1.10", "1_000"):  # numbers to YAML
        assert load_recipe(write("file.yaml", f"method: sft\nrun_name: {text}\n")).values["run_name"] == text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seed: 1\nseed: 2", r"bad\.yaml, line 5.*'seed' is set in line 4 and again in line 5"),
        ("lora_target_modules: [--trust_remote_code=true]", "'--trust_remote_code=true' is not a value"),
        ("learning_rate: .nan", "learning_rate is nan; expected a finite number of at least 0"),
        ("learning_rate: .inf", "learning_rate is inf"),
        ("dataloader_num_workers: -1", "dataloader_num_workers is -1; expected a finite number of at least 0"),
        ("method: dpo\nbeta: -0.1", r"beta is -0\.1; expected a finite number of at least 0"),
        ("method: kto\nundesirable_weight: -1", "undesirable_weight is -1; expected a finite number of at least 0"),
        ("run_name: 1.10", "run_name is 1.1, which YAML reads as no text; put it in quotes"),
        ("run_name: 1_000", "run_name is 1000, which YAML reads as no text"),
        ("model_revision: no", "model_revision is False, which YAML reads as no text"),
        (
            "method: grpo\ngeneration_kwargs: {repetition_penaltie: 2}",
            r"generation_kwargs: unknown key 'repetition_penaltie'; did you mean 'repetition_penalty'\?",
        ),
        ("method: grpo\nuse_vllm: 'false'\ngeneration_kwargs: {stop: x}", "generation_kwargs: unknown key 'stop'"),
        ("method: grpo\ntop_p: -1", "top_p is -1; expected a finite number of at least 0 and at most 1"),
        ("method: grpo\nnum_iterations: 0", "num_iterations is 0; expected a finite number of at least 1"),
        ("method: grpo\nepsilon: -3", "epsilon is -3; expected a finite number of at least 0"),
        ("lora_dropout: -1", "lora_dropout is -1; expected a finite number of at least 0 and at most 1"),
        ("method: dpo\nlabel_smoothing: 2", "label_smoothing is 2; expected a finite number of at least 0"),
        ("method: reward\ncenter_rewards_coefficient: -2", "center_rewards_coefficient is -2; expected"),
        ("method: grpo\ntemperature: -1", "temperature is -1; expected a finite number of at least 0"),
        ("weight_decay: -0.1", r"weight_decay is -0\.1; expected a finite number of at least 0"),
        ("neftune_noise_alpha: -1", "neftune_noise_alpha is -1; expected a finite number of at least 0"),
        ("learning_rate: -1.0", r"learning_rate is -1\.0; expected a finite number of at least 0"),
        ("weight_decay: .nan", "weight_decay is nan"),
        ("max_steps: 1" + "0" * 400, "not YAML: a number that does not fit into 64 bits"),
        ("warmup_steps: {a: 1, a: 2}", "'a' is set in line 4 and again in line 4"),
        ("seed: '1" + "0" * 400 + "'", r"seed is 100.*\.\.\.; expected a finite number"),
        ("max_steps: 1" + "0" * 5000, "not YAML"),
        ("seed: -1", "seed is -1; expected a finite number of at least 0 and at most 4294967295"),
        ("seed: 1:59", "seed.*invalid int value: '1:59'"),
        ("per_device_train_batch_size: 0", "per_device_train_batch_size is 0; expected a finite number of at least 1"),
        ("lora_r: 0", "lora_r is 0"),
        ("train_limit: -1", "train_limit is -1"),
        ("extends: 5", "'extends' must be a file or a list of files, not 5"),
        ("extends: {a: b}", "'extends' must be a file or a list of files"),
        ("extends: [null]", "'extends' must be a file or a list of files"),
        ("method: [sft]", "'method' must be one of"),
        ("method: {sft: 1}", "'method' must be one of"),
        ("lr_scheduler_kwargs: 5", "lr_scheduler_kwargs is 5; expected a mapping"),
        ("gradient_checkpointing_kwargs: [1]", r"gradient_checkpointing_kwargs is \[1\]; expected a mapping"),
        ("accelerator_config: 5", "bad.yaml: "),
        ("dataset_streaming: true", "rows are counted and checked before a run, so they are not streamed"),
        ("resume_from_checkpoint: x", "a run resumes by itself"),
    ],
)
def test_what_a_stranger_may_write_is_refused_in_one_short_line(write, line, message):
    keys = {"method": "sft", "output_dir": "out", "bf16": "false"}
    keys = {key: value for key, value in keys.items() if not line.startswith(f"{key}:")}
    text = "".join(f"{key}: {value}\n" for key, value in keys.items())
    with pytest.raises(UsageError, match=message) as caught:
        parse_recipe(load_recipe(write("bad.yaml", f"{text}{line}\n")))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: sfft\n", "unknown method 'sfft'.*did you mean 'sft'"),
        ("seed: 1\n", "no 'method'"),
        ("method: [sft\n", r"bad.yaml, line \d+, column \d+: not YAML"),
        ("- sft\n", "expected lines of the form 'key: value'"),
        ("", "expected lines of the form"),
        ("method: !!python/object/apply:os.system ['true']\n", "not YAML"),
        ("method: sft\nextends: nothing.yaml\n", "extends 'nothing.yaml', but there is no file"),
        ("method: sft\nextends: bad.yaml\n", "'extends' is circular"),
        ("method: sft\nhub_token: abc\n", "a token does not belong in a recipe"),
    ],
)
def test_bad_files_are_refused_in_one_line(write, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        load_recipe(write("bad.yaml", text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_with_the_nearest():
    with pytest.raises(
        RecipeError, match=r"recipes/tiny/stf.yaml: no such recipe; did you mean 'recipes/tiny/sft.yaml'"
    ):
        load_recipe("recipes/tiny/stf.yaml")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rte: 1.0e-3", "unknown key 'learning_rte'; did you mean 'learning_rate'"),
        ("learning_rate: fast", "learning_rate.*invalid float value: 'fast'"),
        ("max_steps: 1.5", "max_steps.*invalid int value"),
        ("load_in_4bit: perhaps", "load_in_4bit"),
        ("dtype: float8", "dtype.*invalid choice"),
        ("eval_strategy: sometimes", "sometimes"),
    ],
)
def test_bad_keys_and_values_are_refused_in_one_line(write, line, message):
    recipe = load_recipe(write("bad.yaml", f"method: sft\noutput_dir: out\nbf16: false\n{line}\n"))
    with pytest.raises(RecipeError, match=message) as caught:
        parse_recipe(recipe)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_command_line_is_checked_like_the_file(write):
    recipe = load_recipe(write("good.yaml", "method: sft\noutput_dir: out\n"), ["--lerning_rate", "1"])
    with pytest.raises(RecipeError, match="unknown key 'lerning_rate'; did you mean 'learning_rate'"):
        parse_recipe(recipe)


def test_orpo_still_lives_where_we_shall_look_for_it():
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    assert ORPOConfig
    assert ORPOTrainer
