"""Prompts that are written for others to answer come back as answers."""

import json

import pytest
from typer.testing import CliRunner

from ascii_maze.cli import app
from ascii_maze.errors import UsageError
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.prompts import write_prompts
from ascii_maze.evaluation.run import evaluate
from ascii_maze.models.chat import Chat
from ascii_maze.models.generation import answer_mazes
from ascii_maze.models.loading import load_model
from dataset_builder.load import load_mazes

from ..training.families import save_model


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_answers_to_what_was_written_are_those_of_the_model(dataset, tmp_path):
    """A server that knows nothing of us completes the texts; here it is the model itself, by transformers alone."""
    import torch

    path = tmp_path / "prompts.jsonl"
    written = write_prompts(str(dataset), "test", 6, path, "tiny")
    assert (written["prompts"], written["ends"]) == (6, ["<eos>"])
    model, tokenizer = load_model("tiny")
    rows = load_mazes(str(dataset), "test", 6)
    answers = []
    for line in lines_of(path):
        tokens = tokenizer(line["prompt"], return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            made = model.generate(tokens, max_new_tokens=written["max_new_tokens"], do_sample=False)
        text = tokenizer.decode(made[0, tokens.shape[1] :], skip_special_tokens=True)
        answers.append({**line, "completion": text})
    path.write_text("".join(json.dumps(line) + "\n" for line in answers))
    assert [line["completion"] for line in answers] == [text for (text,) in answer_mazes(model, tokenizer, rows)]
    models = {"here": "tiny", "elsewhere": str(path)}
    results = evaluate(models, str(dataset), ["test"], tmp_path / "out", Options(limit=6, baselines=False))["models"]
    assert results["here"] == results["elsewhere"]


def test_messages_are_those_of_the_dataset(dataset, tmp_path):
    path = tmp_path / "messages.jsonl"
    words = ["prompts", str(dataset), "--messages", "--out", str(path), "--limit", "3"]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    rows = load_mazes(str(dataset), "test", 3)
    assert lines_of(path) == [{"id": row["id"], "messages": row["prompt"]} for row in rows]


@pytest.mark.parametrize("which", [[], ["--model", "tiny", "--messages"]])
def test_a_model_or_messages_and_not_both(dataset, tmp_path, which):
    with pytest.raises(UsageError, match="give --model, whose tokenizer renders the prompts, or --messages"):
        CliRunner().invoke(
            app, ["prompts", str(dataset), "--out", str(tmp_path / "p.jsonl"), *which], catch_exceptions=False
        )


def test_a_thought_that_the_prompt_opened_counts_where_the_answer_came_back_with_it(dataset, tmp_path):
    model = save_model("qwen3_5_think", tmp_path / "model")
    path = tmp_path / "prompts.jsonl"
    write_prompts(str(dataset), "test", 2, path, str(model), Chat(thinking=True, thinking_tokens=9))
    rows, lines = load_mazes(str(dataset), "test", 2), lines_of(path)
    assert all(line["prompt"].endswith("<think>\n") for line in lines)
    solved, cut = (row["solution"] for row in rows)
    completions = (f"It is open.\n</think>\n\n{solved}", cut)  # the second never left its thought
    path.write_text("".join(json.dumps({**line, "completion": text}) + "\n" for line, text in zip(lines, completions)))
    out = tmp_path / "out"
    results = evaluate({"one": str(path)}, str(dataset), ["test"], out, Options(limit=2, baselines=False))
    assert (results["models"]["one"]["test"]["valid"], results["models"]["one"]["test"]["parsed"]) == (0.5, 0.5)
