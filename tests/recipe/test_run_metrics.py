"""metrics.json of a run."""

import json

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.recipe.run_metrics import check_metrics, read_metrics, write_metrics

METRICS = {
    "method": "sft",
    "base_model": "tiny",
    "device": "cpu",
    "history": [{"step": 1, "loss": 0.5}],
} | dict.fromkeys(("steps", "samples", "tokens", "seconds", "peak_memory_bytes"), 1)


def test_what_is_written_is_read(tmp_path):
    write_metrics(tmp_path, METRICS)
    assert read_metrics(tmp_path) == METRICS
    assert json.loads((tmp_path / "metrics.json").read_text()) == METRICS


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no 'base_model'"),
        ({key: METRICS[key] for key in METRICS if key != "tokens"}, "no 'tokens'"),
        (METRICS | {"history": 3}, "'history' must be a list of objects"),
        (METRICS | {"history": ["x"]}, "'history' must be a list of objects"),
    ],
)
def test_what_no_run_writes_is_one_line(values, message):
    with pytest.raises(UsageError, match=rf"metrics\.json.*{message}"):
        check_metrics(values, "metrics.json")


@pytest.mark.parametrize("text", [None, "", '{"method": "sf', "[]"])
def test_a_file_that_is_missing_or_torn_is_one_line(tmp_path, text):
    if text is not None:
        (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UsageError, match=r"metrics\.json"):
        read_metrics(tmp_path)
