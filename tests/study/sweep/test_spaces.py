"""What of a recipe a sweep may vary."""

import pytest
import yaml

from ascii_maze.errors import UsageError
from ascii_maze.recipe import check_recipe, find_recipe, load_recipe
from ascii_maze.recipe.methods import METHODS
from ascii_maze.study.sweep.spaces import Range, find_spaces, holds, read_space


@pytest.mark.parametrize("folder", ["recipes", "recipes/tiny"])
def test_every_method_has_a_space_of_as_many_settings_that_holds_its_recipe(folder):
    spaces = {name: read_space(find_spaces(find_recipe(f"{folder}/{name}.yaml")), name) for name in METHODS}
    assert {len(space) for space in spaces.values()} == {2}
    for name, space in spaces.items():
        recipe = load_recipe(f"{folder}/{name}.yaml")
        for key, allowed in space.items():
            for edge in (allowed[0], allowed[1]):
                check_recipe(load_recipe(f"{folder}/{name}.yaml", [f"--{key}", str(edge)]))
        assert holds({"learning_rate": space["learning_rate"]}, recipe.values), name


def test_a_recipe_may_have_a_space_of_its_own(tmp_path):
    (tmp_path / "again.yaml").write_text("method: sft\n")
    file = tmp_path / "spaces.yaml"
    file.write_text("sft:\n  lora_r: [4, 8]\nagain:\n  seed: [1, 2]")
    assert read_space(file, "sft", "again") == {"seed": (1, 2)}
    assert read_space(file, "sft", "sft") == read_space(file, "sft", "other") == {"lora_r": (4, 8)}


def test_lists_and_ranges_are_read(tmp_path):
    file = tmp_path / "spaces.yaml"
    file.write_text(
        "sft:\n  lora_r: {from: 4, to: 64}\n  learning_rate: {from: 1.0e-4, to: 0.01, log: true}\n  seed: [1, 2]"
    )
    space = read_space(file, "sft")
    assert space == {"lora_r": Range(4, 64, False), "learning_rate": Range(1e-4, 0.01, True), "seed": (1, 2)}
    assert space["lora_r"].is_whole
    assert not space["learning_rate"].is_whole
    assert holds(space, {"lora_r": 64, "learning_rate": 1e-4, "seed": 2})
    assert not holds(space, {"lora_r": 65, "learning_rate": 1e-4, "seed": 2})
    assert not holds(space, {"lora_r": 64, "learning_rate": 1e-4, "seed": 3})
    assert not holds(space, {"lora_r": "all", "learning_rate": 1e-4, "seed": 1})


# Each line: what stands in the file, and what its error says.
BROKEN = [
    ({}, "nothing to vary"),
    ({"sft": []}, "nothing to vary"),
    ({"sft": 3}, "nothing to vary"),
    ({"dpo": {"beta": [1, 2]}}, "nothing to vary"),
    ({"sftt": {"lora_r": [1, 2]}}, "did you mean 'sft'"),
    ({"sft": {"lora_r": 8}}, "sft: lora_r: expected"),
    ({"sft": {"lora_r": [8]}}, "two different values"),
    ({"sft": {"lora_r": [8, 8]}}, "two different values"),
    ({"sft": {"lora_r": [8, None]}}, "two different values"),
    ({"sft": {"lora_r": [8, [9]]}}, "two different values"),
    ({"sft": {"lora_r": {"from": 8}}}, "expected a list, or"),
    ({"sft": {"lora_r": {"from": 8, "to": 9, "step": 1}}}, "expected a list, or"),
    ({"sft": {"lora_r": {"from": 9, "to": 8}}}, "from below to"),
    ({"sft": {"lora_r": {"from": 8, "to": 8}}}, "from below to"),
    ({"sft": {"beta": {"from": 0, "to": 1, "log": True}}}, "above 0"),
    ({"sft": {"beta": {"from": 0.1, "to": 1, "log": "yes"}}}, "log true or false"),
    ({"sft": {"beta": {"from": "low", "to": 1}}}, "must be numbers"),
    ({"sft": {"beta": {"from": True, "to": 2}}}, "must be numbers"),
    ({"sft": {"beta": {"from": 1, "to": float("inf")}}}, "must be numbers"),
    ({"sft": {"beta": {"from": float("nan"), "to": 1}}}, "must be numbers"),
]


@pytest.mark.parametrize(("content", "said"), BROKEN)
def test_broken_spaces_are_a_line(tmp_path, content, said):
    file = tmp_path / "spaces.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(UsageError) as caught:
        read_space(file, "sft")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_without_a_space_beside_it(tmp_path):
    with pytest.raises(UsageError, match="--space"):
        find_spaces(tmp_path / "sft.yaml")
