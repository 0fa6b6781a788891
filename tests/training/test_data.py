"""Rows to train on as strangers write them: each is one line that names it, or is simply read."""

import datetime

import pyarrow
import pyarrow.parquet
import pytest

from ascii_maze.errors import AsciiMazeError
from ascii_maze.recipe import load_recipe, parse_recipe
from ascii_maze.recipe.methods import METHODS
from ascii_maze.training.data import identify_rows, load_rows
from dataset_builder.build import build
from dataset_builder.config import BuildConfig
from dataset_builder.load import load_split

MAZE = "#####\n#S G#\n#####"
PROMPT = [{"role": "system", "content": "Walk."}, {"role": "user", "content": MAZE}]


def said(text):
    return [{"role": "assistant", "content": text}]


ROWS = {
    "sft": {"prompt": PROMPT, "completion": said("R R"), "maze": MAZE, "path_length": 2},
    "dpo": {"prompt": PROMPT, "chosen": said("R R"), "rejected": said("L"), "maze": MAZE},
    "grpo": {"prompt": PROMPT, "maze": MAZE, "path_length": 2},
}
CONFIGS = {"sft": "sft", "dpo": "preference", "grpo": "prompts"}


def dataset_of(folder, config, rows):
    """A folder with one config, whose split `train` holds these rows."""
    (folder / config).mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / config / "train.parquet")
    files = f"{{split: train, path: {config}/train.parquet}}"
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: {config}\n  data_files:\n  - {files}\n---\n")
    return str(folder)


def rows_of(folder, method, rows):
    dataset = dataset_of(folder / "data", CONFIGS[method], rows)
    words = ["--dataset_name", dataset, "--eval_strategy", "no", "--output_dir", str(folder / "run")]
    arguments = parse_recipe(load_recipe(f"recipes/tiny/{method}.yaml", words))
    return arguments, load_rows(arguments, METHODS[method].columns)[0]


# A method; a change of the second of two rows, of all if a column would have two types; what is said of it, or None.
BROKEN = {
    "no prompt": ("sft", {"prompt": None}, "row 1 .*'prompt' is None; expected chat messages"),
    "an empty prompt": ("sft", {"prompt": []}, r"row 1 .*'prompt' is \[\]; expected chat messages"),
    "a plain prompt": ("sft", {"prompt": MAZE}, "row 0 .*'prompt' is '#####.*expected chat messages"),
    "a prompt without text": ("sft", {"prompt": [{"role": "user", "content": None}]}, "row 1 .*'prompt'"),
    "no role": ("sft", {"prompt": [{"role": None, "content": MAZE}]}, "row 1 .*'prompt'"),
    "no answer": ("sft", {"completion": None}, "row 1 .*'completion' is None; .*'assistant'"),
    "an empty answer": ("sft", {"completion": []}, "row 1 .*'completion'"),
    "an answer without text": ("sft", {"completion": said(None)}, "row 1 .*'completion'"),
    "plain pairs": ("dpo", {"chosen": "R R", "rejected": "L"}, "row 0 .*'chosen' is 'R R'"),
    "half a pair": ("dpo", {"rejected": None}, "row 1 .*'rejected' is None"),
    "tools that are no JSON": ("sft", {"tools": "{"}, "row 0 .*'tools' is '{'; expected a JSON list"),
    "tools that are no list": ("sft", {"tools": '{"a": 1}'}, "row 0 .*'tools'"),
    "tools that are numbers": ("sft", {"tools": "[1]"}, "row 0 .*'tools'"),
    "no maze": ("grpo", {"maze": None}, "row 1 .*'maze' is None"),
    "a maze that is none": ("sft", {"maze": "zzz"}, "row 1 .*'maze': row 1, column 1"),
    "a shorter path": ("grpo", {"path_length": 1}, "row 1 .*'path_length' is 1, and the shortest path has 2 moves"),
    "a length as text": ("grpo", {"path_length": "two"}, "row 0 .*'path_length' is 'two'; expected a count"),
    "no length": ("grpo", {"path_length": None}, None),
    "a date": ("sft", {"made": datetime.date(2020, 1, 1)}, None),
    "bytes": ("sft", {"made": b"\xff"}, None),
}


@pytest.mark.parametrize(("method", "change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_row_is_one_line_that_names_it(tmp_path, method, change, message):
    row = ROWS[method]
    whole = any(key not in row or (value and type(value) is not type(row[key])) for key, value in change.items())
    rows = [{**row, **(change if whole else {})}, {**row, **change}]
    if message is None:
        arguments, found = rows_of(tmp_path, method, rows)
        assert identify_rows(arguments.script, found)["rows"] == 2
        return
    with pytest.raises(AsciiMazeError, match=message) as caught:
        rows_of(tmp_path, method, rows)
    assert "\n" not in str(caught.value)


def test_rows_to_evaluate_on_are_of_all_kinds_in_proportion(tmp_path):
    """Of a split with one generator and size, three in ten are solved by a rule."""
    data, splits = str(tmp_path / "data"), {"train": 40, "validation": 40}
    kinds = {"sizes": {"5x5": 1}, "generators": {"wilson": 1}, "difficulty": {"easy": 0.3, "hard": 0.7}}
    build(BuildConfig(name="kinds", split_by="layout", splits=splits, **kinds), tmp_path / "data")
    words = ["--dataset_name", data, "--eval_limit", "10", "--output_dir", str(tmp_path / "run")]
    arguments = parse_recipe(load_recipe("recipes/tiny/sft.yaml", words))
    _, rows = load_rows(arguments, METHODS["sft"].columns)
    assert [solved != "" for solved in rows["solved_by"]].count(True) == 3
    assert list(rows["id"]) != list(load_split(data, "validation", "sft", ())["id"])[:10]


def test_a_broken_row_is_named_by_its_place_in_the_split(tmp_path):
    """Also if the rows before it are not evaluated on."""
    kinds = [
        {"generator": "wilson", "width": 2, "height": 1, "solved_by": rules} for rules in ["greedy"] * 3 + [""] * 3
    ]
    rows = [{**ROWS["sft"], **kind, "path_length": 2 + (place == 3)} for place, kind in enumerate(kinds)]
    arguments, _ = rows_of(tmp_path, "sft", [ROWS["sft"]])
    data = dataset_of(tmp_path / "other", "sft", rows)
    arguments.training.eval_strategy, arguments.run.eval_limit = "steps", 2
    arguments.script.dataset_test_split = "train"
    arguments.script.dataset_name = data
    arguments.run.train_limit = 1
    with pytest.raises(AsciiMazeError, match=r"row 3 .*'path_length' is 3"):
        load_rows(arguments, METHODS["sft"].columns)
