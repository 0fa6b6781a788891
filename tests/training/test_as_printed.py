"""`accelerate launch recipes/METHOD.yaml` as printed, for two steps, where neither a GPU nor the Hub is.

The base is a random model in the place of the file that `make llm` fetches. With a real launcher, and a Hub, see
tests/hub/test_base.py; with the real file, tests/llm.
"""

import hashlib
import json
import shutil

import pytest

from ascii_maze.models import packaged
from tests.models.made_gguf import write_gguf

# Each after what it starts from.
ORDER = ("sft", "orpo", "dpo", "kto", "reward", "rlhf", "grpo")


@pytest.fixture(scope="module")
def runs(dataset, tmp_path_factory):
    """All seven, in the folder of a user who has built the dataset; the folder, and the file of the base."""
    from ascii_maze.launch import train

    folder = tmp_path_factory.mktemp("as-printed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASCII_MAZE_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        write_gguf(packaged.packaged_model())
        (folder / "ascii-maze").symlink_to(dataset)
        for method in ORDER:
            train(f"recipes/{method}.yaml", ["--budget", "steps=2", "--eval_limit", "4"])
        yield folder, packaged.packaged_model()


@pytest.mark.parametrize("method", ORDER)
def test_it_trains_and_its_records_name_the_file(runs, method):
    folder, file = runs
    out = folder / "outputs" / method
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["steps"], metrics["device"]) == (2, "cpu")
    assert metrics["samples"] in (64, 128)  # 32 rows a step, as on a GPU; KTO makes two of each
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert metrics["base_gguf"] == {"file": file.name, "sha256": digest}
    card = (out / "README.md").read_text()
    assert file.name in card
    assert digest in card
    for name in ("README.md", "metrics.json", "recipe.yaml", "adapter_config.json"):
        assert packaged.HUB_ID not in (out / name).read_text()


def test_what_was_trained_is_evaluated_merged_and_looked_into_beside_its_base(runs, tmp_path, monkeypatch):
    from ascii_maze.evaluation.options import Options
    from ascii_maze.evaluation.run import evaluate
    from ascii_maze.mri.models import find_adapters, load_models
    from ascii_maze.training.merge import HeldOut, merge_adapter

    folder, file = runs
    monkeypatch.chdir(folder)
    models = {"base": packaged.HUB_ID, "sft": "outputs/sft"}
    results = evaluate(
        models, "ascii-maze", ["test"], tmp_path / "evaluation", Options(limit=4, unquantised_base=True)
    )
    told = {
        name: (facts["quantisation"], facts["gguf"]["file"]) for name, facts in results["settings"]["loaded"].items()
    }
    four_bit = ("4-bit nf4", file.name)
    assert told == {"base": four_bit, "sft": four_bit, "base (float32)": (None, file.name)}
    assert results["settings"]["models"]["base"] == str(file)
    assert f"from {file.name} (sha256 " in (tmp_path / "evaluation" / "report.md").read_text()
    merged = merge_adapter(
        "outputs/sft", tmp_path / "merged", HeldOut("ascii-maze", "test", 2), 1.0, lambda *done: None
    )
    assert merged["base"]["gguf"]["file"] == file.name
    assert load_models(find_adapters(packaged.HUB_ID, {"sft": "outputs/sft"})).names == ["base", "sft"]


def test_an_adapter_from_elsewhere_of_the_hubs_base_finds_the_file_too(runs, tmp_path):
    from ascii_maze.models.loading import find_start
    from ascii_maze.models.sources import find_model

    folder, file = runs
    adapter = tmp_path / "adapter"
    shutil.copytree(folder / "outputs" / "sft", adapter)
    (adapter / "recipe.yaml").unlink()
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = packaged.HUB_ID
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    found = find_model(str(adapter))
    assert found.model_args.model_name_or_path == str(file)
    recipe = find_model(str(folder / "outputs" / "sft")).model_args
    assert find_start(str(adapter), recipe).name == str(adapter)
    config["revision"] = "v1"  # the file is of no revision
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    assert find_model(str(adapter)).model_args.model_name_or_path == packaged.HUB_ID
