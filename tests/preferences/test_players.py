"""Models that walk on demand: the embedded one, with adapters that were never trained."""

import json

import pytest

from ascii_maze import generate_mazes
from ascii_maze.errors import UsageError
from ascii_maze.preferences.players import Players, default_models, is_adapter

MAZES = generate_mazes("depth_first", 3, 3, 4, 5)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """An adapter of `tiny` that turns its answers upside down, more or less."""
    import torch
    from peft import LoraConfig, get_peft_model

    from ascii_maze.models.loading import load_model

    folder = tmp_path_factory.mktemp("adapter")
    model, tokenizer = load_model("tiny")
    torch.manual_seed(0)
    tuned = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=1.0)
    tuned.save_pretrained(folder, save_embedding_layers=False)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "tiny"}))
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def players(adapter):
    return Players({"tiny": "tiny", "tuned": str(adapter), "again": str(adapter)})


def test_adapters_of_one_base_share_it_and_are_switched(players):
    from ascii_maze.mazes.prompts import prompt_messages
    from ascii_maze.models.generation import answer_mazes
    from ascii_maze.models.loading import load_model

    assert players.bases == 1
    said = {name: players.answer(name, MAZES) for name in ("tuned", "tiny", "again", "tiny")}
    assert said["tuned"] == said["again"] != said["tiny"]
    alone = answer_mazes(*load_model("tiny"), [{"prompt": prompt_messages(maze), "maze": str(maze)} for maze in MAZES])
    assert said["tiny"] == [answers[0] for answers in alone]


def test_the_probabilities_are_those_by_which_each_move_was_chosen(players):
    for maze in MAZES:
        completion, chances = players.walk("tiny", maze)
        moves = completion.replace(" ", "")
        assert len(chances) == len(moves)
        for move, row in zip(moves, chances):
            assert max(row) == row["UDLR".index(move)]  # greedy takes the likeliest
            assert 0 < sum(row) <= 1.001


def test_who_is_not_there_and_what_is_too_large_are_one_line(players):
    with pytest.raises(UsageError, match="there is no model 'x' here; there are tiny, tuned, again"):
        players.answer("x", MAZES)
    with pytest.raises(UsageError, match="no model was named"):
        Players({})
    large = generate_mazes("depth_first", 40, 40, 1, 0)
    with pytest.raises(UsageError, match="tokens long, and 'tiny' reads"):
        players.answer("tiny", large)


def test_finished_adapters_that_answer_are_the_default(tmp_path, adapter):
    for name in ("sft", "unfinished", "reward"):
        folder = tmp_path / name
        folder.mkdir()
        for file in ("adapter_config.json", "adapter_model.safetensors"):
            (folder / file).write_bytes((adapter / file).read_bytes())
        if name != "unfinished":
            (folder / "metrics.json").write_text("{}")
    config = tmp_path / "reward" / "adapter_config.json"
    config.write_text(config.read_text().replace('"CAUSAL_LM"', '"SEQ_CLS"'))
    assert default_models(tmp_path) == {"tiny": "tiny", "sft": str(tmp_path / "sft")}
    assert not is_adapter(tmp_path / "nothing")
