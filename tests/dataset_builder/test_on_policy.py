import json

import datasets
import pytest

from ascii_maze import Maze, score_path
from ascii_maze.errors import AsciiMazeError
from ascii_maze.mazes.failures import failure_of
from dataset_builder.build import build
from dataset_builder.config import BuildConfig, load_config
from dataset_builder.on_policy import best_and_worse, quality, replace_preferences

MAZE = Maze.from_ascii("#######\n#S    #\n# ### #\n# #  G#\n#######")
RIGHT, ROUND, SHORT = "R R R R D D", "R L R R R R D D", "R R"


def test_answers_are_ranked_as_people_would():
    ranked = ["no idea", "L", SHORT, "R R R R D", ROUND, RIGHT]
    grades = [quality(score_path(MAZE, answer)) for answer in ranked]
    assert grades == sorted(grades)
    assert len(set(grades)) == len(ranked)


def test_the_best_is_paired_with_a_worse_one_if_it_arrives():
    chosen, rejected, kind = best_and_worse(MAZE, [SHORT, RIGHT, RIGHT], "id")
    assert (chosen, rejected, kind) == (RIGHT, SHORT, "stops_short")
    assert best_and_worse(MAZE, [RIGHT, RIGHT], "id") is None
    assert best_and_worse(MAZE, [SHORT, "L"], "id") is None
    rejected = {best_and_worse(MAZE, [RIGHT, SHORT, "L", ROUND], str(key))[1] for key in range(40)}
    assert rejected == {SHORT, "L", ROUND}


CONFIG = BuildConfig(name="small", sizes={"3x3": 1}, generators={"depth_first": 1}, splits={"train": 12, "test": 4})


@pytest.mark.slow
def test_pairs_of_a_models_own_answers(tmp_path, monkeypatch):
    out, again = tmp_path / "data", tmp_path / "again"
    for folder in (out, again):
        build(CONFIG, folder)
    stages = []
    record = replace_preferences(
        CONFIG, out, "tiny", 4, lambda stage, done, total: stages.append((stage, done, total))
    )
    assert ("asking, train", 12, 12) in stages
    rows = datasets.load_dataset(str(out), "preference")
    assert {f"preference/{split}": len(part) for split, part in rows.items()} == {
        name: count for name, count in record["rows"].items() if name.startswith("preference/") and count
    }
    assert len(rows["train"]) > 0
    for row in rows["train"]:
        chosen, rejected = (score_path(row["maze"], row[key][0]["content"]) for key in ("chosen", "rejected"))
        assert chosen.valid
        assert quality(chosen) > quality(rejected)
        assert row["rejected_kind"] == failure_of(Maze.from_ascii(row["maze"]), row["rejected"][0]["content"]).kind
    prompts = {row["id"]: row["prompt"] for row in datasets.load_dataset(str(out), "prompts", split="train")}
    assert all(prompts[row["id"]] == row["prompt"] for row in rows["train"])
    assert "answers of one model (4 samples per maze" in (out / "README.md").read_text()
    assert json.loads((out / "build.json").read_text()) == record
    assert replace_preferences(CONFIG, out, "tiny", 4, lambda *_: pytest.fail("asked again")) == record
    assert replace_preferences(CONFIG, again, "tiny", 4, lambda *_: None) == record  # the same pairs of the same seed
    # A model of that name that is another now, or whose base is.
    monkeypatch.setattr("ascii_maze.models.pins.fingerprint", lambda source: {"base": "changed"})
    monkeypatch.setattr("ascii_maze.models.loading.load_source", lambda source: pytest.fail("asked again"))
    with pytest.raises(pytest.fail.Exception, match="asked again"):
        replace_preferences(CONFIG, out, "tiny", 4, lambda *_: None)


def test_pairs_keep_every_fact_of_their_mazes(tmp_path):
    """`solved_by` too, by which strata are chosen."""
    build(config := load_config("demo", limit=20), tmp_path / "data")
    before = datasets.load_dataset(str(tmp_path / "data"), "preference", split="train").column_names
    replace_preferences(config, tmp_path / "data", "tiny", 2, lambda *_: None)
    assert datasets.load_dataset(str(tmp_path / "data"), "preference", split="train").column_names == before
    assert "solved_by" in before


def test_a_model_that_cannot_be_loaded_costs_nothing(tmp_path):
    build(CONFIG, tmp_path / "data")
    before = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    with pytest.raises(AsciiMazeError, match="no model 'nothing'"):
        replace_preferences(CONFIG, tmp_path / "data", "nothing", 4, lambda *_: None)
    assert {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()} == before
