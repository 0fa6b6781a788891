import json

import pyarrow.parquet
import pytest
from datasets import load_dataset

from ascii_maze.errors import UsageError
from ascii_maze.files import output_folder
from ascii_maze.preferences.agreement import agree
from ascii_maze.preferences.collection import write_collection
from ascii_maze.preferences.collector import Collector
from ascii_maze.preferences.export import export, export_folder
from ascii_maze.preferences.journal import read_journals, withdraw
from ascii_maze.preferences.opening import Wishes, new_collection, open_collection
from ascii_maze.preferences.simulation import annotators, simulate


@pytest.fixture
def folder(tmp_path, asked):
    """Answers of two simulated annotators, with one undone, exported."""
    out = tmp_path / "preferences"
    with output_folder(out):
        write_collection(out, asked)
        collector = Collector(out, asked, [], simulated=True)
        simulate(collector, annotators(2))
        collector.undo("simulated-1", collector.place("simulated-1").number)
        export_folder(out)
    return out


@pytest.mark.parametrize("name", ["README.md", "preference", "annotations"])
def test_a_new_collection_replaces_nothing_of_others(tmp_path, asked, name):
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match=f"{name} is not of a collection and would be lost"):
        open_collection(tmp_path, Wishes("dataset"), asked)
    assert not (tmp_path / "collection.json").exists()


def test_both_configs_load_and_hold_what_was_answered(folder, asked):
    pairs, notes = (load_dataset(str(folder), config) for config in ("preference", "annotations"))
    assert set(pairs) == {"train", "validation", "gold"}
    row = pairs["train"][0]
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    assert row["chosen"][0]["content"] != row["rejected"][0]["content"]
    rows = notes["train"].to_list()
    events = [event for event in read_journals(folder).events if event.event == "answer"]
    assert len(rows) == len(events)
    assert sum(row["status"] == "undone" for row in rows) == 1
    assert any(row["gold"] for row in rows)
    assert any(row["repeat"] for row in rows)
    assert all(row["simulated"] for row in rows)
    decided = [row for row in rows if row["status"] == "kept" and not row["gold"] and not row["repeat"]]
    assert len(pairs["train"]) + len(pairs["validation"]) == len(decided)
    by_id = {row["id"]: row for row in rows}
    for row in pairs["train"]:
        seen = by_id[row["id"]]
        assert {row["chosen"][0]["content"], row["rejected"][0]["content"]} == {seen["first"], seen["second"]}


def test_no_maze_of_train_is_in_another_split(folder):
    pairs = load_dataset(str(folder), "preference")
    assert not set(pairs["train"]["maze"]) & {*pairs["validation"]["maze"], *pairs["gold"]["maze"]}


def test_equal_answers_are_exported_to_equal_bytes_and_changed_ones_are_not_taken_from_a_cache(
    folder, tmp_path, asked
):
    before = {path.name: path.read_bytes() for path in folder.rglob("*.parquet")}
    (folder / "preferences.json").unlink()
    export_folder(folder)
    assert {path.name: path.read_bytes() for path in folder.rglob("*.parquet")} == before
    rows = len(load_dataset(str(folder), "preference", split="train"))
    withdraw(folder, "simulated-1")
    export_folder(folder)
    assert len(load_dataset(str(folder), "preference", split="train")) < rows


def test_what_is_withdrawn_is_in_no_file(folder):
    withdraw(folder, "simulated-1")
    withdraw(folder, "simulated-2")
    export_folder(folder)
    notes = pyarrow.parquet.read_table(folder / "annotations" / "train-00000-of-00001.parquet").to_pylist()
    assert {row["status"] for row in notes} == {"withdrawn"}
    assert all(row[name] is None for row in notes for name in ("annotator", "choice", "seconds", "time", "left"))
    assert not (folder / "preference" / "train-00000-of-00001.parquet").exists()
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"simulated-1" not in everything


def test_the_card_says_who_was_asked_what_and_how_well_they_agreed(folder, asked):
    card = (folder / "README.md").read_text()
    figures = agree(asked, read_journals(folder).events)
    assert f"{figures['alpha']:.2f}" in card
    assert "Simulated:" in card
    assert "`simulated-1`" in card
    assert "> - A path starts at **S**" in card
    record = json.loads((folder / "preferences.json").read_text())
    assert set(record["files"]) == {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}


def test_ratings_become_pairs_of_one_persons_answers_to_one_maze(tmp_path, dataset):
    collection = new_collection(Wishes(str(dataset), limit=300, mode="rate", per_item=1))
    collector = Collector(tmp_path, collection, [], simulated=True)
    simulate(collector, annotators(1))
    export(tmp_path, collection, read_journals(tmp_path).events, "rated")
    pairs, notes = (load_dataset(str(tmp_path), config, split="train") for config in ("preference", "annotations"))
    rating = {(row["maze"], row["first"]): row["rating"] for row in notes if not row["repeat"]}
    assert len(pairs) > 20
    for row in pairs:
        better, worse = (rating[row["maze"], row[side][0]["content"]] for side in ("chosen", "rejected"))
        assert better > worse


def test_a_strangers_words_stay_words_in_the_card(tmp_path, asked):
    import dataclasses

    odd = dataclasses.replace(asked, source="x` <script>alert(1)</script> | \x1b[31m", guideline="---\n# no\n")
    write_collection(tmp_path, odd)
    export(tmp_path, odd, [])
    card = (tmp_path / "README.md").read_text()
    assert "`x' <script>alert(1)</script> ¦ �[31m`" in card
    assert "> ---" in card
