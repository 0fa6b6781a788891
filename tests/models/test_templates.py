"""Conversations come through whole, with the templates that model families ship (TRL has them stored)."""

import datetime

import pytest
from transformers import AutoTokenizer

from ascii_maze import Maze, generate_mazes, prompt_messages
from ascii_maze.errors import UsageError
from ascii_maze.mazes.prompts import PLAIN
from ascii_maze.mazes.reasoning import thought_of
from ascii_maze.metrics.path_validity.scoring import parse_moves
from ascii_maze.models import templates
from ascii_maze.models.chat import Chat, Reading, how_read, read_answers, reading_of, render_prompt, turn_ends
from ascii_maze.models.templates import read_template, set_chat_template
from ascii_maze.tiny import TINY

from ..training.families import BAR, FAMILIES, tokenizer_of

# An open map: no wall at its edges, so that trimming it would lose blanks.
OPEN = "  S \n  # \n G  "
ANSWER = "R D D L"


def texts(tokenizer, messages=None) -> tuple[str, str]:
    """The prompt and the whole, as everything that uses the tokenizer renders them."""
    messages = messages or prompt_messages(OPEN)
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return prompt, tokenizer.apply_chat_template([*messages, {"role": "assistant", "content": ANSWER}], tokenize=False)


@pytest.mark.parametrize("family", [*FAMILIES, "tiny"])
def test_a_conversation_comes_through_whole(family):
    tokenizer = AutoTokenizer.from_pretrained(TINY) if family == "tiny" else tokenizer_of(family)
    set_chat_template(tokenizer)
    prompt, whole = texts(tokenizer)
    assert OPEN in prompt
    assert (PLAIN.system_prompt in prompt) == (family != "tiny")
    assert whole.startswith(prompt + ANSWER)
    assert whole.removeprefix(prompt + ANSWER).strip()
    tokens, prompt_tokens = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (whole, prompt))
    assert tokens[: len(prompt_tokens)] == prompt_tokens
    answer = tokenizer.decode(tokens[len(prompt_tokens) :], skip_special_tokens=True)
    assert answer.strip() == ANSWER
    assert tokens.count(tokenizer.bos_token_id) <= 1
    assert set(turn_ends(tokenizer)) & set(tokens[len(prompt_tokens) :])


@pytest.mark.parametrize(
    ("family", "before"),
    [
        ("qwen3", "<think>\n\n</think>\n\n"),
        ("qwen3_5_think", "<think>\n\n</think>\n\n"),
        ("glm4moe", "<think></think>\n"),
        ("gptoss", "<|channel|>final<|message|>"),
        ("deepseek_r1_distill", f"<{BAR}Assistant{BAR}>"),
        ("qwen2_5", "<|im_start|>assistant\n"),
    ],
)
def test_what_stands_before_the_answer_belongs_to_the_prompt(family, before):
    tokenizer = tokenizer_of(family)
    set_chat_template(tokenizer)
    assert texts(tokenizer)[0].endswith(before)


@pytest.mark.parametrize(
    ("family", "before"),
    [("qwen3", "assistant\n"), ("qwen3_5_think", "<think>\n"), ("deepseek_r1_distill", "<think>\n")],
)
def test_thinking_leaves_the_thought_to_the_model(family, before):
    tokenizer = tokenizer_of(family)
    set_chat_template(tokenizer, Chat(thinking=True))
    prompt, whole = texts(tokenizer)
    assert prompt.endswith(before)
    assert whole.startswith(prompt)


def test_rules_go_in_front_of_the_maze_where_there_is_no_system_role():
    tokenizer = tokenizer_of("gemma")
    set_chat_template(tokenizer)
    assert f"<start_of_turn>user\n{PLAIN.system_prompt}\n\n{OPEN}<end_of_turn>" in texts(tokenizer)[0]


@pytest.mark.parametrize("family", ["llama3_2", "gptoss"])
def test_a_prompt_is_the_same_on_another_day(family, monkeypatch):
    prompts = set()
    for day in (1, 2):
        tokenizer = tokenizer_of(family)

        class Day(datetime.datetime):
            @classmethod
            def now(cls, zone=None, day=day):
                return cls(2031, 3, day)

        monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", Day)
        set_chat_template(tokenizer)
        prompts.add(texts(tokenizer)[0])
    (prompt,) = prompts
    assert "2031" not in prompt
    assert "2024" in prompt


def test_a_tokenizer_without_a_template_is_refused_with_what_to_give_and_takes_plain_text():
    tokenizer = tokenizer_of(None)
    with pytest.raises(UsageError, match="no chat template; give --chat-template plain"):
        set_chat_template(tokenizer)
    set_chat_template(tokenizer, Chat("plain"))
    prompt, whole = texts(tokenizer)
    assert prompt == f"{PLAIN.system_prompt}\n\n{OPEN}\n\nAnswer:\n"
    assert whole == f"{prompt}{ANSWER}<eos>"


@pytest.mark.parametrize("given", ["", "Plain", "no/such.jinja", "."])
def test_what_is_no_file_is_no_template(given):
    with pytest.raises(UsageError, match="is neither 'plain' nor a Jinja file"):
        read_template(given)


def test_a_file_is_read_as_the_template_of_a_tokenizer_without_one(tmp_path):
    (tmp_path / "mine.jinja").write_text(templates.PLAIN_TEMPLATE.replace("Answer:", "Walk:"))
    tokenizer = tokenizer_of(None)
    set_chat_template(tokenizer, Chat(read_template(str(tmp_path / "mine.jinja"))))
    assert texts(tokenizer)[0].endswith("\n\nWalk:\n")
    assert how_read(tokenizer).template == "given"


@pytest.mark.parametrize("template", ["{{ messages[0].content }}", "{{ raise_exception('no') }}", "{{ x"])
def test_a_template_that_loses_a_message_is_refused(template):
    with pytest.raises((UsageError, templates.AsciiMazeError), match="chat template of"):
        set_chat_template(tokenizer_of(None), Chat(template))


@pytest.mark.parametrize("family", ["qwen2_5", "qwen3", "gemma", "llama3"])
def test_several_turns_are_the_family_s_own(family):
    ours, theirs = tokenizer_of(family), tokenizer_of(family)
    set_chat_template(ours)
    talk = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "R"},
        {"role": "user", "content": "second"},
    ]
    mine = ours.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    own = theirs.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    assert mine.replace("<think>\n\n</think>\n\n", "") == own.replace("<think>\n\n</think>\n\n", "")


def test_a_template_that_does_all_that_is_kept():
    tokenizer = tokenizer_of("qwen2_5")
    written = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}{% endfor %}"
    tokenizer.chat_template = written + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    own = tokenizer.chat_template
    set_chat_template(tokenizer)
    assert tokenizer.chat_template == own


@pytest.mark.parametrize("chat", [Chat(), Chat(thinking=True, thinking_tokens=7), Chat("plain")])
@pytest.mark.parametrize("family", ["qwen3", "nemotron_3_nano", "llama3_2"])
def test_what_was_chosen_stays_with_the_tokenizer(family, chat, tmp_path):
    tokenizer = tokenizer_of(family)
    set_chat_template(tokenizer, chat)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    set_chat_template(again)
    assert again.chat_template == tokenizer.chat_template
    assert how_read(again) == how_read(tokenizer)
    date = "2024-07-26" if family == "llama3_2" and chat.template is None else None
    template, thinking = "plain" if chat.template else "own", bool(chat.thinking)
    assert how_read(again) == Reading(template, thinking, 7 * thinking, date)


@pytest.mark.parametrize(
    "note", [None, [], "x", {"thinking": "yes", "thinking_tokens": -1, "pinned_date": {}, "template": 3}]
)
def test_a_stranger_s_note_is_ignored_where_it_makes_no_sense(note):
    assert reading_of({"ascii_maze": note}) == Reading()


def test_thinking_can_be_turned_on_and_off_after_the_training():
    tokenizer, untouched = tokenizer_of("qwen3_5_think"), tokenizer_of("qwen3_5_think")
    set_chat_template(tokenizer)
    once = texts(tokenizer)
    set_chat_template(tokenizer, Chat(thinking=True))
    assert texts(tokenizer)[0].endswith("<think>\n")
    set_chat_template(tokenizer, Chat(thinking=False))
    assert texts(tokenizer) == once
    asked = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": True}
    talk = prompt_messages("###\n#S#\n#G#\n###")
    assert tokenizer.apply_chat_template(talk, **asked) == untouched.apply_chat_template(talk, **asked)


@pytest.mark.parametrize(
    ("family", "thought"),
    [
        ("gptoss", {"thinking": "Not U."}),
        ("muse_glimmer", {"reasoning_content": "Not U."}),
        ("gemma4_v5", {"reasoning": "Not U."}),
        ("qwen3", {"reasoning_content": "Not U."}),
    ],
)
def test_an_answer_after_a_thought_is_read_by_the_marks_of_its_family(family, thought):
    """What a family's own template makes of thought and answer is what a model of that family writes."""
    tokenizer, talk = tokenizer_of(family), prompt_messages(OPEN)
    answered = [*talk, {"role": "assistant", "content": ANSWER, **thought}]
    whole = templates.render(tokenizer, answered, enable_thinking=True)
    set_chat_template(tokenizer, Chat(thinking=True))
    prompt = render_prompt(tokenizer, talk)
    last = prompt[prompt.rindex(OPEN) + len(OPEN) :]
    written = whole[whole.index(last, whole.index(OPEN.strip())) + len(last) :]  # some templates trim the map
    ends = turn_ends(tokenizer)
    (read,) = read_answers(tokenizer, [tokenizer(written, add_special_tokens=False)["input_ids"]], ends)
    assert parse_moves(read) == "RDDL"
    assert thought_of(read) == "Not U."
    unfinished = tokenizer(written[: written.index("U.")], add_special_tokens=False)["input_ids"]
    assert parse_moves(read_answers(tokenizer, [unfinished], ends)[0] + "R D") is None


@pytest.mark.parametrize("family", ["gemma4", "diffusion_gemma"])
def test_thinking_is_asked_for_where_a_family_asks_in_its_first_words(family):
    tokenizer = tokenizer_of(family)
    set_chat_template(tokenizer)
    assert "<|think|>" not in texts(tokenizer)[0]
    set_chat_template(tokenizer, Chat(thinking=True))
    for prompt in (texts(tokenizer)[0], texts(tokenizer, prompt_messages(OPEN)[1:])[0]):
        assert prompt.startswith("<bos><|turn>system\n<|think|>\n")


def test_a_thought_that_the_template_opens_is_not_opened_twice():
    tokenizer = tokenizer_of("qwen3_5_think")
    set_chat_template(tokenizer, Chat(thinking=True))
    messages = [*prompt_messages(OPEN), {"role": "assistant", "content": "<think>\nR is open\n</think>\nR D"}]
    whole = tokenizer.apply_chat_template(messages, tokenize=False)
    assert whole.endswith("assistant\n<think>\nR is open\n</think>\nR D<|im_end|>")


def test_it_is_saved_with_the_tokenizer(tmp_path):
    tokenizer = tokenizer_of("qwen3")
    set_chat_template(tokenizer)
    tokenizer.save_pretrained(tmp_path)
    assert texts(AutoTokenizer.from_pretrained(tmp_path)) == texts(tokenizer)


def test_every_maze_of_a_batch_is_read_back_from_its_prompt():
    tokenizer = tokenizer_of("llama3")
    set_chat_template(tokenizer)
    for text in generate_mazes("open_rooms", 4, 4, 20, 0).to_ascii():
        prompt, _ = texts(tokenizer, prompt_messages(text))
        assert Maze.from_ascii(prompt[prompt.index(text) :][: len(text)]) == Maze.from_ascii(text)
