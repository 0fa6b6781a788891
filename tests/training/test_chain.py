import pytest

from ascii_maze.errors import UsageError
from ascii_maze.models.adapter_config import CONFIG, ModelError
from ascii_maze.recipe import RunArguments
from ascii_maze.training import chain
from ascii_maze.training.chain import check_predecessors, recipe_that_makes


@pytest.mark.parametrize(
    ("folder", "recipe"),
    [
        ("outputs/tiny/sft", "recipes/tiny/sft.yaml"),
        ("outputs/tiny/reward/", "recipes/tiny/reward.yaml"),
        ("outputs/sft", "recipes/sft.yaml"),
        ("outputs/elsewhere", None),
    ],
)
def test_every_folder_of_a_recipe_has_a_maker(folder, recipe):
    assert recipe_that_makes(folder) == recipe


def test_a_missing_predecessor_is_named_with_the_command_that_makes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"make it first: accelerate launch recipes/tiny/sft\.yaml"):
        check_predecessors(RunArguments(adapter_name_or_path="outputs/tiny/sft"))
    with pytest.raises(UsageError, match=r"reward_model.*make it first: accelerate launch recipes/reward\.yaml"):
        check_predecessors(RunArguments(reward_model_name_or_path="outputs/reward"))
    with pytest.raises(UsageError, match=r"there is no folder '\./mine'"):
        check_predecessors(RunArguments(adapter_name_or_path="./mine"))


def test_the_command_names_the_base_that_is_trained(tmp_path, monkeypatch):
    """Else it would train the shipped recipe's base, which the adapter of another one does not fit."""
    monkeypatch.chdir(tmp_path)
    run = RunArguments(adapter_name_or_path="outputs/tiny/sft")
    with pytest.raises(UsageError, match=r"launch recipes/tiny/sft\.yaml --model_name_or_path Qwen/Qwen3-1\.7B$"):
        check_predecessors(run, "Qwen/Qwen3-1.7B")
    with pytest.raises(UsageError, match=r"launch recipes/tiny/sft\.yaml$"):
        check_predecessors(run, "tiny")


def test_an_adapter_on_the_hub_is_taken_and_a_name_without_one_is_a_folder_to_be_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = RunArguments(adapter_name_or_path="outputs/qwen-sft")
    missing = r"no folder 'outputs/qwen-sft', and no adapter .* in the Hub's cache; train it first"
    with pytest.raises(UsageError, match=missing):
        check_predecessors(here)
    (tmp_path / CONFIG).write_text("{}")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *words, **options: str(tmp_path / CONFIG))
    check_predecessors(here)


def test_what_the_hub_says_of_an_adapter_is_passed_on(monkeypatch):
    def gated(name, revision, file):
        raise ModelError(f"cannot load '{name}': it is gated")

    monkeypatch.setattr(chain, "fetch", gated)
    monkeypatch.setattr(chain, "hub_answers", lambda: True)
    with pytest.raises(UsageError, match=r"no folder 'org/walker', and cannot load 'org/walker': it is gated"):
        check_predecessors(RunArguments(adapter_name_or_path="org/walker"))


def test_an_unfinished_predecessor_is_not_taken(tmp_path):
    (tmp_path / "recipe.yaml").write_text("method: sft\n")
    with pytest.raises(UsageError, match=f"is not finished; resume it first: ascii-maze train {tmp_path}/recipe"):
        check_predecessors(RunArguments(adapter_name_or_path=str(tmp_path)))
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(UsageError, match="holds no adapter"):
        check_predecessors(RunArguments(adapter_name_or_path=str(tmp_path)))
