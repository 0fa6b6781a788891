"""The tasks for lm-evaluation-harness and Inspect give the numbers that `ascii-maze evaluate` gives."""

import pyarrow.parquet
import pytest

from ascii_maze import lm_eval_path
from ascii_maze.evaluation.run import evaluate
from ascii_maze.evaluation.schema import LENIENT_RATES, RATES
from ascii_maze.models.sources import TINY

MAZES, TOKENS = 12, 40
pytestmark = pytest.mark.slow  # to import them takes as long as anything here


@pytest.fixture(scope="module")
def ours(dataset, tmp_path_factory):
    """Rates and completions of the embedded model."""
    out = tmp_path_factory.mktemp("ours")
    results = evaluate(
        {"tiny": "tiny"}, str(dataset), ["test"], out, MAZES, batch_size=8, baselines=False, max_new_tokens=TOKENS
    )
    rows = pyarrow.parquet.read_table(out / "predictions.parquet").to_pylist()
    rates = {rate: results["models"]["tiny"]["test"][rate] for rate in (*RATES, *LENIENT_RATES)}
    assert 0 < rates["valid"] < 1
    return rates, {row["id"]: row["completion"] for row in rows}


def test_lm_evaluation_harness_gives_the_same_numbers(dataset, ours):
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.tasks import TaskManager

    found = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(TINY), "dtype": "float32"},
        tasks=["ascii_maze"],
        task_manager=TaskManager(include_path=lm_eval_path(), metadata={"dataset": str(dataset)}),
        gen_kwargs={"max_gen_toks": TOKENS},
        apply_chat_template=True,
        limit=MAZES,
        batch_size=8,
        device="cpu",
        bootstrap_iters=0,
    )
    rates, completions = ours
    assert {rate: found["results"]["ascii_maze"][f"{rate},none"] for rate in rates} == rates
    samples = found["samples"]["ascii_maze"]
    assert {sample["doc"]["id"]: sample["filtered_resps"][0] for sample in samples} == completions


def test_other_splits_are_tasks_of_lm_evaluation_harness_too():
    pytest.importorskip("lm_eval")
    from lm_eval.tasks import TaskManager

    tasks = TaskManager(include_path=lm_eval_path(), include_defaults=False).all_tasks
    assert set(tasks) == {"ascii_maze", "ascii_maze_larger", "ascii_maze_unseen"}


def test_inspect_gives_the_same_numbers(dataset, ours, tmp_path):
    inspect_ai = pytest.importorskip("inspect_ai")
    from ascii_maze.evaluation.inspect_task import ascii_maze

    (log,) = inspect_ai.eval(
        ascii_maze(str(dataset), max_tokens=TOKENS),
        model="hf/tiny",
        model_args={
            "model_path": str(TINY),
            "do_sample": False,
            "dtype": "float32",
            "tokenizer_call_args": {"add_special_tokens": False},
        },
        limit=MAZES,
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success", log.error
    rates, completions = ours
    found = {score.name: score.metrics["mean"].value for score in log.results.scores}
    assert found == pytest.approx(rates)
    assert {sample.id: sample.output.completion for sample in log.samples} == completions
