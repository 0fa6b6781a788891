"""Chat templates and tokenizers as strangers write them: each is used, or refused in one line."""

import json
import shutil

import pytest

from ascii_maze.errors import AsciiMazeError
from ascii_maze.models.chat import Chat, render_prompt, turn_ends
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.tiny import TINY

TALK = [{"role": "user", "content": "S G"}]
GOOD = "{% for message in messages %}{{ message.content }}{% endfor %}"


def model_of(folder, template=None, **config):
    """A folder with the embedded model's tokenizer, changed."""
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json", "chat_template.jinja"):
        shutil.copy(TINY / name, folder)
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, **config}))
    return str(folder)


# Each fails in a way of its own.
FAILING = [
    "{{ 1 / 0 }}",
    "{{ range(10 ** 9) | list }}",
    "{{ messages[7].content }}",
    "{{ messages.content.text }}",
    "{{ messages | nope }}",
    "{% for %}",
    "{{ raise_exception('no') }}",
    "{{ 'x'.__class__.__mro__ }}",
    "{{ [1] + 'x' }}",
    "{% include 'x' %}",
]


@pytest.mark.parametrize("template", FAILING)
def test_a_template_that_always_fails_is_one_line(tmp_path, template):
    with pytest.raises(AsciiMazeError, match="chat template") as caught:
        load_tokenizer(model_of(tmp_path / "model", template))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("templates", [[{"name": "tool_use", "template": GOOD}], 5, [], ""])
def test_templates_of_which_none_is_the_default_are_one_line(tmp_path, templates):
    model = model_of(tmp_path / "model", chat_template=templates)
    (tmp_path / "model" / "chat_template.jinja").unlink()
    with pytest.raises(AsciiMazeError, match=r"chat template.*; give --chat-template plain"):
        load_tokenizer(model)
    assert load_tokenizer(model, chat=Chat("plain")).chat_template


@pytest.mark.parametrize("failing", [template for template in FAILING if template not in ("{% for %}",)])
def test_a_template_that_fails_at_some_conversations_is_one_line(tmp_path, failing):
    tokenizer = load_tokenizer(model_of(tmp_path / "model"))
    tokenizer.chat_template = f"{{% if messages | length > 1 %}}{failing}{{% endif %}}{GOOD}"
    assert render_prompt(tokenizer, TALK) == "S G"
    assert turn_ends(tokenizer) == [tokenizer.eos_token_id]
    with pytest.raises(AsciiMazeError, match="chat template") as caught:
        render_prompt(tokenizer, TALK * 2)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_that_ends_nothing_is_one_line(tmp_path):
    model = model_of(tmp_path / "model", pad_token=None, eos_token=None)
    with pytest.raises(AsciiMazeError, match="has no end of text and no padding; name one as 'eos_token'"):
        load_tokenizer(model)
