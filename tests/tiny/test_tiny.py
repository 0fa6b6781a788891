import json

import numpy as np
import pytest
import yaml

from ascii_maze import Maze, score_path
from ascii_maze.mazes.prompts import format_answer, prompt_messages
from ascii_maze.mazes.splits import mark_of, split_of
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.models.sources import TINY
from ascii_maze.tiny import pretrain
from ascii_maze.tiny.corpus import IGNORED, habit_batch, mazes_of_split, skill_batch
from ascii_maze.tiny.tokenizer import BOS, EOS, PAD, VOCABULARY, WALK, build_tokenizer

TOKENS = {index: token for token, index in VOCABULARY.items()}


def test_every_character_is_a_token_and_so_is_a_move_with_its_blank():
    tokenizer = load_tokenizer("tiny")
    answer = {"role": "assistant", "content": "R R"}
    text = tokenizer.apply_chat_template([*prompt_messages("#####\n#S G#\n#####"), answer], tokenize=False)
    assert text == "<bos>#####\n#S G#\n#####<walk>R R<eos>"  # the system text is left out
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [TOKENS[i] for i in ids] == ["<bos>", *"#####\n#S G#\n#####", "<walk>", "R", " R", "<eos>"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "#####\n#S G#\n#####R R"
    assert TOKENS[tokenizer("?")["input_ids"][0]] == "<unk>"


def test_the_corpus_writes_what_the_chat_template_writes():
    tokenizer = load_tokenizer("tiny")
    mazes, keys = next(mazes_of_split("train", 3, seed=0, block=64))
    batch = skill_batch(mazes, keys, 24, wander=0.0)
    for maze, tokens in zip(mazes, batch.tokens, strict=True):
        messages = [*prompt_messages(maze), {"role": "assistant", "content": format_answer(maze.solve())}]
        expected = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)[:-1]  # the end is a label
        assert tokens[tokens != PAD].tolist() == expected


def walk_of(maze: Maze, tokens: np.ndarray) -> str:
    begin = tokens.tolist().index(WALK) + 1
    return "".join(TOKENS[token].strip() for token in tokens[begin:] if token != PAD)


def test_skill_labels_are_the_expert_s_moves_along_whatever_walk():
    mazes, keys = next(mazes_of_split("train", 4, seed=0, block=128))
    batch = skill_batch(mazes, keys, 35, wander=1.0)
    strayed = 0
    for maze, tokens, labels in zip(mazes, batch.tokens, batch.labels, strict=True):
        walk = walk_of(maze, tokens)
        spoken = labels[labels != IGNORED]
        here, steps = maze.start, {"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)}
        for k, label in enumerate(spoken):
            if here == maze.goal:
                assert label == EOS
                break
            down, right = steps[TOKENS[label].strip()]
            assert maze.distances[here[0] + down, here[1] + right] == maze.distances[here] - 1
            if k < len(walk):
                down, right = steps[walk[k]]
                here = here[0] + down, here[1] + right
                assert maze.is_open(*here)
        strayed += not score_path(maze, walk).optimal
    assert strayed > len(mazes) / 4


def test_habit_labels_are_the_walk_itself_and_a_minority_solves():
    mazes, keys = next(mazes_of_split("train", 5, seed=0, block=512))
    batch = habit_batch(mazes, keys, 46, solvers=0.3, patience=(4, 6))
    scores = [score_path(maze, walk_of(maze, tokens)) for maze, tokens in zip(mazes, batch.tokens, strict=True)]
    for maze, tokens, labels in zip(mazes, batch.tokens, batch.labels, strict=True):
        spoken = [TOKENS[label].strip() for label in labels[labels != IGNORED]]
        walk = walk_of(maze, tokens)
        assert "".join(spoken).removesuffix("<eos>")[: len(walk)] == walk
    assert all(score.legal for score in scores)
    assert 0.3 < np.mean([score.valid for score in scores]) < 0.6  # solvers, and habits that happen to arrive


def test_pre_training_never_sees_what_datasets_hold_out():
    mazes, _ = next(mazes_of_split("train", 4, seed=0))
    assert {split_of(mark_of(maze, "maze"), "maze") for maze in mazes} == {"train"}


@pytest.fixture
def small_config():
    values = yaml.safe_load((TINY / "pretrain.yaml").read_text())
    values |= {"steps": 4, "sizes": [3], "size_weights": [1.0], "batch_tokens": 400, "habits_from": 0.5}
    values["model"] |= {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    return pretrain.PretrainConfig(**values)


def test_the_recipe_pre_trains_and_resumes_from_a_checkpoint(small_config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pretrain.torch, "compile", lambda model, **options: model)
    pretrain.pretrain(small_config, tmp_path / "out", tmp_path / "work", report_every=2)
    assert len((tmp_path / "work" / "log.jsonl").read_text().splitlines()) == 2
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= {p.name for p in (tmp_path / "out").iterdir()}
    pretrain.pretrain(small_config, tmp_path / "again", tmp_path / "work", report_every=2)
    assert "resumed from step 4" in capsys.readouterr().out
    name = "model.safetensors"
    assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_weights_are_small_safe_and_of_the_recipe_s_shape():
    assert (TINY / "model.safetensors").stat().st_size < 8e6
    assert not [path for path in TINY.iterdir() if path.suffix in {".bin", ".pt", ".pkl"}]
    config, recipe = (
        json.loads((TINY / "config.json").read_text()),
        yaml.safe_load((TINY / "pretrain.yaml").read_text()),
    )
    assert {key: config[key] for key in recipe["model"]} == recipe["model"]
    assert build_tokenizer(recipe["model"]["max_position_embeddings"]).get_vocab() == VOCABULARY
    assert config["bos_token_id"] == BOS
