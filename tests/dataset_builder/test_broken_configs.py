"""Configs and folders that people and programs get wrong: one line each, and nothing is written."""

import json
import os
import subprocess
import sys

import pytest

from ascii_maze import generate_mazes
from ascii_maze.cli import main
from ascii_maze.errors import UsageError, one_line
from dataset_builder import choose
from dataset_builder.build import build
from dataset_builder.config import BuildConfig, load_config
from dataset_builder.schema import RECORD, parse_record

PLAIN = {"name": "x", "sizes": "[4x4]", "generators": "[depth_first]", "splits": "{train: 60}"}
DIGITS, HEXADECIMAL = "9" * 5_000, "0x" + "f" * 5_000
ESCAPE = r'"\e[31mred"'
# What stands in the place of a value in a line of YAML.
ANYWHERE = (
    "null",
    "5.5",
    "true",
    "[[depth_first]]",
    "[{a: b}]",
    "{[4x4]: 1}",
    ".nan",
    DIGITS,
    HEXADECIMAL,
    "!!set {a}",
)
CASES = (
    *((key, value) for key in (*PLAIN, "larger_sizes", "rejected", "seed", "language", "braid") for value in ANYWHERE),
    ("name", "{a: b}"),
    ("name", ESCAPE),
    ("name", r'"two\nlines"'),
    ("sizes", "4"),
    ("sizes", "{4x4: .nan}"),
    ("sizes", "{4x4: .inf}"),
    ("sizes", "{4x4: 1:59}"),
    ("sizes", "{4x4: 1:59.5}"),
    ("sizes", "{4x4: 1e999}"),
    ("sizes", "{4x4: 1, 4x4: 2}"),
    ("sizes", "{4x4: true}"),
    ("sizes", f"[{DIGITS}x4]"),
    ("sizes", "[100000x100000]"),
    ("sizes", "[٣x٣]"),
    ("sizes", "[" + ", ".join(f"4x{k}" for k in range(1, 20_000)) + "]"),
    ("generators", f"[{ESCAPE}]"),
    ("generators", "[wilson, wilson, prim]"),
    ("braid", "[0.1, 0.1]"),
    ("splits", "[train]"),
    ("splits", "{train: true}"),
    ("splits", "{train: 1:59}"),
    ("splits", "{train: 1000000000000000000}"),
    ("path_lengths", f"[{DIGITS}-]"),
    ("path_lengths", f"[5-{DIGITS}]"),
    ("braid", "[.nan]"),
    ("endpoints", "{random: -.inf}"),
    ("maze_style", "{hash: 1}"),
    ("answer_style", "[letters]"),
    ("seed", "1:59"),
)


@pytest.mark.parametrize(("key", "value"), CASES, ids=[f"{key}: {value[:20]}" for key, value in CASES])
def test_a_value_that_cannot_be(tmp_path, monkeypatch, capsys, key, value):
    path = tmp_path / "config.yaml"
    path.write_text("".join(f"{name}: {text}\n" for name, text in (PLAIN | {key: value}).items()))
    with pytest.raises(UsageError) as caught:
        load_config(str(path))
    assert len(one_line(caught.value)) < 1_100
    monkeypatch.setattr(sys, "argv", ["ascii-maze", "build", str(path), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert os.listdir(tmp_path) == ["config.yaml"]


WHOLE = {
    "config": {"name": "x"},
    "seed": 0,
    "versions": {},
    "rows": {"sft/train": 1},
    "files": {"sft/train-00000-of-00001.parquet": "0" * 64},
    "shared_between_splits": {},
}
RECORDS = (
    b"",
    b"\xff",
    b"{",
    b"[" * 100_000,
    b"[]",
    b"null",
    *(json.dumps({name: value for name, value in WHOLE.items() if name != key}).encode() for key in WHOLE),
    *(json.dumps({**WHOLE, key: None}).encode() for key in WHOLE),
    *(json.dumps({**WHOLE, key: [1]}).encode() for key in WHOLE),
    *(
        json.dumps({**WHOLE, **change}).encode()
        for change in (
            {"config": {}},
            {"seed": "0"},
            {"rows": {"sft/train": "1"}},
            {"rows": {"sft/train": -1}},
            {"files": {"../../x.parquet": "0" * 64}},
            {"files": {"/etc/passwd": "0" * 64}},
            {"files": {"sft/../../train-00000-of-00001.parquet": "0" * 64}},
            {"files": {"sft/train-00000-of-00001.parquet": 5}},
        )
    ),
)


@pytest.mark.parametrize("content", RECORDS, ids=range(len(RECORDS)))
def test_a_broken_record(tmp_path, content):
    (tmp_path / RECORD).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        build(BuildConfig("x", {"4x4": 1}, {"depth_first": 1}, {"train": 5}), tmp_path)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == [RECORD]


def test_a_record_of_later_versions_may_say_more():
    assert parse_record(json.dumps({**WHOLE, "more": 1}).encode(), RECORD)["config"] == {"name": "x"}


def test_a_distributed_build_of_nothing_is_one_line(tmp_path):
    command = [sys.executable, "-m", "dataset_builder.distributed", "nope", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no dataset config 'nope'" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(("size", "rows"), [("200x200", 60_000), ("2000x2000", 1_000)])
def test_mazes_that_do_not_fit_memory_are_refused_before_they_are_made(tmp_path, monkeypatch, size, rows):
    monkeypatch.setattr(choose, "candidates", lambda *_: pytest.fail("made"))
    config = BuildConfig("x", {size: 1}, {"depth_first": 1}, {"train": rows})
    with pytest.raises(UsageError, match=r"take .* GiB of memory"):
        build(config, tmp_path / "out")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("size", [(2_000, 2_000, 10**6), (5, 5, 10**15)])
def test_a_batch_that_does_not_fit_memory_is_refused_before_it_is_made(size):
    with pytest.raises(ValueError, match="more than this machine has"):
        generate_mazes("depth_first", *size, seed=0)
