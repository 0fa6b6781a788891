import json
import os

import pyarrow
import pyarrow.parquet
import pytest

from ascii_maze.errors import UsageError
from ascii_maze.evaluation.external import is_predictions
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.evaluation.view import print_results
from ascii_maze.metrics.path_validity.maze import Maze
from ascii_maze.models.chat import Chat
from dataset_builder.load import load_mazes


@pytest.fixture
def rows(dataset):
    return load_mazes(str(dataset), "test", None)


def write(path, rows):
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize("key", ["id", "maze"])
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_file_is_scored_as_a_model_is(dataset, rows, tmp_path, key, suffix):
    """In any order, with other columns, for more mazes than are asked; half of the answers are right."""
    given = [
        {key: row[key], "completion": row["solution"] if number % 2 else "U U", "note": number}
        for number, row in enumerate(rows)
    ]
    file = write(tmp_path / f"made.{suffix}", given[::-1])
    results = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=10))
    made = results["models"]["made"]["test"]
    assert (made["n"], made["valid"], made["exact"]) == (10, 0.5, 0.5)
    assert len(results["settings"]["loaded"]["made"]["sha256"]) == 64
    predictions = pyarrow.parquet.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    assert [row["completion"] for row in predictions if row["model"] == "made"] == [
        row["completion"] for row in given[:10]
    ]


def as_conversation(id_: str, answer: str) -> dict:
    """A line of `ascii-maze prompts --messages` with the reply appended to its messages."""
    return {"id": id_, "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]}


def as_batch(id_: str, answer: str) -> dict:
    """A line of what OpenAI's batch API returns of chat completions."""
    body = {"choices": [{"message": {"role": "assistant", "content": answer}}]}
    return {"id": "batch_req_1", "custom_id": id_, "response": {"status_code": 200, "body": body}, "error": None}


def as_batch_of_responses(id_: str, answer: str) -> dict:
    """The same of its endpoint `responses`, with a thought before the message."""
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": answer}]}
    body = {"output": [{"type": "reasoning", "summary": []}, message]}
    return {"id": "batch_req_1", "custom_id": id_, "response": {"status_code": 200, "body": body}, "error": None}


@pytest.mark.parametrize("form", [as_conversation, as_batch, as_batch_of_responses])
def test_conversations_and_batches_are_read_as_they_come(dataset, rows, tmp_path, form):
    file = write(tmp_path / "made.jsonl", [form(row["id"], row["solution"]) for row in rows])
    results = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=4))
    assert results["models"]["made"]["test"]["optimal"] == 1


def test_prompts_without_answers_are_refused(dataset, rows, tmp_path):
    given = [{"id": row["id"], "messages": [{"role": "user", "content": "?"}]} for row in rows]
    with pytest.raises(UsageError, match=r"and 'completion'; found id, messages$"):
        evaluate({"made": write(tmp_path / "made.jsonl", given)}, str(dataset), ["test"], tmp_path / "out")


@pytest.mark.parametrize("response", [None, {}, {"body": 1}, {"body": {"choices": []}}, {"body": {"output": [3]}}])
def test_a_failed_request_of_a_batch_is_a_wrong_answer_or_one_line(dataset, rows, tmp_path, response):
    """Without a body it is refused, so that it can be asked again; an empty answer is no path."""
    given = [as_batch(row["id"], row["solution"]) for row in rows]
    given[1]["response"] = response
    file = write(tmp_path / "made.jsonl", given)
    if response and isinstance(response.get("body"), dict):
        results = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=4))
        assert results["models"]["made"]["test"]["optimal"] == 0.75
    else:
        with pytest.raises(UsageError, match="line 2: no 'completion'"):
            evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=4))


@pytest.mark.parametrize(
    "changes",
    [
        {"response": {"status_code": 500, "body": {"error": {"message": "server error"}}}},
        {"response": None, "error": {"code": "batch_expired", "message": "server error"}},
        {"response": None, "error": "server error"},
    ],
)
def test_a_request_that_failed_is_no_wrong_answer(dataset, rows, tmp_path, changes):
    given = [as_batch(row["id"], row["solution"]) for row in rows]
    given[1].update(changes)
    file, said = (
        write(tmp_path / "made.jsonl", given),
        rf"line 2: the request of '{rows[1]['id']}' failed \(server error\)",
    )
    with pytest.raises(UsageError, match=said):
        evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=4))


def test_the_choices_of_a_request_are_samples(dataset, rows, tmp_path):
    given = [as_batch(row["id"], row["solution"]) for row in rows]
    for line in given:
        line["response"]["body"]["choices"].append({"message": {"role": "assistant", "content": "no idea"}})
    file = write(tmp_path / "made.jsonl", given)
    with pytest.raises(UsageError, match=r"expected 1 of each maze .*another number of completions: .* \(2\)"):
        evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=4))
    options = Options(limit=4, samples=2)
    results = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "two", options)
    assert results["models"]["made"]["test"]["valid"] == 0.5


def test_of_an_output_the_message_is_the_answer_wherever_it_stands(dataset, rows, tmp_path):
    given = [as_batch_of_responses(row["id"], row["solution"]) for row in rows]
    for line in given:
        line["response"]["body"]["output"].reverse()
    file = write(tmp_path / "made.jsonl", given)
    results = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=4))
    assert results["models"]["made"]["test"]["optimal"] == 1


def test_no_completion_beside_messages_is_no_answer_without_one(dataset, rows, tmp_path):
    given = [{**as_conversation(row["id"], row["solution"]), "completion": None} for row in rows]
    file = write(tmp_path / "made.jsonl", given)
    results = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=4))
    assert results["models"]["made"]["test"]["optimal"] == 1


@pytest.mark.parametrize("written", ["{}\n", "\n{}"])
def test_mazes_as_keys_may_have_other_line_breaks(dataset, rows, tmp_path, written):
    mazes = [written.format(row["maze"]).replace("\n", "\r\n") for row in rows]
    given = [{"maze": maze, "completion": row["solution"]} for maze, row in zip(mazes, rows)]
    file = write(tmp_path / "made.jsonl", given)
    results = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=4))
    assert results["models"]["made"]["test"]["optimal"] == 1


def test_a_path_in_a_sentence_counts_in_the_lenient_reading_alone(dataset, rows, tmp_path, capsys):
    given = [{"id": row["id"], "completion": f"The path is **{row['solution']}**."} for row in rows]
    file = write(tmp_path / "made.jsonl", given)
    results = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=4))
    made = results["models"]["made"]["test"]
    assert (made["parsed"], made["valid"], made["parsed_lenient"], made["valid_lenient"]) == (0, 0, 1, 1)
    predictions = pyarrow.parquet.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    assert all(row["valid_lenient"] and not row["valid"] for row in predictions if row["model"] == "made")
    assert "| test | made | 0.0 | 100.0 | 0.0 | 100.0 |" in (tmp_path / "out" / "report.md").read_text()
    print_results(results)
    table = capsys.readouterr().out.partition("split test, read strictly and leniently")[2]
    assert [line.split() for line in table.splitlines() if "made" in line] == [
        ["made", "0.0", "100.0", "0.0", "100.0"]
    ]
    assert "greedy" not in table  # that a baseline's answers are well formed need not be said


def test_several_completions_of_a_maze_are_its_samples_and_vote(dataset, rows, tmp_path):
    """The right walk, written in two ways, has two votes against one each for two others."""
    given = [
        {"id": row["id"], "completion": completion}
        for row in rows[:6]
        for completion in ("U", "nonsense", row["solution"], "L L", row["solution"].replace(" ", ", "))
    ]
    file = write(tmp_path / "made.jsonl", given)
    results = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(limit=6, samples=5))
    made = results["models"]["made"]["test"]
    assert (made["n"], made["samples"], made["valid"], made["majority"]) == (6, 5, 0.4, 1.0)
    assert made["pass_at"] == pytest.approx({"1": 0.4, "2": 1 - 3 / 10, "4": 1.0, "5": 1.0})
    assert "samples" not in results["models"]["greedy"]["test"]
    assert "| test | made | 40.0 | 70.0 | 100.0 | 100.0 | 100.0 |" in (tmp_path / "out" / "report.md").read_text()


def test_what_a_model_may_write_is_never_an_error(dataset, rows, tmp_path):
    hostile = [None, 7, ["R"], "\ud800", "", "<script>", "R" * 10_000, {"a": 1}]
    file = write(
        tmp_path / "made.jsonl",
        [{"id": row["id"], "completion": hostile[place % len(hostile)]} for place, row in enumerate(rows)],
    )
    results = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out")
    assert results["models"]["made"]["test"]["valid"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows[4:],
            r"expected 1 of each maze of split 'test' .* the same --limit.; another .*: '\w+' \(0\), .* 1 more",
        ),
        (lambda rows: [*rows, rows[0]], r"another number of completions: '\w+' \(2\)$"),
        (lambda rows: [*rows, {"id": "x", "completion": ""}], "there is no such maze in split 'test': 'x'$"),
        (lambda rows: [{"id": "x"}], "made.jsonl, line 1: expected 'id' or 'maze', and 'completion'; found id$"),
        (lambda rows: [rows[0], {"id": "x"}], "made.jsonl, line 2: no 'completion'$"),
        (lambda rows: [rows[0], [1]], "line 2: expected an object"),
        (lambda rows: [rows[0], {"id": 7, "completion": ""}], "line 2: expected an object"),
        (lambda rows: [], "made.jsonl: no predictions in it"),
        (
            lambda rows: [{**row, "maze": "#####\n#S G#\n#####"} for row in rows],
            r"to other mazes than the dataset's of the same 'id': '\w+', '\w+', '\w+' and \d+ more$",
        ),
        (lambda rows: [*rows[1:], {**rows[0], "maze": "of Crete"}], r"to other mazes .* of the same 'id': '\w+'$"),
    ],
)
def test_a_file_that_does_not_go_with_the_mazes_is_one_line(dataset, rows, tmp_path, change, message):
    given = [{"id": row["id"], "completion": row["solution"]} for row in rows]
    file = write(tmp_path / "made.jsonl", change(given))
    with pytest.raises(UsageError, match=message) as caught:
        evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "results.json").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("made.jsonl", b"{", "made.jsonl, line 1: not JSON"),
        ("made.jsonl", b"\xff", "cannot read .*made.jsonl"),
        ("made.parquet", b"PAR1", "cannot read .*made.parquet"),
        ("nothing.jsonl", None, "cannot read .*nothing.jsonl: .*No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(dataset, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        evaluate({"made": str(tmp_path / name)}, str(dataset), ["test"], tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_the_maze_beside_an_id_may_be_drawn_in_another_style(dataset, rows, tmp_path):
    drawn = [
        {"id": row["id"], "completion": "U", "maze": Maze.from_ascii(row["maze"]).to_ascii("boxes")} for row in rows
    ]
    drawn[0]["maze"] = 7  # not a text, so it says nothing about the maze
    results = evaluate({"made": write(tmp_path / "made.jsonl", drawn)}, str(dataset), ["test"], tmp_path / "out")
    assert results["models"]["made"]["test"]["n"] == len(rows)


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ({"temperature": 0.7}, "temperature"),
        ({"seed": 1}, "seed"),
        ({"max_new_tokens": 5}, "max-new-tokens"),
        ({"base": "tiny"}, "base"),
        ({"unquantised_base": True}, "unquantised-base"),
        ({"chat": Chat(template="plain")}, "chat-template"),
        ({"chat": Chat(thinking=False)}, "thinking"),
        ({"chat": Chat(thinking_tokens=9)}, "thinking-tokens"),
    ],
)
def test_options_of_decoding_are_not_for_files_alone(dataset, rows, tmp_path, option, name):
    file = write(tmp_path / "made.jsonl", [{"id": row["id"], "completion": "U"} for row in rows])
    with pytest.raises(UsageError, match=f"^--{name} is for models that answer here"):
        evaluate({"made": file}, str(dataset), ["test"], tmp_path / "out", Options(**option))


def test_how_answers_in_files_were_drawn_is_not_claimed(dataset, rows, tmp_path):
    file = write(tmp_path / "made.jsonl", [{"id": row["id"], "completion": "U"} for row in rows[:2] for _ in range(3)])
    alone = evaluate({"made": file}, str(dataset), ["test"], tmp_path / "alone", Options(limit=2, samples=3))[
        "settings"
    ]
    assert (alone["decoding"], alone["temperature"], alone["seed"]) == (
        "3 answers a maze, from files",
        None,
        None,
    )
    beside = evaluate(
        {"made": file, "tiny": "tiny"}, str(dataset), ["test"], tmp_path / "beside", Options(limit=2, samples=3)
    )["settings"]
    assert beside["decoding"] == "3 samples at temperature 1; files of answers as they are"
    assert beside["temperature"] == 1


def test_baselines_alone_are_no_answers_from_files(dataset, tmp_path):
    settings = evaluate({}, str(dataset), ["test"], tmp_path / "out", Options(limit=2, temperature=0.5))["settings"]
    assert (settings["decoding"], settings["temperature"]) == ("1 sample at temperature 0.5", 0.5)


def test_a_pipe_of_answers_is_one_line_and_no_wait(tmp_path):
    os.mkfifo(tmp_path / "made.jsonl")
    with pytest.raises(UsageError, match=r"made.jsonl is a pipe or a device, .* save them in a file"):
        is_predictions(str(tmp_path / "made.jsonl"))
