"""The tasks for lm-evaluation-harness and Inspect give the numbers that `ascii-maze evaluate` gives."""

import pyarrow.parquet
import pytest

from ascii_maze import lm_eval_path
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.evaluation.schema import LENIENT_RATES, RATES
from ascii_maze.models.chat import Chat
from ascii_maze.models.portable import save_portable
from ascii_maze.models.templates import set_chat_template
from ascii_maze.tiny import TINY

from ..training.families import save_model, tokenizer_of

MAZES, TOKENS = 12, 40
pytestmark = pytest.mark.slow  # to import them takes as long as anything here


@pytest.fixture(scope="module")
def ours(dataset, tmp_path_factory):
    """Rates and completions of the embedded model."""
    out = tmp_path_factory.mktemp("ours")
    results = evaluate(
        {"tiny": "tiny"},
        str(dataset),
        ["test"],
        out,
        Options(limit=MAZES, batch_size=8, baselines=False, max_new_tokens=TOKENS),
    )
    rows = pyarrow.parquet.read_table(out / "predictions.parquet").to_pylist()
    rates = {rate: results["models"]["tiny"]["test"][rate] for rate in (*RATES, *LENIENT_RATES)}
    assert 0 < rates["valid"] < 1
    return rates, {row["id"]: row["completion"] for row in rows}


def test_lm_evaluation_harness_gives_the_same_numbers(dataset, ours, monkeypatch):
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.tasks import TaskManager

    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)  # asks pip, the compiler and others
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


@pytest.fixture(scope="module")
def opening(tmp_path_factory):
    """A tokenizer whose prompts open a thought, as `ascii-maze tokens MODEL --thinking --save` writes it."""
    tokenizer = tokenizer_of("qwen3_5_think")
    set_chat_template(tokenizer, Chat(thinking=True))
    folder = tmp_path_factory.mktemp("opening")
    save_portable(tokenizer, folder)
    return folder


def test_the_harness_knows_of_a_thought_that_the_prompt_has_opened(dataset, opening):
    from ascii_maze.evaluation.lm_eval_task.utils import load_mazes, score

    row, plain = (load_mazes(str(dataset), tokenizer=name)["test"][0] for name in (str(opening), None))
    path = row["solution"]
    assert score(row, [path])["valid"] == score(row, [path])["valid_lenient"] == 0  # it has not thought to the end
    assert score(row, [f"Not U.\n</think>\n\n{path}"])["valid"] == 1
    assert score(plain, [path])["valid"] == 1


def test_inspect_knows_of_a_thought_that_the_prompt_has_opened(dataset, opening, tmp_path):
    inspect_ai = pytest.importorskip("inspect_ai")
    from ascii_maze.evaluation.inspect_task import ascii_maze

    model = save_model("qwen3_5_think", tmp_path / "model")
    (log,) = inspect_ai.eval(
        ascii_maze(str(dataset), max_tokens=4),
        model="hf/random",
        model_args={"model_path": str(model), "tokenizer_path": str(opening), "do_sample": False},
        limit=2,
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success", log.error
    answers = [sample.scores["path_validity"].answer for sample in log.samples]
    assert all(answer.startswith("<think>") for answer in answers)
