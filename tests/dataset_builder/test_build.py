import dataclasses
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet
import pytest
from huggingface_hub import DatasetCard

from ascii_maze import Maze, score_path
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import MARK, UNFINISHED
from ascii_maze.mazes.heuristics import decisions_of, solved_by
from ascii_maze.mazes.prompts import format_answer, format_completion, prompt_messages, style_of
from ascii_maze.mazes.reasoning import REASONING, think, thought_of
from ascii_maze.mazes.rejected import KINDS
from ascii_maze.mazes.splits import fingerprint, mark_of, split_of
from ascii_maze.metrics.path_validity.styles import STYLES
from dataset_builder import build as builder
from dataset_builder import choose as choosing
from dataset_builder.build import build
from dataset_builder.config import BuildConfig, Kind, load_config, quotas
from dataset_builder.config_values import SPLIT_SOURCES
from dataset_builder.reasoned import others_of
from dataset_builder.rows import FACTS
from dataset_builder.schema import CONFIGS
from dataset_builder.strata import inside, spans, strata_of

CONFIG = BuildConfig(
    name="mixed",
    sizes={"4x3": 1, "4x4": 2},
    generators={"depth_first": 1},
    splits={"train": 60, "validation": 9, "test": 9, "test_larger": 5},
    larger_sizes={"5x5": 1},
    seed=7,
)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, the mark left out, which is another in every folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MARK)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


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


def test_every_config_has_the_same_mazes_in_the_same_order(dataset):
    for split in ("train", "test_larger"):
        tables = [datasets.load_dataset(str(dataset), name, split=split) for name in CONFIGS]
        facts = [table.select_columns(FACTS).to_list() for table in tables]
        assert all(rows == facts[0] for rows in facts)
        for row in tables[CONFIGS.index("preference")]:
            assert row["chosen"] == [{"role": "assistant", "content": row["solution"]}]
            (answer,) = row["rejected"]
            assert answer["role"] == "assistant"
            assert not score_path(row["maze"], answer["content"]).optimal
            assert row["rejected_kind"] in KINDS
        assert tables[CONFIGS.index("prompts")].column_names[0] == "prompt"


def test_kinds_of_every_sort_together(tmp_path):
    """Weights, braids, endpoints, path lengths, held-out generators, and every style, in one small dataset."""
    config = BuildConfig(
        name="mixed",
        sizes={"5x4": 1, "4x4": 1},
        generators={"kruskal": 3, "open_rooms": 1},
        unseen_generators={"percolation": 1},
        larger_sizes={"5x5": 1},
        splits={"train": 400, "test": 40, "test_larger": 20, "test_unseen": 20},
        braid={"0": 1, "0.5": 1},
        endpoints={"random": 1, "far": 1},
        path_lengths={"2-16": 1, "18-": 3},
        rejected={"wall": 1, "garbage": 1},
        language="pt",
        maze_style="blocks",
        answer_style="coordinates",
    )
    record = build(config, tmp_path / "data", workers=2)
    rows = datasets.load_dataset(str(tmp_path / "data"), "preference")
    assert {split: len(part) for split, part in rows.items()} == config.splits
    train = rows["train"]
    assert train["generator"][:].count("kruskal") == 300
    assert sum(length <= 16 for length in train["path_length"]) == 100
    assert 17 not in train["path_length"][:]
    assert set(rows["test_unseen"]["generator"]) == {"percolation"}
    assert set(rows["test_larger"]["height"]) == {5}
    assert sum(record["shared_between_splits"].values()) == 0
    for row in train.select(range(50)):
        maze = Maze.from_ascii(row["maze"])
        assert row["prompt"] == prompt_messages(maze, config.prompt_styles[0])
        right = format_answer(maze.solve(), config.prompt_styles[0], maze.start)
        assert row["chosen"] == [{"role": "assistant", "content": right}]
        assert score_path(maze, row["chosen"][0]["content"]).optimal
        rejected = score_path(maze, row["rejected"][0]["content"])
        assert not rejected.optimal
        assert rejected.parsed == (row["rejected_kind"] != "garbage")


STYLED = dataclasses.replace(CONFIG, styles=dict.fromkeys(STYLES, 1) | {"spaced": 5}, language="pt")


def test_every_row_has_a_style_of_its_own_by_weight_with_any_number_of_workers(tmp_path):
    build(STYLED, tmp_path / "one")
    build(STYLED, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    rows = datasets.load_dataset(str(tmp_path / "one"), "sft", split="train")
    found = Counter(style_of(row["prompt"]).maze for row in rows)
    assert set(found) <= set(STYLES)
    assert len(found) > 6
    assert found.most_common(1)[0][0] == "spaced"
    for row in rows:
        style = style_of(row["prompt"])
        assert style.language == "pt"
        assert row["prompt"] == prompt_messages(Maze.from_ascii(row["maze"]), style)
        assert Maze.from_text(row["prompt"][1]["content"], style.maze).to_ascii() == row["maze"]
        assert row["completion"][0]["content"] == row["solution"]


THINKING = dataclasses.replace(
    CONFIG, sizes={"4x3": 1, "5x5": 9}, larger_sizes={"6x6": 1}, reasoning=dict.fromkeys(REASONING, 1)
)


def test_every_row_thinks_in_its_own_way_before_either_answer(tmp_path):
    build(THINKING, tmp_path / "one")
    build(THINKING, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    rows = datasets.load_dataset(str(tmp_path / "one"), "preference", split="train").to_list()
    searches = {think(Maze.from_ascii(row["maze"]), "search_dfs") for row in rows}
    found = Counter()
    for row in rows:
        maze, style = Maze.from_ascii(row["maze"]), style_of(row["prompt"])
        right, wrong = row["chosen"][0]["content"], row["rejected"][0]["content"]
        found[style.reasoning] += 1
        assert row["prompt"] == prompt_messages(maze, style)
        assert score_path(maze, right).optimal
        assert not score_path(maze, wrong).optimal
        assert thought_of(right) == thought_of(wrong)
        if style.reasoning == "corrupt":
            assert thought_of(right) in searches - {think(maze, "search_dfs")}
        else:
            assert right == format_completion(maze, maze.solve(), style)
    assert set(found) == set(REASONING)


def test_a_row_alone_has_no_other_maze_to_think_of(tmp_path):
    config = dataclasses.replace(CONFIG, splits={"train": 1}, larger_sizes={}, reasoning={"corrupt": 1})
    with pytest.raises(UsageError, match="'corrupt' needs another maze of the split, and there is only one"):
        build(config, tmp_path / "data")
    assert others_of(np.array([3, 4, 3, 5, 3]), np.array([3, 4, 3, 5, 3])).tolist() == [2, 2, 4, 4, 0]


def test_the_style_changes_neither_mazes_nor_splits(tmp_path):
    plain, styled = (build(config, tmp_path / config.language)["files"] for config in (CONFIG, STYLED))
    assert plain != styled
    of_mazes = [path for path in plain if path.startswith("mazes/")]
    assert [plain[path] for path in of_mazes] == [styled[path] for path in of_mazes]


def test_a_kind_of_mazes_that_a_style_cannot_say_is_refused_before_the_build(tmp_path):
    config = dataclasses.replace(
        CONFIG, generators={"depth_first": 1, "open_rooms": 1}, styles={"hash": 1, "cells": 1}
    )
    with pytest.raises(
        UsageError, match=r"^open_rooms 4x3: style 'cells' cannot write this maze: .* leave out the style"
    ):
        build(config, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_dataset_of_before_there_was_a_key_is_still_the_same_dataset(tmp_path):
    record = build(CONFIG, tmp_path / "data")
    for key in ("styles", "reasoning", "split_by", "difficulty", "strata", "train_only"):
        del record["config"][key]
    (tmp_path / "data" / "build.json").write_text(json.dumps(record))
    assert build(CONFIG, tmp_path / "data") == record
    for other in (STYLED, dataclasses.replace(CONFIG, split_by="layout")):
        with pytest.raises(UsageError, match="holds a dataset of another config"):
            build(other, tmp_path / "data")


def test_no_maze_is_in_two_splits_turned_mirrored_or_walked_backwards(dataset):
    seen: dict[str, str] = {}
    for split, rows in datasets.load_dataset(str(dataset), "mazes").items():
        for text in rows["maze"]:
            canonical = Maze.from_ascii(text).canonical()
            assert canonical not in seen, f"{split} and {seen[canonical]}"
            seen[canonical] = split
            assert split_of(fingerprint(canonical), "maze") == SPLIT_SOURCES[split]
    shared = json.loads((dataset / "build.json").read_text())["shared_between_splits"]
    assert len(shared) == 6
    assert set(shared.values()) == {0}


BY_LAYOUT = BuildConfig(
    name="hard",
    sizes={"4x4": 2, "5x5": 1},
    generators={"wilson": 1, "depth_first": 1},
    unseen_generators={"prim": 1},
    larger_sizes={"5x6": 1},
    train_only=["depth_first 4x4"],
    split_by="layout",
    difficulty={"easy": 3, "hard": 7},
    splits={"train": 900, "validation": 50, "test": 100, "test_larger": 20, "test_unseen": 60},
    seed=7,
)


def test_no_layout_is_in_two_splits_whatever_its_start_and_goal(tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "PART_ROWS", 30)  # several parts, none of which cuts through a layout
    record = build(BY_LAYOUT, tmp_path / "one")
    seen: dict[str, str] = {}
    for split, rows in datasets.load_dataset(str(tmp_path / "one"), "mazes").items():
        mazes = [Maze.from_ascii(text) for text in rows["maze"]]
        assert len({maze.canonical() for maze in mazes}) == len(mazes)
        for maze, mark in zip(mazes, rows["id"], strict=True):
            assert seen.setdefault(maze.layout(), split) == split
            assert mark_of(maze, "layout") == int(mark, 16)
            assert split_of(int(mark, 16), "layout") == SPLIT_SOURCES[split]
    assert set(record["layouts_shared_between_splits"].values()) == {0}
    assert record["layouts_shared_between_splits"].keys() == record["shared_between_splits"].keys()
    card = (tmp_path / "one" / "README.md").read_text()
    assert "- test/test_unseen: 0 mazes, 0 layouts" in card
    assert "splits that share no wall layout, not even turned or mirrored" in card
    build(BY_LAYOUT, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_held_out_splits_have_the_asked_share_of_hard_mazes_and_say_what_solves_the_others(tmp_path):
    build(BY_LAYOUT, tmp_path / "data")
    found = datasets.load_dataset(str(tmp_path / "data"), "sft")
    for split, rows in found.items():
        hard = 0
        for row in rows:
            maze = Maze.from_ascii(row["maze"])
            assert row["solved_by"] == " ".join(solved_by(maze))
            decisions = decisions_of(maze, row["solution"].replace(" ", ""))
            assert (row["decisions"], row["against_greedy"]) == (decisions.made, decisions.against_greedy)
            hard += row["solved_by"] == ""
        if split != "train":
            assert hard == 0.7 * len(rows)
            assert not any((row["generator"], row["width"]) == ("depth_first", 4) for row in rows)
    assert any((row["generator"], row["width"]) == ("depth_first", 4) for row in found["train"])


STRATIFIED = dataclasses.replace(
    BY_LAYOUT,
    splits={"train": 90, "test": 240, "test_unseen": 120},
    larger_sizes={},
    strata={"path_length": 2, "decisions": 2},
)


def test_held_out_splits_have_as_many_of_each_stratum_that_a_kind_has(tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "PART_ROWS", 100)
    build(STRATIFIED, tmp_path / "data")
    asked = [quota for quota in quotas(STRATIFIED) if quota.split != "train"]
    assert {len([one for one in asked if one.kind == quota.kind]) for quota in asked} == {7, 8}
    for split, rows in datasets.load_dataset(str(tmp_path / "data"), "mazes").items():
        left = Counter({quota: quota.count for quota in asked if quota.split == split})
        for row in rows if split != "train" else ():
            difficulty = "easy" if row["solved_by"] else "hard"
            (quota,) = (
                one
                for one in left
                if (one.kind.generator, one.kind.width, one.difficulty) == (row["generator"], row["width"], difficulty)
                and inside(np.array(row["path_length"]), (one.least, one.most))
                and inside(np.array(row["decisions"]), one.decisions)
            )
            left[quota] -= 1
        assert set(left.values()) <= {0}
    assert "as many of each bin (2 and 2)" in (tmp_path / "data" / "README.md").read_text()


def test_bins_end_at_quantiles_and_what_a_kind_hardly_has_is_left_out():
    assert spans(np.array([1, 2, 3, 4, 5, 6]), 3) == [(0, 2), (3, 4), (5, None)]
    assert spans(np.array([2, 2, 2, 2, 9]), 2) == [(0, 2), (3, None)]
    assert spans(np.array([2, 2, 2, 2]), 4) == spans(np.array([1, 3]), 1) == [(0, None)]
    assert inside(np.array([0, 2, 3]), (0, 2)).tolist() == [True, True, False]
    found = strata_of(Kind("depth_first", 5, 5, 0.0, "random"), 0, 2, 2)
    assert (len(found["easy"]), len(found["hard"]), len(found["any"])) == (4, 3, 4)
    assert strata_of(Kind("depth_first", 2, 2, 0.0, "random"), 0, 2, 1)["hard"] == []


def test_a_kind_with_too_few_layouts_to_hold_out_is_offered_for_training_alone(tmp_path):
    config = dataclasses.replace(BY_LAYOUT, train_only=[])
    with pytest.raises(
        AsciiMazeError,
        match=r"^depth_first 4x4 has about \d{3} wall layouts in all, \d\d of them for '\w+', too few for \d+ rows; "
        r"put 'depth_first 4x4' into 'train_only' to train on it alone, or ask for fewer rows or larger mazes$",
    ):
        build(dataclasses.replace(config, splits={"train": 900, "test": 400}), tmp_path / "data")
    assert not contents(tmp_path)
    small = dataclasses.replace(config, sizes={"3x3": 1}, difficulty={}, splits={"train": 50, "test": 12})
    with pytest.raises(AsciiMazeError, match=r"wilson 3x3 has about \d\d wall layouts in all, \d of them for 'test'"):
        build(small, tmp_path / "data")


def test_the_card_of_a_dataset_that_is_split_by_maze_says_so(tmp_path):
    record = build(CONFIG, tmp_path / "data")
    card = (tmp_path / "data" / "README.md").read_text()
    assert "Split by maze: the same walls with another start or goal are another maze" in card
    assert "layouts_shared_between_splits" not in record
    assert "solved_by" not in datasets.load_dataset(str(tmp_path / "data"), "sft", split="test").column_names


def test_one_and_two_workers_give_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "PART_ROWS", 20)  # several shards a split
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


def test_too_few_distinct_mazes_is_said(tmp_path):
    config = BuildConfig(name="x", sizes={"2x2": 1}, generators={"depth_first": 1}, splits={"train": 500})
    with pytest.raises(AsciiMazeError, match=r"depth_first 2x2 has only \d+ distinct mazes for 'train', 500 were"):
        build(config, tmp_path / "data")
    assert not contents(tmp_path)  # nothing was begun


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


KILLED = """
import os, signal, sys
from pathlib import Path
from dataset_builder import build as builder, choose
from tests.dataset_builder.test_build import CONFIG
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job starts without
choose.PART_ROWS = 20
written = builder.write_part
def dies_after_the_second(job):
    written(job)
    dies_after_the_second.calls += 1
    if dies_after_the_second.calls == 2:
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
dies_after_the_second.calls = 0
builder.write_part = dies_after_the_second
builder.build(CONFIG, Path(sys.argv[1]))
"""


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGINT"])
def test_a_build_that_was_cut_is_finished_to_the_same_bytes(tmp_path, monkeypatch, signal):
    monkeypatch.setattr(choosing, "PART_ROWS", 20)
    build(CONFIG, tmp_path / "whole")
    cut = tmp_path / "cut"
    done = subprocess.run([sys.executable, "-c", KILLED, str(cut), signal], capture_output=True, text=True)
    assert done.returncode != 0
    assert not (cut / "build.json").exists()
    finished = {path.name: path.stat().st_mtime_ns for path in (cut / UNFINISHED).rglob("sft/*.parquet")}
    assert len(finished) == 2
    build(CONFIG, cut)
    assert contents(cut) == contents(tmp_path / "whole")
    # They were not written again.
    assert {name: (cut / "sft" / name).stat().st_mtime_ns for name in finished} == finished


def test_an_interrupted_build_of_another_config_leaves_nothing_in_this_one(tmp_path, monkeypatch):
    out = tmp_path / "data"
    with monkeypatch.context() as patch:
        patch.setattr(builder, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            build(dataclasses.replace(CONFIG, seed=8), out)
    assert list((out / UNFINISHED).rglob("*.parquet"))
    build(CONFIG, out)
    build(CONFIG, tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


def interrupt(*arguments):
    raise KeyboardInterrupt


def test_workers_end_with_a_killed_parent(tmp_path):
    """A killed process cannot end its workers; they watch it themselves."""
    program = (
        "import os, signal, sys, time\n"
        "from dataset_builder.workers import process_map\n"
        "from dataset_builder.config import load_config\n"
        "if __name__ == '__main__':\n"
        "    with process_map(2, load_config('demo')) as mapped:\n"
        "        print(*mapped(pid, range(2)), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    script = tmp_path / "parent.py"
    script.write_text("import os\ndef pid(_): return os.getpid()\n" + program)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    workers = {int(word) for word in done.stdout.split()}
    assert workers
    deadline = time.monotonic() + 20
    while workers and time.monotonic() < deadline:
        workers = {pid for pid in workers if Path(f"/proc/{pid}").exists() or not Path("/proc").exists()}
        time.sleep(0.05)
    assert not workers


def test_a_full_disk_is_one_line_and_leaves_no_half_file(tmp_path, monkeypatch):
    def full(table, where, **options):
        Path(where).write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pyarrow.parquet, "write_table", full)
    with pytest.raises(AsciiMazeError, match=r"cannot write .*parquet: No space left on device"):
        build(CONFIG, tmp_path / "data")
    assert not [name for name in contents(tmp_path / "data") if "parquet" in name]
    monkeypatch.undo()
    assert build(CONFIG, tmp_path / "data")["rows"]["mazes/train"] == 60


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="a file, or a link to nothing, is in its place"):
        build(CONFIG, tmp_path / "file" / "data")


def test_card_lists_every_split_and_the_folder_holds_nothing_else(dataset):
    card = (dataset / "README.md").read_text()
    assert "train/validation: 0 shared" in card
    assert "| test_larger | 16 | to report; larger than anything in train |" in card
    files = json.loads((dataset / "build.json").read_text())["files"]
    assert set(contents(dataset)) == {"README.md", "build.json", "config.yaml", "samples.svg", *files}


def test_the_card_regenerates_the_dataset_and_knows_its_rows(dataset, tmp_path):
    build(load_config(str(dataset / "config.yaml")), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(dataset)
    card = DatasetCard.load(dataset / "README.md")
    record = json.loads((dataset / "build.json").read_text())
    for info in card.data.dataset_info:
        files = sorted((dataset / info["config_name"]).glob("*.parquet"))
        features = datasets.Features.from_arrow_schema(pyarrow.parquet.read_schema(files[0]))
        assert datasets.Features._from_yaml_list(info["features"]) == features
        for split in info["splits"]:
            assert split["num_examples"] == record["rows"][f"{info['config_name']}/{split['name']}"]
    assert card.data.size_categories == ["n<1K"]
    assert [entry["config_name"] for entry in card.data.configs if entry.get("default")] == ["sft"]
    assert (dataset / "samples.svg").read_text().startswith("<svg ")


def test_files_are_pinned(tmp_path):
    """The bytes of a config and seed, with the writer's version that the constraints name."""
    record = build(CONFIG, tmp_path / "data")
    digest = hashlib.sha256(json.dumps(record["files"]).encode()).hexdigest()[:16]
    assert (record["versions"]["pyarrow"], digest) == ("26.0.1", "34869493d910d865")
