"""Datasets, answers and names as strangers write them: each is one line that says where, or is simply read."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pyarrow
import pyarrow.parquet
import pytest

from ascii_maze.errors import AsciiMazeError, UsageError, printable
from ascii_maze.evaluation.figures import draw_validity
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.evaluation.show import draw, find_drawings, write_page

MAZE, WALLED_IN = "#####\n#S G#\n#####", "#####\n#S#G#\n#####"
PROMPT, PROMPT_OF_CLOSED = (
    [{"role": "system", "content": "Walk."}, {"role": "user", "content": maze}] for maze in (MAZE, WALLED_IN)
)
ROW = {
    "id": "a",
    "maze": MAZE,
    "prompt": PROMPT,
    "solution": "R R",
    "generator": "by hand",
    "width": 2,
    "height": 1,
    "path_length": 2,
}
CLOSED = {**ROW, "maze": WALLED_IN, "prompt": PROMPT_OF_CLOSED, "solution": None, "path_length": None}


def dataset_of(folder, rows):
    """A folder with a config `prompts` whose split `test` holds these rows."""
    (folder / "prompts").mkdir(parents=True)
    table = pyarrow.Table.from_pylist(rows or [ROW]).slice(0, len(rows))
    pyarrow.parquet.write_table(table, folder / "prompts" / "test.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: prompts\n  data_files:\n  - {split: test, path: prompts/test.parquet}\n---\n"
    )
    return str(folder)


def answers_of(path, rows):
    path.write_text("".join(json.dumps({"id": row.get("id"), "completion": "R R"}) + "\n" for row in rows))
    return str(path)


def without(*names):
    return {name: value for name, value in ROW.items() if name not in names}


# A change of the second of two rows; what is said of it, or None where it is read all the same; whether `show`, which
# needs no prompt, says the same.
BROKEN = {
    "a prompt of another maze": (
        {"prompt": PROMPT_OF_CLOSED},
        "row 1 .*'prompt' shows another maze than 'maze'",
        False,
    ),
    "a prompt of the maze in words": (
        {"prompt": [PROMPT[0], {"role": "user", "content": f"Walk:\n{MAZE}"}]},
        None,
        False,
    ),
    "a plain prompt": ({"prompt": "Walk."}, "'prompt' is 'Walk.'; expected chat messages", False),
    "no prompt": ({"prompt": None}, "row 1 .*'prompt' is None; expected chat messages", False),
    "an empty prompt": ({"prompt": []}, r"row 1 .*'prompt' is \[\]; expected chat messages", False),
    "an empty message": ({"prompt": [{"role": "user", "content": None}]}, "row 1 .*'prompt' is", False),
    "no id": ({"id": None}, "row 1 .*'id' is None; expected a text", False),
    "an empty id": ({"id": ""}, "row 1 .*'id' is ''; expected a text", False),
    "no maze": ({"maze": None}, "row 1 .*'maze' is None; expected the text", True),
    "an empty maze": ({"maze": ""}, "row 1 .*'maze'", True),
    "two goals": ({"maze": MAZE.replace(" ", "G")}, "row 1 .*'maze': .*expected exactly one G", True),
    "a width that is not there": ({"width": None}, None, True),
    "a negative width": ({"width": -1}, "row 1 .*'width' is -1; expected a count", True),
    "an endless width": ({"width": 2**40}, "row 1 .*'width' is 1099511627776; expected a count", True),
    "a longer path": ({"path_length": 3}, "row 1 .*'path_length' is 3, and the shortest path has 2 moves", True),
    "a path where is none": ({**CLOSED, "id": "b", "path_length": 2}, "row 1 .*is 2, and there is no path", True),
    "no path": ({**CLOSED, "id": "b"}, None, True),
    "a wrong solution": ({"solution": "R D"}, "row 1 .*'solution' is not a shortest path: 'R D'", True),
    "a roundabout solution": ({"solution": "R L R R"}, "row 1 .*'solution' is not a shortest path", True),
    "a solution in prose": ({"solution": "go right"}, "row 1 .*'solution' is not a shortest path", True),
    "no generator": ({"generator": None}, None, True),
}


@pytest.mark.parametrize(("change", "message", "shows"), BROKEN.values(), ids=BROKEN)
def test_a_broken_row_is_one_line_that_names_it(tmp_path, capsys, change, message, shows):
    rows = [ROW, {**ROW, "id": "b", **change}]
    if isinstance(rows[1]["prompt"], str):
        rows[0] = {**ROW, "prompt": "Walk."}  # a column has one type
    check(tmp_path, capsys, rows, message, shows)


# All rows of a split.
SPLITS = {
    "width as text": ([{**ROW, "width": "2"}], "row 0 .*'width' is '2'; expected a count", True),
    "a generator that is a number": ([{**ROW, "generator": 7}], "'generator' is 7; expected a text", True),
    "an id that is a number": ([{**ROW, "id": 7}], "'id' is 7; expected a text", False),
    "a maze that is a list": ([{**ROW, "maze": [MAZE]}], "'maze' is .*; expected the text", True),
    "two mazes of one id": ([ROW, {**CLOSED, "id": ROW["id"]}], "row 1 .*which is also the id of another maze", False),
    "no rows": ([], "split 'test'", True),
    "no column maze": ([without("maze")], "no column maze|'maze' is None", True),
    "no column prompt": ([without("prompt")], "no column prompt", False),
    "no column id": ([without("id")], "no column id", False),
    "mazes alone": ([{"id": "a", "maze": MAZE, "prompt": PROMPT}], None, True),
    "no path_length": ([without("path_length")], None, True),
    "no width": ([without("width", "height")], None, True),
    "no maze has a path": ([CLOSED, {**CLOSED, "id": "b"}], None, True),
}


@pytest.mark.parametrize(("rows", "message", "shows"), SPLITS.values(), ids=SPLITS)
def test_a_broken_split_is_one_line(tmp_path, capsys, rows, message, shows):
    check(tmp_path, capsys, rows, message, shows)


@pytest.mark.parametrize(
    ("split", "message"),
    [("test", "split 'test' has 2 rows, and 3 according to README.md"), ("more", "one has no split 'more'")],
)
def test_files_that_are_not_what_the_card_says_are_one_line(tmp_path, split, message):
    dataset = dataset_of(tmp_path / "data", [ROW, {**ROW, "id": "b"}])
    card = tmp_path / "data" / "README.md"
    told = f"dataset_info:\n- config_name: prompts\n  splits:\n  - {{name: {split}, num_bytes: 1, num_examples: 3}}\n"
    card.write_text(card.read_text().removesuffix("---\n") + told + "---\n")
    with pytest.raises(
        AsciiMazeError, match=f"cannot load split 'test' .*'prompts'.*: .*{message}; build it again"
    ) as caught:
        evaluate({}, dataset, ["test"], tmp_path / "out")
    assert "SplitInfo" not in str(caught.value)


@pytest.mark.parametrize(
    ("keep", "says"), [(slice(-50), "[Pp]arquet magic bytes"), (slice(0), "file size is 0 bytes|magic|[Ee]mpty")]
)
def test_a_torn_file_is_one_line_that_says_what_is_wrong_with_it(tmp_path, keep, says):
    dataset = dataset_of(tmp_path / "data", [ROW])
    (path,) = (tmp_path / "data").rglob("*.parquet")
    path.write_bytes(path.read_bytes()[keep])
    with pytest.raises(AsciiMazeError, match=rf"cannot load split 'test' .*\(.*({says})"):
        evaluate({}, dataset, ["test"], tmp_path / "out")


def check(folder, capsys, rows, message, shows):
    """`evaluate` with a file of answers, and `show`, of a dataset of these rows."""
    dataset, out = dataset_of(folder / "data", rows), folder / "out"

    def evaluated():
        return evaluate({"file": answers_of(folder / "file.jsonl", rows)}, dataset, ["test"], out)

    def shown():
        for group in find_drawings(dataset, "test", len(rows), None):
            draw(group)

    if message is None:
        results = evaluated()
        assert results["models"]["file"]["test"]["n"] == len(rows)
        assert draw_validity(results, out / "figures")
        shown()
        assert "██" in capsys.readouterr().out
        return
    for act in (evaluated, *([shown] if shows else [])):
        with pytest.raises(AsciiMazeError, match=message) as caught:
            act()
        assert "\n" not in str(caught.value)
    assert not (out / "results.json").exists()


def test_a_path_length_that_a_dataset_lacks_is_that_of_the_maze(tmp_path):
    rows = [without("path_length", "width", "height"), {**without("path_length", "width", "height"), "id": "b"}]
    rows[1] |= {"maze": WALLED_IN, "prompt": PROMPT_OF_CLOSED, "solution": ""}
    file = answers_of(tmp_path / "file.jsonl", rows)
    results = evaluate(
        {"file": file}, dataset_of(tmp_path / "data", rows), ["test"], tmp_path / "out", Options(pages=True)
    )
    assert results["analysis"]["file"]["test"]["by"]["path_length"]["2-3"]["n"] == 1
    assert list(results["models"]["file"]["test"]["by_size"]) == ["2x1"]
    predictions = pyarrow.parquet.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    assert [row["path_length"] for row in predictions if row["model"] == "file"] == [2, None]


# How a file of answers to the mazes `a` and `b` is written -> its name.
ANSWERS = [{"id": "a", "completion": "R R"}, {"id": "b", "completion": "R R"}]
LINES = "".join(json.dumps(row) + "\n" for row in ANSWERS)
FILES = {
    "plain": ("x.jsonl", LINES.encode()),
    "a byte order mark": ("x.jsonl", b"\xef\xbb\xbf" + LINES.encode()),
    "UTF-16": ("x.jsonl", LINES.encode("utf-16")),
    "UTF-16, big end first": ("x.jsonl", b"\xfe\xff" + LINES.encode("utf-16-be")),
    "Windows' line ends": ("x.jsonl", LINES.replace("\n", "\r\n").encode()),
    "empty lines": ("x.jsonl", f"\n{LINES}\n  \n".encode()),
    "a capital suffix": ("x.JSONL", LINES.encode()),
    "a list": ("x.json", json.dumps(ANSWERS, indent=2).encode()),
    "a list with a mark": ("x.JSON", b"\xef\xbb\xbf" + json.dumps(ANSWERS).encode()),
    "a list in .jsonl": ("x.jsonl", json.dumps(ANSWERS).encode()),
    "a long list in .jsonl": ("x.jsonl", ("\n" + json.dumps(ANSWERS, indent=2)).encode()),
    "lines in .json": ("x.json", LINES.encode()),
    "messages": (
        "x.jsonl",
        "".join(
            json.dumps({"id": key, "completion": [{"role": "assistant", "content": "R R"}]}) + "\n" for key in "ab"
        ).encode(),
    ),
    "NDJSON": ("x.ndjson", LINES.encode()),
    "UTF-32": ("x.jsonl", LINES.encode("utf-32")),
    "lists": ("x.jsonl", "".join(json.dumps({"id": key, "completion": ["R R"]}) + "\n" for key in "ab").encode()),
}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return dataset_of(tmp_path_factory.mktemp("two") / "data", [ROW, {**ROW, "id": "b"}])


def valid(file, dataset, out):
    return evaluate({"file": str(file)}, dataset, ["test"], out, Options(baselines=False))["models"]["file"]["test"][
        "valid"
    ]


@pytest.mark.parametrize(("name", "content"), FILES.values(), ids=FILES)
def test_answers_are_read_as_people_write_them(two, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert valid(tmp_path / name, two, tmp_path / "out") == 1


@pytest.mark.parametrize(
    "completion", [["R R"], [{"role": "assistant", "content": "R R"}], {"role": "assistant", "content": "R R"}]
)
def test_answers_in_parquet_may_be_messages_or_lists(two, tmp_path, completion):
    rows = [{"id": key, "completion": completion} for key in "ab"]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "x.parquet")
    assert valid(tmp_path / "x.parquet", two, tmp_path / "out") == 1


# A file that is not certain to be understood -> what is said.
UNREADABLE = {
    "UTF-16 without a mark": ("x.jsonl", LINES.encode("utf-16-le"), "x.jsonl, line 1: not JSON|cannot read .*UTF-8"),
    "Latin-1": ("x.jsonl", '{"id": "a", "completion": "não"}'.encode("latin-1"), "cannot read .*; save it as UTF-8"),
    "columns": ("x.json", b'{"id": ["a", "b"], "completion": ["R R", "R R"]}', "a text as 'id'"),
    "a table": ("x.csv", b"id,completion\na,R R\n", r"x.csv: a file of answers is .jsonl, .ndjson, .json, .parquet"),
    "empty": ("x.jsonl", b"\n", "no predictions in it; expected a line like"),
    "an empty list": ("x.json", b"[]", "no predictions in it"),
    "a text": ("x.json", b'"R R"', "entry 0 .*expected 'id' or 'maze', and 'completion'; found nothing"),
    "no id in one": ("x.jsonl", b'{"id": "a", "completion": "R"}\n{"id": null, "completion": "R"}', "line 2: .*None"),
    "deep": ("x.jsonl", b"[" * 100_000, "cannot read .*x.jsonl: "),
    "half a list": ("x.jsonl", b'[{"id": "a", "completion": "R R"},', "x.jsonl, line 1: not JSON"),
    "a completion of another kind": (
        "x.jsonl",
        b'{"id": "a", "completion": {"text": "R R"}}',
        "line 1: found {'text': 'R R'}, and no text in any row; expected a text or messages as 'completion'",
    ),
    "a completion that is a number": (
        "x.jsonl",
        b'{"id": "a", "completion": 7}',
        "line 1: found 7, and no text in any",
    ),
    "completions of one maze": ("x.jsonl", b'{"id": "a", "completion": ["R R", "R"]}', "line 1: found .* and no text"),
    "a key twice": (
        "x.jsonl",
        b'{"id": "a", "completion": "R R", "completion": "L"}',
        "line 1: not JSON: 'completion' stands twice in one object",
    ),
    "a key twice in a list": ("x.json", b'[{"id": "a", "id": "b", "completion": "R"}]', "'id' stands twice in one"),
    "a number without end": ("x.jsonl", b'{"id": ' + b"7" * 5000 + b"}", "line 1: not JSON"),
}


@pytest.mark.parametrize(("name", "content", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_answers_that_are_not_certain_are_one_line_with_a_hint(two, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        valid(tmp_path / name, two, tmp_path / "out")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "silence", ["null", "NaN", "[]", '{"role": "assistant", "content": null}', '[{"content": 0}]']
)
def test_no_answer_is_a_wrong_one(two, tmp_path, silence):
    (tmp_path / "x.jsonl").write_text("".join(f'{{"id": "{key}", "completion": {silence}}}\n' for key in "ab"))
    assert valid(tmp_path / "x.jsonl", two, tmp_path / "out") == 0


@pytest.mark.parametrize("key", [None, 7, b"a"])
def test_a_key_in_parquet_that_is_no_text_is_one_line(two, tmp_path, key):
    rows = [{"id": key, "completion": "R R"}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "x.parquet")
    with pytest.raises(UsageError, match=r"row 0 \(from 0\): expected an object with a text as 'id'"):
        valid(tmp_path / "x.parquet", two, tmp_path / "out")


@pytest.mark.parametrize(
    ("column", "value"),
    [("maze", "no maze"), ("maze", None), ("completion", None), ("completion", [7]), ("vote", ["x"]), ("model", None)],
)
def test_a_broken_predictions_file_is_shown_as_one_line(two, tmp_path, column, value):
    evaluate(
        {"file": answers_of(tmp_path / "x.jsonl", ANSWERS)}, two, ["test"], tmp_path / "out", Options(baselines=False)
    )
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    table = pyarrow.Table.from_pylist([{**row, column: value} for row in rows])
    pyarrow.parquet.write_table(table, tmp_path / "broken.parquet")
    with pytest.raises(UsageError, match=r"cannot read .*broken.parquet") as caught:
        find_drawings(str(tmp_path / "broken.parquet"), "test", 4, None)
    assert "\n" not in str(caught.value)


def test_a_split_named_twice_is_refused_before_anything_is_made(two, tmp_path):
    with pytest.raises(UsageError, match="split 'test' is named twice"):
        evaluate({}, two, ["test", "test"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_slices_of_one_split_that_share_rows_are_refused(two, tmp_path):
    with pytest.raises(UsageError, match=r"splits 'test' and 'test\[:1\]' share rows of 'test'"):
        evaluate({}, two, ["test", "test[:1]"], tmp_path / "out")


def test_a_name_that_no_file_can_hold_is_refused_before_anything_is_made(two, tmp_path):
    with pytest.raises(UsageError, match="is not UTF-8; rename"):
        evaluate({"a": "\udcff.jsonl"}, two, ["test"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_name_of_a_baseline_is_refused_before_anything_is_made(two, tmp_path):
    with pytest.raises(UsageError, match="the name 'greedy' is taken"):
        evaluate({"greedy": "tiny"}, two, ["test"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


# A hostile name of a model, as a file's name: what it must not do to the terminal or the report.
NAMES = ["[/x]", "[red]x", "\x1b[2Jx", "a|b", "_hidden", "$\\frac$", "<b>x", "lr=2e-4/x"]


def test_names_are_shown_as_they_are(two, tmp_path):
    """Those of models come from file names, and mean nothing to terminal, rich, Markdown, HTML and matplotlib."""
    words = [f"{name}.jsonl" for name in NAMES]
    for word in words:
        (tmp_path / word).parent.mkdir(exist_ok=True)
        answers_of(tmp_path / word, ANSWERS)
    command = [sys.executable, "-m", "ascii_maze", "evaluate", *words, "--dataset", two, "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "\x1b[2J" not in done.stdout + done.stderr
    assert "\\x1b[2Jx" in done.stdout + done.stderr
    assert "[/x]" in done.stdout
    assert "[red]x" in done.stdout
    report = (tmp_path / "out" / "report.md").read_text()
    assert "a\\|b.jsonl |" in report
    assert "&lt;b>x.jsonl |" in report
    assert "<b>" not in report
    svg = tmp_path / "out" / "figures" / "validity_by_size.svg"
    texts = {element.text for element in ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {f"{printable(name)}.jsonl" for name in NAMES} <= texts


@pytest.mark.parametrize("name", ["notes.txt", "thesis.html", "folder", "link"])
def test_a_page_replaces_nothing_but_a_page(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for file in ("notes.txt", "thesis.html"):
        (tmp_path / file).write_text("<!doctype html> of years of work")
    with pytest.raises(UsageError, match=f"{name} already exists and is not a page of ascii-maze"):
        write_page(tmp_path / name, "Mazes", [])
    assert (tmp_path / "notes.txt").read_text() == (tmp_path / "thesis.html").read_text()
    for _ in range(2):
        write_page(tmp_path / "page.html", "Mazes", [])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "folder",
        "link",
        "notes.txt",
        "page.html",
        "thesis.html",
    ]
