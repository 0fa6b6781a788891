"""Config `steps`: the same mazes as the other configs, walked; the same bytes with any number of workers."""

import dataclasses
import json

import datasets
import pytest

from ascii_maze import score_path
from ascii_maze.environment.env import MazeEnv
from ascii_maze.environment.prompts import TOOLS
from ascii_maze.errors import UsageError
from dataset_builder.build import build
from dataset_builder.config import BuildConfig, load_config
from dataset_builder.load import load_split
from dataset_builder.rows import facts_of

from .test_build import contents

CONFIG = BuildConfig(
    name="walks",
    sizes={"4x3": 1, "4x4": 2},
    generators={"depth_first": 1, "wilson": 1},
    braid={"0": 1, "0.5": 1},
    splits={"train": 90, "validation": 9, "test_larger": 5},
    larger_sizes={"5x5": 1},
    steps={"window:2 shortest_path": 1, "window:2 depth_first": 2, "local+goal wall_follower": 1},
    seed=7,
)


@pytest.fixture(scope="module", params=["text", "tools"])
def built(request, tmp_path_factory):
    """The folder of a dataset whose turns are in one form, and its config."""
    config = dataclasses.replace(CONFIG, turns=request.param)
    out = tmp_path_factory.mktemp(request.param) / "walks"
    build(config, out)
    return out, config


def test_rows_are_the_mazes_of_the_other_configs_walked(built):
    folder, config = built
    for split, count in config.splits.items():
        rows = datasets.load_dataset(str(folder), "steps", split=split)
        assert len(rows) == count
        facts = datasets.load_dataset(str(folder), "mazes", split=split)
        assert rows.select_columns(facts_of(config)).to_list() == facts.to_list()
        for row in rows:
            assert [message["role"] for message in row["prompt"]] == ["system", "user"]
            assert row["prompt"][1]["content"] == MazeEnv(row["maze"], row["observation"]).first
            moves = ""
            for message in row["completion"][::2]:
                if config.turns == "text":
                    assert set(message) == {"role", "content"}
                    moves += message["content"]
                else:
                    (call,) = message["tool_calls"]
                    assert call["function"]["name"] == "move"
                    moves += call["function"]["arguments"]["direction"] * call["function"]["arguments"]["steps"]
            assert score_path(row["maze"], moves).reaches_goal
            assert score_path(row["maze"], moves).optimal or row["walker"] != "shortest_path"
    train = datasets.load_dataset(str(folder), "steps", split="train")
    assert set(train["walker"]) == {"shortest_path", "depth_first", "wall_follower"}
    assert 0.3 < train["observation"][:].count("local+goal") / 90 * 2 < 0.75
    assert ("tools" in train.column_names) == (config.turns == "tools")
    if config.turns == "tools":
        assert json.loads(train[0]["tools"]) == list(TOOLS)


def test_any_number_of_workers_writes_the_same_bytes(built, tmp_path):
    folder, config = built
    build(config, tmp_path / "walks", workers=2)
    assert contents(tmp_path / "walks") == contents(folder)


def test_the_other_configs_are_as_they_were_without_it(built, tmp_path):
    folder, config = built
    plain = build(dataclasses.replace(config, steps={}), tmp_path / "walks")
    files = json.loads((folder / "build.json").read_text())["files"]
    assert {path: sha for path, sha in files.items() if not path.startswith("steps/")} == plain["files"]
    assert "`steps`" not in (tmp_path / "walks" / "README.md").read_text()


def test_the_card_says_what_the_rows_are(built):
    folder, config = built
    card = (folder / "README.md").read_text()
    assert "| window:2 depth_first | 2 |" in card
    assert ("Turns are tool calls" in card) == (config.turns == "tools")
    assert len(load_split(str(folder), "train", "steps", ("prompt", "completion", "observation"))) == 90


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("steps", "[window:2 everyone]", "'steps': 'window:2 everyone' must be an observation and a walker"),
        ("steps", "{window:0 depth_first: 1}", "'steps': no observation 'window:0'"),
        ("steps", "5", "'steps' must be a list of names"),
        ("turns", "verse", "unknown form of turns 'verse'"),
    ],
)
def test_what_cannot_be_walked_is_refused(tmp_path, key, value, said):
    path = tmp_path / "walks.yaml"
    path.write_text(f"name: x\nsizes: [4x4]\ngenerators: [depth_first]\nsplits: {{train: 2}}\n{key}: {value}\n")
    with pytest.raises(UsageError, match=said):
        load_config(str(path))
