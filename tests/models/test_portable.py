"""A saved tokenizer asks, in the hands of any program, what an evaluation asks, and loses no mark of a thought."""

import pytest
from tokenizers import processors
from transformers import AutoTokenizer

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.mazes.prompts import prompt_messages
from ascii_maze.metrics.path_validity.scoring import parse_moves
from ascii_maze.models.chat import Chat, render_prompt
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.models.portable import save_portable
from ascii_maze.models.templates import set_chat_template

from ..training.families import tokenizer_of

TALK = prompt_messages("  S \n  # \n G  ")


def family(name: str, thinking: bool = False):
    """A tokenizer that begins every text with its bos, and its template set as an evaluation sets it."""
    tokenizer = tokenizer_of(name)
    bos = ("<bos>", tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[bos]
    )
    set_chat_template(tokenizer, Chat(thinking=thinking))
    return tokenizer


@pytest.mark.parametrize("thinking", [False, True])
@pytest.mark.parametrize("name", ["qwen3", "llama3_2", "gemma4_v5", "gptoss", "deepseek_r1_distill", "muse_glimmer"])
def test_any_program_asks_what_an_evaluation_asks(name, thinking, tmp_path):
    ours = family(name, thinking)
    asked = render_prompt(ours, TALK)
    assert ours(asked)["input_ids"] != ours(asked, add_special_tokens=False)["input_ids"]  # what would go wrong
    save_portable(ours, tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for options in ({}, {"enable_thinking": None}):  # some programs pass what they have no wish for
        text = theirs.apply_chat_template(TALK, tokenize=False, add_generation_prompt=True, **options)
        assert text == asked
    assert theirs(text)["input_ids"] == ours(asked, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("gptoss", "<|channel|>analysis<|message|>U?<|end|><|start|>assistant<|channel|>final<|message|>R D"),
        ("gemma4_v5", "<|channel>thought\nU?\n<channel|>R D"),
        ("muse_glimmer", " to=self<|message|>U?<|eom|><|start|>assistant to=user<|message|>R D"),
    ],
)
def test_marks_survive_the_decoding_of_others(name, written, tmp_path):
    save_portable(family(name, thinking=True), tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    decoded = theirs.decode(theirs(written)["input_ids"], skip_special_tokens=True)
    assert parse_moves(decoded) == "RD"


@pytest.mark.parametrize(("name", "end"), [("qwen3", "<|im_end|>"), ("phi3", "<|end|>"), ("gptoss", "<|return|>")])
def test_an_answer_ends_where_the_family_ends_it(name, end, tmp_path):
    save_portable(family(name), tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.eos_token == end
    assert theirs.decode(theirs(f"R D{end}")["input_ids"], skip_special_tokens=True) == "R D"


def test_it_may_be_saved_again_and_the_embedded_model_s_too(tmp_path):
    for _ in range(2):
        files = save_portable(load_tokenizer("tiny"), tmp_path)
    assert {path.name for path in files} == {path.name for path in tmp_path.iterdir() if path.suffix}
    theirs, tiny = AutoTokenizer.from_pretrained(tmp_path), load_tokenizer("tiny")
    assert theirs.get_vocab() == tiny.get_vocab()
    assert theirs.chat_template == tiny.chat_template


def test_a_folder_of_somebody_else_s_is_left_as_it_is(tmp_path):
    (tmp_path / "tokenizer.json").write_text("mine")
    with pytest.raises(UsageError, match="was not made by ascii-maze"):
        save_portable(load_tokenizer("tiny"), tmp_path)
    assert (tmp_path / "tokenizer.json").read_text() == "mine"


def test_a_slow_tokenizer_is_refused(tmp_path, monkeypatch):
    tokenizer = load_tokenizer("tiny")
    monkeypatch.setattr(type(tokenizer), "is_fast", False)
    with pytest.raises(AsciiMazeError, match="is a slow one"):
        save_portable(tokenizer, tmp_path)
