"""A collection of preferences as a dataset on the Hub."""

import shutil

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.hub import plan_push
from ascii_maze.preferences.collection import write_collection
from ascii_maze.preferences.collector import Collector
from ascii_maze.preferences.export import export_folder
from ascii_maze.preferences.opening import Wishes, new_collection
from ascii_maze.preferences.simulation import annotators, simulate

from .conftest import ORG

REPO = f"{ORG}/maze-preferences"


@pytest.fixture(scope="module")
def collected(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("collected") / "preferences"
    collection = new_collection(Wishes(str(dataset), limit=30))
    write_collection(out, collection)
    simulate(Collector(out, collection, [], simulated=True), annotators(2))
    export_folder(out)
    return out


@pytest.fixture
def folder(collected, tmp_path):
    """One that a test may spoil."""
    return shutil.copytree(collected, tmp_path / "preferences")


def test_what_is_pushed_is_the_dataset_and_its_card_and_no_journal(collected):
    plan = plan_push("dataset", collected, REPO)
    assert plan.kind == "preferences"
    assert plan.spec.repo_type == "dataset"
    assert set(plan.contents) == {
        "README.md",
        "annotations/train-00000-of-00001.parquet",
        *(f"preference/{split}-00000-of-00001.parquet" for split in ("gold", "train", "validation")),
    }
    assert {"answers/", "collection.json", "preferences.json"} <= set(plan.left_out)
    card = plan.contents["README.md"].decode()
    assert f'load_dataset("{REPO}", "preference", split="train")' in card
    assert "Krippendorff's alpha" in card
    assert "simulated" in plan.card["tags"]
    assert [config["config_name"] for config in plan.card["configs"]] == ["preference", "annotations"]


def test_a_second_push_sends_nothing(push, collected):
    assert "preference/train-00000-of-00001.parquet" in push(collected, "dataset", REPO).sent
    assert not push(collected, "dataset", REPO).sent


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda folder: next(folder.glob("preference/train-*")).write_bytes(b"x"),
            "has changed since it was exported",
        ),
        (lambda folder: next(folder.glob("preference/train-*")).unlink(), "is missing"),
        (lambda folder: (folder / "preference" / "more.parquet").write_bytes(b"x"), "is not part of this export"),
        (lambda folder: (folder / "preferences.json").write_text("{}"), "has no 'files'"),
        (lambda folder: (folder / "README.md").unlink(), "lacks README.md"),
    ],
)
def test_a_folder_that_is_not_as_it_was_exported_is_refused(folder, spoil, said):
    spoil(folder)
    with pytest.raises(UsageError, match=said):
        plan_push("dataset", folder, REPO)
