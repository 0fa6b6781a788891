import json
import re
import subprocess
import sys

import pyarrow.parquet
import pytest

from ascii_maze.errors import UsageError
from ascii_maze.evaluation import gallery
from ascii_maze.evaluation.answers import score_rows
from ascii_maze.evaluation.gallery import group_by_failure, pick_mazes
from ascii_maze.evaluation.predictions import write_part
from ascii_maze.evaluation.show import from_predictions

from ..browser import complaints_at_every_size

MAZE = {"id": "x", "maze": "S  \n # \n  G", "width": 1, "height": 1}
RIGHT, WRONG = "R R D D", "U"
HOSTILE = "<script>alert('walk')</script>"


def predictions(path, answers):
    """predictions.parquet of what each model answers in each split, maze by maze: a text, or samples."""
    rows = []
    for (model, split), given in answers.items():
        mazes = [MAZE | {"id": f"{split}-{number}"} for number in range(len(given))]
        rows += score_rows(model, split, mazes, [[one] if isinstance(one, str) else one for one in given])
    write_part(path, rows)
    return path


def ids(groups):
    return [group[0]["id"] for group in groups]


def test_first_come_mazes_on_which_the_models_differ(tmp_path):
    path = predictions(
        tmp_path / "p.parquet", {("a", "test"): [RIGHT, WRONG, RIGHT], ("b", "test"): [RIGHT, RIGHT, WRONG]}
    )
    groups = pick_mazes(path, ["b", "a"], 3)
    assert ids(groups) == ["test-1", "test-2", "test-0"]
    assert [row["model"] for row in groups[0]] == ["b", "a"]
    assert ids(pick_mazes(path, ["a"], 2)) == ["test-0", "test-1"]
    assert pick_mazes(path, [], 2) == []


def test_every_split_has_its_share(tmp_path):
    answers = {("a", split): [RIGHT] * count for split, count in (("one", 1), ("two", 9), ("three", 9))}
    groups = pick_mazes(predictions(tmp_path / "p.parquet", answers), ["a"], 6)
    assert ids(groups) == ["one-0", "two-0", "two-1", "two-2", "three-0", "three-1"]


def test_no_more_mazes_are_searched_than_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "SEARCHED", 3)
    answers = {("a", "test"): [RIGHT] * 5, ("b", "test"): [RIGHT, RIGHT, RIGHT, WRONG, RIGHT]}
    assert ids(pick_mazes(predictions(tmp_path / "p.parquet", answers), ["a", "b"], 2)) == ["test-0", "test-1"]


def test_the_sample_that_has_the_vote_is_the_one_that_is_shown(tmp_path):
    path = predictions(tmp_path / "p.parquet", {("a", "test"): [[WRONG, RIGHT, RIGHT]]})
    assert [[row["completion"] for row in rows] for rows in pick_mazes(path, ["a"], 1)] == [[RIGHT]]


def test_every_kind_of_failure_is_seen_with_its_counts(tmp_path):
    answers = {("a", "test"): [RIGHT, "D D R R", "no idea", WRONG, "R R"], ("b", "test"): [WRONG]}
    groups = group_by_failure(predictions(tmp_path / "p.parquet", answers), ["a", "b"])
    assert [(group["title"], group["counts"]) for group in groups] == [
        ("a shortest path", "a 2, b 0"),
        ("no path at all", "a 1, b 0"),
        ("runs into a wall", "a 1, b 1"),
        ("the right way, ended too early", "a 1, b 0"),
    ]
    assert [walk["verdict"] for walk in groups[2]["walks"]] == ["runs into a wall, move 1, junction 1"] * 2
    assert [walk["model"] for walk in groups[2]["walks"]] == ["a", "b"]


def test_show_draws_the_walks_of_models_and_not_of_baselines(tmp_path):
    path = predictions(tmp_path / "p.parquet", {(name, "test"): [RIGHT] for name in ("a", "greedy", "b")})
    ((one, two),) = from_predictions(path, 4)
    assert (one[0], one[2], two[0]) == ("a: shortest path", "RRDD", "b: shortest path")


def test_a_parquet_of_something_else_is_one_line(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"model": ["a"]}), tmp_path / "p.parquet")
    with pytest.raises(UsageError, match=r"cannot read .*p\.parquet: no column id, split, maze"):
        from_predictions(tmp_path / "p.parquet", 4)


@pytest.fixture(scope="module")
def gallery_file(dataset, tmp_path_factory):
    """gallery.html of two models on two splits, one of which writes what it should not, and what was printed."""
    folder = tmp_path_factory.mktemp("gallery")
    splits = ("test", "test_larger")
    files = [file for split in splits for file in sorted((dataset / "prompts").glob(f"{split}-*"))]
    rows = [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
    for name, answer in (("good", None), ("evil", HOSTILE)):
        lines = [json.dumps({"id": row["id"], "completion": answer or row["solution"]}) + "\n" for row in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    models = [f"good={folder / 'good.jsonl'}", f"<b>={folder / 'evil.jsonl'}"]
    words = [*models, "--dataset", dataset, "--out", folder / "out", *(f"--split={split}" for split in splits)]
    printed = {}
    for mode in ("--json", "--debug"):
        (folder / "out" / "gallery.html").unlink(missing_ok=True)
        command = [sys.executable, "-m", "ascii_maze", "evaluate", *map(str, words), mode]
        printed[mode] = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert (folder / "out" / "gallery.html").is_file()
    assert printed["--debug"].splitlines()[-1].startswith(str(folder / "out" / "gallery.html"))
    assert json.loads(printed["--json"])["models"]["<b>"]["test"]["valid"] == 0
    return folder / "out" / "gallery.html"


@pytest.fixture(scope="module")
def page(gallery_file):
    return gallery_file.read_text()


def test_evaluate_writes_a_page_on_which_nothing_of_a_model_is_markup(page):
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;walk&#39;)&lt;/script&gt;" in page
    assert "<b>&lt;b&gt;</b>" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_page_has_the_table_the_same_mazes_and_successes_and_failures(page):
    assert re.findall(r"<h[23]>(.*)</h[23]>", page) == [
        "How often the path is right",
        "The same mazes, walked by each model",
        "test",
        "test_larger",
        "A shortest path",
        "No path at all",
    ]
    assert "<td>shortest_path</td>" in page  # the baselines stand in the table
    walkers = re.findall(r"<figcaption><b>(.*?)</b>", page)
    assert walkers[: 2 * gallery.MAZES] == ["good", "&lt;b&gt;"] * gallery.MAZES  # and nowhere else
    assert walkers[2 * gallery.MAZES :] == ["good"] * gallery.EXAMPLES + ["&lt;b&gt;"] * gallery.EXAMPLES
    assert page.count('class="path arrives"') == gallery.MAZES + gallery.EXAMPLES


def test_the_page_can_be_read_at_every_size(gallery_file, tab):
    assert complaints_at_every_size(tab(gallery_file)) == []
