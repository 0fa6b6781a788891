"""How a model is loaded, by its name and by what stands beside it."""

import hashlib
import json
from functools import partial

import pytest
from trl import ModelConfig

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.models.loading import find_start
from ascii_maze.models.pins import weights_of
from ascii_maze.models.sources import describe, find_model, find_on, match_bases


def write_adapter(folder, base="tiny", recipe="load_in_4bit: true\nuse_bnb_nested_quant: true\ndtype: float32\n"):
    """The files by which an adapter is found; it has no weights."""
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "base_model_name_or_path": base}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    if recipe is not None:
        (folder / "recipe.yaml").write_text(f"method: sft\nmodel_name_or_path: {base}\nuse_peft: true\n{recipe}")
    return str(folder)


def loaded(sources):
    return {name: describe(source)["quantisation"] for name, source in sources.items()}


def test_a_base_is_loaded_as_the_adapters_beside_it_were_trained_on_it(tmp_path):
    sources = {"base": find_model("tiny"), "sft": find_model(write_adapter(tmp_path / "sft")), "other": None}
    matched = match_bases({name: source for name, source in sources.items() if source})
    assert loaded(matched) == {"base": "4-bit nf4", "sft": "4-bit nf4"}
    assert matched["base"].model_args.use_bnb_nested_quant
    both = match_bases({"base": sources["base"], "sft": sources["sft"]}, unquantised=True)
    assert loaded(both) == {"base": "4-bit nf4", "base (float32)": None, "sft": "4-bit nf4"}


def test_a_model_without_adapters_of_it_stays_as_it_is(tmp_path):
    sources = {"base": find_model("tiny"), "sft": find_model(write_adapter(tmp_path / "sft", base="org/other"))}
    assert loaded(match_bases(sources, unquantised=True)) == {"base": None, "sft": "4-bit nf4"}
    assert loaded(match_bases({"base": find_model("tiny")}, unquantised=True)) == {"base": None}


def test_adapters_of_bases_that_were_loaded_in_two_ways_stand_beside_no_one_base(tmp_path):
    sources = {
        "a": find_model(write_adapter(tmp_path / "a")),
        "b": find_model(write_adapter(tmp_path / "b", recipe="dtype: float32\n")),
    }
    assert loaded(match_bases(sources)) == {"a": "4-bit nf4", "b": None}
    with pytest.raises(UsageError, match="'a' was trained on 'tiny' with load_in_4bit True, and 'b' with False"):
        match_bases({**sources, "base": find_model("tiny")})


def test_a_base_that_moved_is_named(tmp_path):
    moved = write_adapter(tmp_path / "sft", base="/once/here")
    assert find_model(moved, base="tiny").model_args.model_name_or_path == "tiny"
    assert find_model(moved, base="ORG/NAME@v1").model_args.model_revision == "v1"
    with pytest.raises(UsageError, match="no model 'a b/c'"):
        find_model(moved, base="a b/c")
    with pytest.raises(AsciiMazeError, match=r"'/once/here', is not here.*name where it is with the --base of `evalu"):
        find_model(moved)
    (now := tmp_path / "now").mkdir()
    assert find_on(str(now), partial(find_model, moved)).model_args.model_name_or_path == str(now)
    with pytest.raises(AsciiMazeError, match=r"'/once/here', is not here"):
        find_on("tiny", partial(find_model, moved))  # which has not moved


@pytest.fixture
def trained(tmp_path):
    """A base in a folder, and the folder of an adapter that was trained on it."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "model.safetensors").write_bytes(b"weights")
    adapter = write_adapter(tmp_path / "sft", base=str(base))
    metrics = {"base_weights": weights_of(str(base))}
    assert metrics["base_weights"]["model.safetensors"] == hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "sft" / "metrics.json").write_text(json.dumps(metrics))
    return base, adapter


def test_a_base_with_other_weights_than_in_training_is_refused(trained):
    base, adapter = trained
    (base / "config.json").write_text("{}")
    assert find_model(adapter).model_args.model_name_or_path == str(base)
    (base / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(
        AsciiMazeError, match=f"the weights of '{base}' are not those on which '{adapter}' was trained"
    ):
        find_model(adapter)
    with pytest.raises(AsciiMazeError, match="are not those on which"):
        find_start(adapter, ModelConfig(model_name_or_path=str(base), use_peft=True, lora_r=4, lora_alpha=8))
    assert find_model(adapter, base=str(base)).model_args.model_name_or_path == str(base)


@pytest.mark.parametrize("metrics", [{}, {"base_weights": {}}, {"base_weights": None}, [], "{"])
def test_a_base_whose_weights_were_not_recorded_is_taken_as_it_is(trained, tmp_path, metrics):
    base, adapter = trained
    (tmp_path / "sft" / "metrics.json").write_text(json.dumps(metrics))
    (base / "model.safetensors").write_bytes(b"other weights")
    assert find_model(adapter).model_args.model_name_or_path == str(base)


def test_attention_is_that_of_this_machine(tmp_path):
    recipe = "dtype: float32\nattn_implementation: flash_attention_2\n"
    assert find_model(write_adapter(tmp_path / "a", recipe=recipe)).model_args.attn_implementation is None


def test_an_adapter_without_effect_answers_as_its_base(dataset, tmp_path):
    """Base and adapter on the same 4-bit weights; results.json says how each was loaded."""
    from peft import LoraConfig, get_peft_model
    from trl import ModelConfig

    from ascii_maze.evaluation.options import Options
    from ascii_maze.evaluation.run import evaluate
    from ascii_maze.models.loading import load_base

    folder = write_adapter(tmp_path / "none")
    lora = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(load_base(ModelConfig(model_name_or_path="tiny", dtype="float32")), lora)
    model.peft_config["default"].base_model_name_or_path = "tiny"
    model.save_pretrained(folder, save_embedding_layers=False)
    results = evaluate(
        {"base": "tiny", "none": folder},
        str(dataset),
        ["test"],
        tmp_path / "out",
        Options(limit=8, baselines=False, unquantised_base=True),
    )
    told = {name: (facts["quantisation"], facts["dtype"]) for name, facts in results["settings"]["loaded"].items()}
    quantised = ("4-bit nf4", "float32")
    assert told == {"base": quantised, "none": quantised, "base (float32)": (None, "float32")}
    assert results["models"]["base"] == results["models"]["none"]

    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    answers = {name: [row["completion"] for row in rows if row["model"] == name] for name in told}
    assert answers["base"] == answers["none"]
    assert answers["base"] != answers["base (float32)"]
