"""A report reads and ends answers as its adapters were trained to, whatever the base's folder says."""

import shutil

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.mri.models import find_adapters, load_models
from ascii_maze.mri.positions import locate_walks

from ..small import save_own_tokenizer


def test_tokenizer_template_and_end_are_those_of_the_adapter_s_folder(adapters, rows, tmp_path):
    shutil.copytree(adapters["random"], tmp_path, dirs_exist_ok=True)
    own = save_own_tokenizer(tmp_path)
    models = load_models(find_adapters("tiny", {"own": str(tmp_path)}))
    assert models.tokenizer.chat_template == own.chat_template
    assert own.convert_tokens_to_ids("<mark0>") in models.ends
    (walk,) = locate_walks(rows[:1], models.tokenizer, seed=0)
    assert own.convert_ids_to_tokens(int(walk.ids[0])) == "<mark1>"


@pytest.mark.parametrize("token", ["eos_token", "bos_token"])
def test_adapters_whose_template_writes_unlike_tokens_are_in_no_one_report(adapters, tmp_path, token):
    """The template itself is the same; it names the token."""
    places = {}
    for name, mark in (("one", "<mark0>"), ("other", "<mark1>")):
        places[name] = str(shutil.copytree(adapters["random" if name == "one" else "zero"], tmp_path / name))
        tokenizer = load_tokenizer("tiny")
        tokenizer.chat_template = tokenizer.chat_template.replace("'<bos>'", "bos_token").replace(
            "'<eos>'", "eos_token"
        )
        setattr(tokenizer, token, mark)
        tokenizer.save_pretrained(places[name])
    with pytest.raises(UsageError, match=r"'other' .* was trained with another tokenizer or chat template"):
        load_models(find_adapters("tiny", places))
