import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import datasets
import pytest

from ascii_maze import Maze, score_path
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.splits import fingerprint, split_of
from dataset_builder import build as builder
from dataset_builder.build import BLOCK, build
from dataset_builder.config import CONFIGS, SPLIT_SOURCES, BuildConfig, load_config, quotas

CONFIG = BuildConfig(
    name="mixed",
    sizes={"4x3": 1, "4x4": 2},
    generators={"depth_first": 1},
    splits={"train": 60, "validation": 9, "test": 9, "test_larger": 5},
    larger_sizes={"5x5": 1},
    seed=7,
)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_load_dataset_by_its_bare_name_where_it_was_built(dataset, tmp_path):
    program = (
        "import datasets\n"
        "default = datasets.load_dataset('ascii-maze')\n"
        "mazes = datasets.load_dataset('ascii-maze', 'mazes', split='test_larger')\n"
        "print(sorted(default), default['train'].column_names[:2], len(mazes))\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=dataset.parent, env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == ("['test', 'test_larger', 'train', 'validation'] ['prompt', 'completion'] 16"), (
        done.stderr
    )


def test_rows_hold_what_the_card_says(dataset):
    rows = datasets.load_dataset(str(dataset), "sft", split="train").to_list()
    assert len(rows) == 256
    for row in rows:
        maze = Maze.from_ascii(row["maze"])
        assert score_path(maze, row["solution"]).optimal
        assert [message["role"] for message in row["prompt"]] == ["system", "user"]
        assert row["prompt"][1]["content"] == row["maze"]
        assert row["completion"] == [{"role": "assistant", "content": row["solution"]}]
        assert tuple(maze.facts()) == (row["path_length"], row["turns"], row["junctions"], row["dead_ends"])
        assert int(row["id"], 16) == fingerprint(maze.canonical())
    assert len({row["prompt"][0]["content"] for row in rows}) == 1


def test_no_maze_is_in_two_splits_turned_mirrored_or_walked_backwards(dataset):
    seen: dict[str, str] = {}
    for split, rows in datasets.load_dataset(str(dataset), "mazes").items():
        for text in rows["maze"]:
            canonical = Maze.from_ascii(text).canonical()
            assert canonical not in seen, f"{split} and {seen[canonical]}"
            seen[canonical] = split
            assert split_of(fingerprint(canonical)) == SPLIT_SOURCES[split]
    shared = json.loads((dataset / "build.json").read_text())["shared_between_splits"]
    assert len(shared) == 6
    assert set(shared.values()) == {0}


def test_one_and_two_workers_give_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(builder, "SHARD_ROWS", 20)  # several shards a split
    build(CONFIG, tmp_path / "one", workers=1)
    build(CONFIG, tmp_path / "two", workers=2)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one == two
    assert sorted(name for name in one if name.startswith("mazes/train")) == [
        f"mazes/train-0000{shard}-of-00003.parquet" for shard in range(3)
    ]


def digest(folder: Path) -> str:
    """sha256 of every row of config `sft`, in order; does not depend on the version of the parquet writer."""
    rows = [[split, *part.to_list()] for split, part in sorted(datasets.load_dataset(str(folder), "sft").items())]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def test_the_rows_of_a_config_and_seed_are_pinned(tmp_path):
    build(CONFIG, tmp_path / "data")
    assert digest(tmp_path / "data") == "6779fcf401dfe848058e767e209e1ba43c8c71d2e124e74526f7746e3828f75f"
    build(dataclasses.replace(CONFIG, seed=8), tmp_path / "other")
    one, two = (datasets.load_dataset(str(tmp_path / name), "mazes", split="train") for name in ("data", "other"))
    assert len(set(one["maze"]) & set(two["maze"])) <= 3


def write_config(folder: Path, **changes) -> Path:
    import yaml

    values = {
        "name": "x",
        "sizes": ["4x4"],
        "generators": ["depth_first"],
        "splits": {"train": 60},
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not None}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generatorz": ["depth_first"]}, "unknown key 'generatorz'; did you mean 'generators'"),
        ({"generators": ["depth_frist"]}, "unknown generator 'depth_frist'; did you mean 'depth_first'"),
        ({"splits": {"trian": 1}}, "unknown split 'trian'; did you mean 'train'"),
        ({"splits": {"train": 1.5}}, "split 'train' must be a whole number"),
        ({"splits": {"train": "many"}}, "'splits' must be"),
        ({"splits": {"train": 0}}, "'splits' must be"),
        ({"sizes": ["4"]}, "size '4' must be WIDTHxHEIGHT"),
        ({"sizes": ["1x1"]}, "size '1x1' must be"),
        ({"sizes": {"4x4": -1}}, "'sizes' must be"),
        ({"sizes": None}, "no 'sizes'"),
        ({"seed": "zero"}, "'seed' must be a whole number"),
        ({"splits": {"train": 1, "test_larger": 1}}, "'test_larger' needs 'larger_sizes'"),
        ({"splits": {"train": 1, "test_unseen": 1}}, "'test_unseen' needs 'unseen_generators'"),
        ({"larger_sizes": ["4x4"]}, "'4x4' is trained on"),
        ({"unseen_generators": ["depth_first"]}, "'depth_first' is trained on"),
    ],
)
def test_bad_configs_are_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message) as caught:
        load_config(str(write_config(tmp_path, **changes)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_shipped_configs(name):
    config = load_config(name)
    by_split: dict[str, int] = {}
    for quota in quotas(config):
        by_split[quota.split] = by_split.get(quota.split, 0) + quota.count
    assert by_split == config.splits


def test_limit_caps_every_split():
    assert set(load_config("demo", limit=5).splits.values()) == {5}


def test_too_few_distinct_mazes_is_said(tmp_path):
    config = BuildConfig(name="x", sizes={"2x2": 1}, generators={"depth_first": 1}, splits={"train": 500})
    with pytest.raises(AsciiMazeError, match=r"depth_first 2x2 has only \d+ distinct mazes for 'train'"):
        build(config, tmp_path / "data")


def test_a_finished_build_is_left_as_it_is_and_another_is_refused(tmp_path):
    out = tmp_path / "data"
    record = build(CONFIG, out)
    before = contents(out)
    assert build(CONFIG, out) == record
    with pytest.raises(UsageError, match="another config or seed"):
        build(dataclasses.replace(CONFIG, seed=8), out)
    assert contents(out) == before


def test_a_dataset_built_anew_at_the_same_place_is_not_the_one_before(tmp_path):
    """`datasets` 5.2 caches a folder by its name and card alone."""
    seen = []
    for seed in (1, 2):
        out = tmp_path / "same-name"
        shutil.rmtree(out, ignore_errors=True)
        build(dataclasses.replace(CONFIG, seed=seed), out)
        seen.append(datasets.load_dataset(str(out), "mazes", split="train")["maze"][:])
    assert not set(seen[0]) & set(seen[1])


def test_a_folder_with_other_things_is_not_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="not empty"):
        build(CONFIG, tmp_path)
    assert contents(tmp_path) == {"thesis.tex": b"years of work"}


def test_an_interrupted_build_is_finished_to_the_same_bytes(tmp_path, monkeypatch):
    build(CONFIG, tmp_path / "whole")
    written = builder.write_shard
    calls = []

    def dies_at_the_second_shard(job):
        calls.append(job)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return written(job)

    monkeypatch.setattr(builder, "write_shard", dies_at_the_second_shard)
    with pytest.raises(KeyboardInterrupt):
        build(CONFIG, tmp_path / "cut")
    assert not (tmp_path / "cut" / "build.json").exists()
    monkeypatch.setattr(builder, "write_shard", written)
    build(CONFIG, tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AsciiMazeError, match="cannot write"):
        build(CONFIG, tmp_path / "file" / "data")


def test_card_lists_every_split_and_the_folder_holds_nothing_else(dataset):
    card = (dataset / "README.md").read_text()
    assert "train/validation: 0 shared" in card
    assert "| test_larger | 16 | to report; larger than anything in train |" in card
    files = json.loads((dataset / "build.json").read_text())["files"]
    assert set(contents(dataset)) == {"README.md", "build.json", *files}


def test_choosing_reads_blocks_of_one_size():
    hashes = builder.fingerprints_of((0, "depth_first", 4, 4, 0))
    assert hashes.shape == (BLOCK,)
