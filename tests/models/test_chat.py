"""Tokenizers and turn ends: what an adapter was trained with is what it is read with."""

import json
import shutil

import pytest

from ascii_maze.models.chat import count_tokens, turn_ends
from ascii_maze.models.generation import generate
from ascii_maze.models.loading import load_model, load_tokenizer
from ascii_maze.tiny import TINY

PROMPT = [{"role": "user", "content": "#####\n#S G#\n#####"}]


@pytest.fixture
def tokenizer():
    return load_tokenizer("tiny")


@pytest.mark.parametrize(
    ("after", "ends"),
    [
        ("<eos>", [2]),
        ("<end>\n", [2, 123]),
        ("\n<end>\n", [2, 123]),
        ("", [2]),
        ("R", [2]),
        ("{{ raise_exception('no') }}", [2]),
    ],
)
def test_an_answer_ends_with_the_eos_and_with_what_the_template_writes(tokenizer, after, ends):
    tokenizer.add_tokens(["<end>"])
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}" + after + "{% endfor %}"
    assert turn_ends(tokenizer) == ends


def other_end(folder):
    """`tiny` with a template that ends turns with a token that is not its eos."""
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    tokenizer = load_tokenizer("tiny")
    tokenizer.chat_template = tokenizer.chat_template.replace("<eos>", "<walk>")
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_turn_end_that_is_no_eos_ends_the_answer(tmp_path, monkeypatch):
    """The model writes it after two moves, and would go on to the last token that it may write."""
    import torch

    model, tokenizer = load_model(other_end(tmp_path / "model"))
    moves = [tokenizer.convert_tokens_to_ids(token) for token in tokenizer.tokenize("R R<walk>R R R R R R")]
    width = len(tokenizer.apply_chat_template(PROMPT, add_generation_prompt=True, return_dict=True)["input_ids"])
    forward = type(model).forward

    def writes(self, *arguments, **keywords):
        output = forward(self, *arguments, **keywords)
        written = output.past_key_values.get_seq_length() - width
        output.logits[:] = torch.nn.functional.one_hot(torch.tensor(moves[written]), output.logits.shape[-1]).float()
        return output

    monkeypatch.setattr(type(model), "forward", writes)
    assert generate(model, tokenizer, [PROMPT], 8) == [tokenizer.decode(moves[:2])]


def test_an_adapter_is_read_with_its_own_tokenizer_and_template(tmp_path):
    from ascii_maze.models.loading import load_tokenizer_of
    from ascii_maze.models.sources import find_model

    from .test_sources import write_adapter

    folder = write_adapter(tmp_path / "adapter")
    assert load_tokenizer_of(find_model(folder)).chat_template == load_tokenizer("tiny").chat_template
    own = load_tokenizer("tiny")
    own.chat_template, own.eos_token = own.chat_template.replace("<eos>", "<walk>"), "<walk>"
    own.save_pretrained(folder)
    read = load_tokenizer_of(find_model(folder))
    assert (read.chat_template, read.eos_token, read.padding_side) == (own.chat_template, "<walk>", "left")
    (tmp_path / "adapter" / "chat_template.jinja").unlink()
    values = json.loads((tmp_path / "adapter" / "tokenizer_config.json").read_text())
    values.pop("chat_template", None)
    (tmp_path / "adapter" / "tokenizer_config.json").write_text(json.dumps(values))
    without = load_tokenizer_of(find_model(folder))
    assert without.chat_template == load_tokenizer("tiny").chat_template  # the base's, where its own has none
    assert without.eos_token == "<walk>"


def test_counting_the_tokens_of_a_long_text_warns_of_nothing(capfd):
    """A conversation is counted before it is cut to the model's context."""
    tokenizer = load_tokenizer(TINY)
    assert count_tokens(tokenizer, "#" * 3000) > tokenizer.model_max_length
    assert "longer than" not in capfd.readouterr().err
    assert not tokenizer.deprecation_warnings
