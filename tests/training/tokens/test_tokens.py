"""What is said of a tokenizer is what it does."""

import json

import pytest
from transformers import AutoTokenizer
from typer.testing import CliRunner

from ascii_maze import Maze, prompt_messages
from ascii_maze.cli import app
from ascii_maze.models.chat import Chat
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.models.templates import set_chat_template
from ascii_maze.tiny import TINY
from ascii_maze.training.tokens.facts import aligned_columns, cut, look
from ascii_maze.training.tokens.view import show

from ..families import save_model, tokenizer_of

WALLED = "#####\n#S  #\n### #\n#G  #\n#####"


def facts_of(family, chat=Chat()):  # noqa: B008
    tokenizer, own = (
        AutoTokenizer.from_pretrained(TINY) if family == "tiny" else tokenizer_of(family) for _ in range(2)
    )
    set_chat_template(tokenizer, chat)
    return look("a model", tokenizer, own, prompt_messages(WALLED), Maze.from_ascii(WALLED))


def test_characters_as_tokens_are_aligned_and_longer_ones_are_not():
    tokens = [{"id": 0, "text": sign, "begin": place, "end": place + 1} for place, sign in enumerate("###\n#S#")]
    assert aligned_columns(tokens, "###\n#S#") == [0, 1, 2]
    merged = [{"id": 0, "text": "##", "begin": 0, "end": 2}, *tokens[2:]]
    assert aligned_columns(merged, "###\n#S#") == [0]


def test_the_embedded_model_reads_characters_and_moves():
    facts = facts_of("tiny")
    assert facts["aligned"] == list(range(5))
    assert (facts["columns"], facts["characters_per_token"], facts["tokens_per_move"]) == (5, 1.0, 1.0)
    assert [token["text"] for token in facts["answer"]][:2] == ["R", " R"]
    assert not facts["moves_alike"]
    assert facts["rules"] == []
    assert (facts["own_template"], facts["round_trip"], facts["thinking"]) == (None, None, {})


@pytest.mark.parametrize(
    ("family", "chat", "own", "thinking"),
    [
        ("qwen3", Chat(), "puts .* before the answer", {"answer": "assistant\n"}),
        ("qwen3_5_think", Chat(thinking=True), "trims the maze|puts .* before|not a prefix", {"answer": "<think>\n"}),
        ("gemma4", Chat(), "continues after the end", {"rules": "<|think|>\n"}),
        ("gemma", Chat(), "fails: .*System role not supported", {}),
        (None, Chat("plain"), "has no chat template", {}),
    ],
)
def test_what_is_wrong_with_a_template_and_what_thinking_does(family, chat, own, thinking):
    import re

    facts = facts_of(family, chat)
    assert re.search(own, facts["own_template"])
    assert set(facts["thinking"]) == set(thinking)
    assert all(text.endswith(thinking[place]) for place, text in facts["thinking"].items())
    assert "".join(token["text"] for token in facts["maze"]) == WALLED
    assert (facts["round_trip"] is None) == (chat.thinking is None)  # plain answers close no thought


def test_the_terminal_shows_every_token_within_a_hundred_columns():
    facts = facts_of("qwen3")
    console = show(facts, width=100, record=True)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    assert "#####↵" in text
    assert "round trip: rendered" in text
    hostile = {**facts, "model": "\x1b[2J", "own_template": "\x1b]0;x"}
    assert "\x1b" not in show(hostile, width=100, record=True).export_text()


def test_the_command_prints_the_facts_as_json(tmp_path):
    folder = save_model("qwen2_5", tmp_path / "model")
    file = tmp_path / "maze.txt"
    file.write_text(WALLED)
    words = ["tokens", str(folder), "--maze", str(file), "--json", "--save", str(tmp_path / "saved")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    facts = json.loads(done.stdout)
    assert AutoTokenizer.from_pretrained(tmp_path / "saved").chat_template == load_tokenizer(str(folder)).chat_template
    assert facts["maze_text"] == WALLED
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert [token["text"] for token in facts["answer"]] == [token["text"] for token in cut(tokenizer, "R R D D L L")]
