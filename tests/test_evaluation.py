import json

import pyarrow.parquet
import pytest

from ascii_maze.errors import AsciiMazeError
from ascii_maze.evaluation import evaluate, score_rows
from ascii_maze.gallery import group_by_failure, pick_mazes, write_gallery
from ascii_maze.metrics.path_validity.scoring import PathScore


def row(valid, **facts):
    score = PathScore(True, valid, valid, valid, valid, 0 if valid else None, 1.0, float(valid), 0, 0)
    return {"id": "0", "model": "m", "split": "test", "size": "4x4", **score.to_dict(), **facts}


def test_baselines_alone(dataset, tmp_path):
    results = evaluate({}, str(dataset), ["test", "test_larger"], tmp_path, limit=12)
    rates = {name: by_split["test"]["valid"] for name, by_split in results["models"].items()}
    assert rates["shortest_path"] == rates["wall_follower"] == 1
    assert rates["one_direction"] < 0.5
    assert results["models"]["shortest_path"]["test_larger"]["by_size"] == {
        "5x5": {
            key: value for key, value in results["models"]["shortest_path"]["test_larger"].items() if key != "by_size"
        }
    }
    assert json.loads((tmp_path / "results.json").read_text()) == results
    predictions = pyarrow.parquet.read_table(tmp_path / "predictions.parquet").to_pylist()
    assert len(predictions) == 5 * (12 + 12)
    assert set(PathScore.__dataclass_fields__) <= set(predictions[0])
    report = (tmp_path / "report.md").read_text()
    assert "| test | all | shortest_path | 12 | 100.0 | 75.8 - 100.0 |" in report
    analysis = results["analysis"]["one_direction"]["test"]
    optimal = results["models"]["one_direction"]["test"]["optimal"]
    assert sum(analysis["failures"].values()) == round(12 * (1 - optimal))
    assert sum(cell["n"] for cell in analysis["by"]["path_length"].values()) == 12
    assert analysis["by"]["generator"].keys() == {"depth_first"}
    assert "| test | one_direction | " in report.partition("## How answers fail")[2]
    failed = next(row for row in predictions if row["failure"])
    assert failed["failure_move"] >= 1
    assert failed["decision_points"] is not None


def test_baselines_are_the_same_every_time(dataset, tmp_path):
    one = evaluate({}, str(dataset), ["test"], tmp_path / "one")
    two = evaluate({}, str(dataset), ["test"], tmp_path / "two")
    assert one == two


@pytest.mark.parametrize(
    ("models", "dataset_name", "split", "message"),
    [
        ({}, "no-such-folder", "test", "cannot load split 'test' of 'no-such-folder'"),
        ({}, None, "tset", "cannot load split 'tset'"),
        ({"m": "no-such-model"}, None, "test", "no model 'no-such-model'"),
        ({"m": "./no/such"}, None, "test", "no model './no/such'"),
        ({"m": "org/no-such-model"}, None, "test", "cannot load the model of 'org/no-such-model'"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(dataset, tmp_path, models, dataset_name, split, message):
    with pytest.raises(AsciiMazeError, match=message) as caught:
        evaluate(models, dataset_name or str(dataset), [split], tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "results.json").exists()


def test_gallery_escapes_whatever_a_model_wrote(dataset, tmp_path):
    results = evaluate({}, str(dataset), ["test"], tmp_path, limit=4)
    rows = pyarrow.parquet.read_table(tmp_path / "predictions.parquet").to_pylist()
    maze = {"id": "x", "maze": "S G", "width": 1, "height": 1}
    hostile = "<script>alert('walk')</script>"
    rows += score_rows("evil", "test", [maze], [hostile])
    write_gallery(tmp_path / "page.html", "A <title>", results, rows, ["evil", "shortest_path"], count=99)
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page
    assert "A &lt;title&gt;" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_gallery_shows_first_where_models_differ():
    rows = [
        row(valid, id=number, model=model)
        for number, pair in enumerate([(True, True), (False, True)])
        for model, valid in zip("ab", pair, strict=True)
    ]
    assert [group[0]["id"] for group in pick_mazes(rows, ["a", "b"], 2)] == [1, 0]


def test_gallery_shows_every_kind_of_failure_with_its_counts():
    maze = {"id": "x", "maze": "S  \n # \n  G", "width": 1, "height": 1}
    answers = ["R R D D", "D D R R", "no idea", "U", "R R"]
    mazes = [maze | {"id": str(number)} for number in range(len(answers))]
    rows = score_rows("a", "test", mazes, answers)
    rows += score_rows("b", "test", [maze], ["U"])
    groups = group_by_failure(rows, ["a", "b"])
    assert [(group["title"], group["counts"]) for group in groups] == [
        ("a shortest path", "a 2, b 0"),
        ("no path at all", "a 1, b 0"),
        ("runs into a wall", "a 1, b 1"),
        ("the right way, ended too early", "a 1, b 0"),
    ]
    assert [walk["verdict"] for walk in groups[2]["walks"]] == ["runs into a wall, move 1, junction 1"] * 2
    assert [walk["model"] for walk in groups[2]["walks"]] == ["a", "b"]
