"""Answers that think first: how long and how true their thoughts are, in predictions, results, report and gallery."""

import json

import pyarrow.parquet
import pytest

from ascii_maze import Maze, generate_mazes
from ascii_maze.evaluation.answers import score_rows
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.mazes.prompts import PLAIN, PromptStyle, format_completion, prompt_messages
from ascii_maze.mazes.reasoning import REASONING, think
from ascii_maze.models.budgets import answer_budget, budget_for, thought_budget
from ascii_maze.models.chat import Reading
from dataset_builder.load import load_mazes

SOUND, CORRUPT = PromptStyle(reasoning="search_dfs"), PromptStyle(reasoning="corrupt")


@pytest.fixture(scope="module")
def evaluated(dataset, tmp_path_factory):
    """A file of answers: two behind a sound thought, two behind another maze's, one hostile thought, the rest bare."""
    folder = tmp_path_factory.mktemp("thoughts")
    rows = load_mazes(str(dataset), "test", 8)
    mazes = [Maze.from_ascii(row["maze"]) for row in rows]
    answers = [format_completion(maze, maze.solve(), SOUND) for maze in mazes[:2]]
    answers += [format_completion(maze, maze.solve(), CORRUPT, mazes[0]) for maze in mazes[2:4]]
    answers += ["<think>\n<script>alert(1)</script>\n</think>\nR", *(maze.solve() for maze in mazes[5:])]
    lines = [json.dumps({"id": row["id"], "completion": answer}) for row, answer in zip(rows, answers, strict=True)]
    (folder / "answers.jsonl").write_text("\n".join(lines))
    results = evaluate(
        {"file": str(folder / "answers.jsonl")}, str(dataset), ["test"], folder / "out", Options(limit=8, pages=True)
    )
    return folder / "out", results, answers, mazes


def test_every_prediction_has_length_and_truth_of_its_thought(evaluated):
    out, _, _, mazes = evaluated
    rows = pyarrow.parquet.read_table(out / "predictions.parquet").to_pylist()
    mine = [row for row in rows if row["model"] == "file"]
    assert [row["thought_length"] for row in mine[:2]] == [len(think(maze, "search_dfs")) for maze in mazes[:2]]
    assert [row["thought_true"] for row in mine[:2]] == [1, 1]
    assert all(row["thought_true"] < 1 and row["valid"] for row in mine[2:4])
    assert (mine[4]["thought_length"], mine[4]["thought_statements"], mine[4]["thought_true"]) == (25, 0, None)
    assert {row["thought_length"] for row in [*mine[5:], *rows[8:]]} == {None}


def test_right_answer_after_false_thinking_is_a_number(evaluated):
    out, results, _, _ = evaluated
    thoughts = results["models"]["file"]["test"]["thoughts"]
    assert thoughts["share"] == 5 / 8
    assert 0.5 < thoughts["true"] < 1
    assert thoughts["valid_but_false"] == 2 / 8
    assert "thoughts" not in results["models"]["greedy"]["test"]
    report = (out / "report.md").read_text(encoding="utf-8")
    table = report.partition("## Thoughts before the answer")[2].partition("##")[0]
    assert "| test | file | 62.5 | " in table
    assert "| 25.0 |" in table
    assert "greedy" not in table


def test_the_gallery_folds_the_thought_and_runs_nothing_of_it(evaluated):
    out, _, answers, _ = evaluated
    page = (out / "gallery.html").read_text(encoding="utf-8")
    shown = [part.partition("</details>")[0] for part in page.split("<details>")[1:]]
    assert any(" % of " in part and " statements true</summary><pre>" in part for part in shown)
    assert any("&lt;script&gt;alert(1)&lt;/script&gt;" in part for part in shown)
    assert "<script>alert" not in page
    path = answers[0].partition("<answer>")[2].removesuffix("</answer>")
    assert f"<code>&lt;answer&gt;{path}&lt;/answer&gt;</code>" in page


def test_a_report_without_thoughts_says_nothing_of_them(dataset, tmp_path):
    evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=4))
    assert "Thoughts" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def characters(text, add_special_tokens, verbose):
    """A tokenizer of one token per character."""
    assert not add_special_tokens
    return {"input_ids": list(text)}


@pytest.mark.parametrize("reasoning", sorted(set(REASONING) - {"none"}))
@pytest.mark.parametrize("generator", ["depth_first", "open_rooms", "kruskal"])
def test_the_room_for_a_thought_holds_every_sound_one_of_its_size(reasoning, generator):
    style = PromptStyle(reasoning=reasoning)
    mazes = generate_mazes(generator, 6, 5, 100, 0, braid=0.2)
    largest = max(mazes, key=lambda maze: str(maze).count(" "))
    room = thought_budget(characters, largest, style) + answer_budget(characters, 60, style)
    longest = max(len(format_completion(maze, maze.solve(), style, mazes[0])) for maze in mazes)
    assert longest <= room < 12 * longest
    assert thought_budget(characters, largest, PLAIN) == 0


def test_the_budget_is_that_of_the_style_that_takes_most(monkeypatch):
    monkeypatch.setattr("ascii_maze.models.budgets.how_read", lambda tokenizer: Reading())
    maze = generate_mazes("depth_first", 4, 4, 1, 0)[0]
    plain, thinking = (prompt_messages(maze, style) for style in (PLAIN, SOUND))
    one, two = (budget_for(characters, [str(maze)], [prompt]) for prompt in (plain, thinking))
    assert one < two == budget_for(characters, [str(maze)], [plain, thinking, plain])


def test_samples_of_one_maze_have_thoughts_of_their_own():
    maze = generate_mazes("depth_first", 4, 4, 1, 0)[0]
    row = {"id": "x", "maze": str(maze)}
    first, second = score_rows("a", "test", [row], [[format_completion(maze, maze.solve(), SOUND), "R R"]])
    assert first["thought_true"] == 1
    assert "thought_true" not in second
