import dataclasses
import json

import pytest

from ascii_maze.mazes.prompts import prompt_messages
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.tiny import EMBEDDED
from ascii_maze.tiny.pretraining.__main__ import RECIPE
from ascii_maze.tiny.pretraining.run import read_recipe
from ascii_maze.tiny.pretraining.vocabulary import BOS, CHAT_TEMPLATE, VOCABULARY


def test_every_character_is_a_token_and_so_is_a_move_with_its_blank():
    tokenizer = load_tokenizer("tiny")
    tokens = {index: token for token, index in VOCABULARY.items()}
    answer = {"role": "assistant", "content": "R R"}
    text = tokenizer.apply_chat_template([*prompt_messages("#####\n#S G#\n#####"), answer], tokenize=False)
    assert text == "<bos>#####\n#S G#\n#####<walk>R R<eos>"  # the system text is left out
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [tokens[i] for i in ids] == ["<bos>", *"#####\n#S G#\n#####", "<walk>", "R", " R", "<eos>"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "#####\n#S G#\n#####R R"
    assert tokens[tokenizer("É")["input_ids"][0]] == "<unk>"


@pytest.mark.parametrize(("name", "recipe"), [("tiny", RECIPE), ("tiny-plain", RECIPE.with_name("plain.yaml"))])
def test_weights_are_small_and_safe_and_the_files_are_those_of_the_recipe(name, recipe):
    folder, made_by = EMBEDDED[name], dataclasses.asdict(read_recipe(recipe))
    assert (folder / "model.safetensors").stat().st_size < 6e6
    assert not [path for path in folder.iterdir() if path.suffix in {".bin", ".pt", ".pkl"}]
    config = json.loads((folder / "config.json").read_text())
    assert {key: config[key] for key in made_by["model"]} == made_by["model"]
    assert load_tokenizer(name).get_vocab() == VOCABULARY
    assert (folder / "chat_template.jinja").read_text() == CHAT_TEMPLATE
    assert config["bos_token_id"] == BOS
