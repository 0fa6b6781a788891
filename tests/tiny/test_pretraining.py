import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml

from ascii_maze import Maze, generate_mazes
from ascii_maze.environment.env import MazeEnv
from ascii_maze.files import output_folder
from ascii_maze.mazes.prompts import format_answer, prompt_messages
from ascii_maze.mazes.splits import mark_of, split_of
from ascii_maze.metrics.path_validity.styles import STYLES
from ascii_maze.models.round_trip import Taught, find_problem
from ascii_maze.models.templates import SENTENCE, can_spell
from ascii_maze.tiny.pretraining import run as running
from ascii_maze.tiny.pretraining.__main__ import RECIPE
from ascii_maze.tiny.pretraining.corpus import (
    IGNORED,
    Shape,
    habit_batch,
    longest_walk,
    mazes_of_step,
    positions,
    skill_batch,
)
from ascii_maze.tiny.pretraining.run import Run, batch_of_step, hidden_states, pretrain, read_recipe, write_model
from ascii_maze.tiny.pretraining.validation import held_out_rates
from ascii_maze.tiny.pretraining.vocabulary import EOS, PAD, UNKNOWN, VOCABULARY, WALK, build_tokenizer

TOKENS = {index: token for token, index in VOCABULARY.items()}
STEPS = {"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)}


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(1024)


def test_whatever_a_maze_a_walk_or_a_thought_is_written_with_has_tokens(tokenizer):
    maze = generate_mazes("wilson", 4, 4, 1, 0)[0]
    said = [maze.to_ascii(style) for style in STYLES]
    for observation in ("full", "window:2+goal", "local+goal", "none"):
        env = MazeEnv(maze, observation, None)
        said += [env.first, env.turn("R D L U"), env.turn("look"), env.turn("stop")]
    said += ["right right down", "cima baixo esquerda direita", "→ ↓ ← ↑", "(1,1) (1,2)", "U D L R"]
    said += ["<think>1,1 R 1,3 *</think>\n<answer>R R</answer>", '{"name": "move", "arguments": {"steps": 2}}']
    for text in said:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert UNKNOWN not in ids, text
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert not can_spell(tokenizer, SENTENCE)  # by which the rules may be left out


def test_a_row_comes_back_from_its_tokens(tokenizer):
    maze = generate_mazes("wilson", 4, 4, 1, 0)[0]
    answer = format_answer(maze.solve())
    talk = [*prompt_messages(maze), {"role": "assistant", "content": answer}]
    prompt = tokenizer.apply_chat_template(talk[:-1], add_generation_prompt=True, return_dict=False)
    whole = tokenizer.apply_chat_template(talk, return_dict=False)
    assert whole[: len(prompt)] == prompt
    assert find_problem(tokenizer, Taught(talk[:-1], answer, prompt, whole[len(prompt) :])) is None
    masks = tokenizer.apply_chat_template(talk, return_dict=True, return_assistant_tokens_mask=True)
    assert masks["assistant_masks"] == [0] * len(prompt) + [1] * (len(whole) - len(prompt))


def test_turns_and_tool_calls_are_written_as_trl_needs_them_and_read_back(tokenizer):
    from trl.chat_template_utils import is_chat_template_prefix_preserving, supports_tool_calling

    assert supports_tool_calling(tokenizer)
    assert is_chat_template_prefix_preserving(tokenizer)
    call = {"type": "function", "function": {"name": "move", "arguments": {"direction": "R", "steps": 2}}}
    talk = [
        {"role": "user", "content": "#####\n#S G#\n#####"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "move", "content": "moved 2, goal"},
        {"role": "assistant", "content": "R"},
        {"role": "user", "content": "wall"},
    ]
    text = tokenizer.apply_chat_template(talk, tokenize=False)
    assert text == (
        '<bos>#####\n#S G#\n#####<walk><tool_call>{"name": "move", "arguments": {"direction": "R", "steps": 2}}'
        "</tool_call><eos><tool_response>moved 2, goal</tool_response><walk>R<eos><turn>wall"
    )
    said = text[text.index("<tool_call>") : text.index("<eos>") + 5]
    read = tokenizer.parse_response(tokenizer(said, add_special_tokens=False)["input_ids"], prefix="<walk>")
    assert read["tool_calls"] == [call]


def test_the_corpus_writes_what_the_chat_template_writes(tokenizer):
    mazes, keys = mazes_of_step("train", "wilson", 4, 0, 3, 40)
    batch = skill_batch(mazes, keys, Shape(4, 1, longest_walk(4)), wander=0.0)
    for maze, tokens in zip(mazes, batch.tokens, strict=True):
        messages = [*prompt_messages(maze), {"role": "assistant", "content": format_answer(maze.solve())}]
        expected = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)[:-1]  # the end is a label
        assert tokens[tokens != PAD].tolist() == expected[: np.count_nonzero(tokens != PAD)]
        assert len(expected) == np.count_nonzero(tokens != PAD) or maze.shortest > longest_walk(4)


def test_labels_are_the_way_to_the_goal_from_wherever_a_walk_is():
    shape = Shape(4, 3, 20)
    mazes, keys = mazes_of_step("train", "depth_first", 4, 0, 0, 64)
    batch = skill_batch(mazes, keys, shape, wander=1.0)
    begins = np.flatnonzero(batch.tokens[0] == WALK)
    strayed = 0
    for maze, tokens, labels in zip(mazes, batch.tokens, batch.labels, strict=True):
        assert labels[begins].min() > 0
        for begin in begins:
            walk, ways = tokens[begin + 1 : begin + 21], labels[begin : begin + 21]
            check_walk(maze, walk, ways)
            check_blanks(ways)
            spoken = [TOKENS[token].strip() for token in walk if token != PAD]
            strayed += "".join(spoken) != (maze.solve() or "")[:20]
        assert (labels[: begins[0]] == IGNORED).all()
    assert strayed > 64
    assert len({tuple(tokens[begins[1] :]) for tokens in batch.tokens}) > 32


def check_walk(maze: Maze, walk: np.ndarray, ways: np.ndarray) -> None:
    here = maze.start
    for token, label in zip([*walk, PAD], ways, strict=True):
        check_way(maze, here, label)
        if token == PAD:
            break
        down, right = STEPS[TOKENS[token].strip()]
        here = here[0] + down, here[1] + right
        assert maze.is_open(*here)


def check_blanks(labels: np.ndarray) -> None:
    """The first move of an answer is a letter, the others have a blank before it."""
    said = [TOKENS[label] for label in labels if label not in (IGNORED, EOS)]
    assert said[0] in STEPS
    assert {move[0] for move in said[1:]} <= {" "}


def check_way(maze: Maze, here: tuple[int, int], label: int) -> None:
    if here == maze.goal:
        assert label == EOS
        return
    down, right = STEPS[TOKENS[label].strip()]
    assert maze.distances[here[0] + down, here[1] + right] == maze.distances[here] - 1


def test_habits_are_walks_as_they_are():
    mazes, keys = mazes_of_step("train", "wilson", 5, 0, 0, 100)
    batch = habit_batch(mazes, keys, Shape(5, 1, longest_walk(5)), 0.3, (4, 6))
    begin = batch.tokens[0].tolist().index(WALK)
    for tokens, labels in zip(batch.tokens, batch.labels, strict=True):
        walk = [TOKENS[token].strip() for token in tokens[begin + 1 :] if token != PAD]
        said = [TOKENS[label].strip() for label in labels[begin:] if label != IGNORED]
        assert said[: len(walk)] == walk
        check_blanks(labels)
        assert (labels[:begin] == IGNORED).all()


def test_pre_training_sees_layouts_of_train_alone_and_validation_others():
    train = {maze.layout() for step in range(3) for maze in mazes_of_step("train", "depth_first", 4, 0, step, 150)[0]}
    held, _ = mazes_of_step("validation", "depth_first", 4, 0, 0, 50)
    assert {split_of(mark_of(maze, "layout"), "layout") for maze in held} == {"validation"}
    assert not train & {maze.layout() for maze in held}
    one, other = (mazes_of_step("train", "wilson", 6, 0, step, 50)[0].to_ascii() for step in (0, 1))
    assert not set(one) & set(other)


@pytest.fixture(scope="module")
def config():
    recipe = read_recipe(RECIPE)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    return dataclasses.replace(
        recipe,
        steps=4,
        sizes={3: 1},
        generators={"wilson": 1, "prim": 1},
        batch_tokens=400,
        validate_every=2,
        validate_mazes=16,
        model=recipe.model | small,
    )


def test_walks_through_one_maze_are_read_as_if_each_stood_alone(config):
    model = running.build_model(dataclasses.replace(config, model=config.model | {"num_hidden_layers": 2}))
    shape = Shape(3, 3, 10)
    mazes, keys = mazes_of_step("train", "wilson", 3, 0, 0, 8)
    batch = skill_batch(mazes, keys, shape, wander=1.0)
    with torch.no_grad():
        together = hidden_states(model, batch, "cpu")
        for walk in range(3):
            begin = shape.before_walks + walk * 11
            kept = np.r_[: shape.before_walks, begin : begin + 11]
            alone = model.model(input_ids=torch.from_numpy(batch.tokens[:, kept])).last_hidden_state
            assert positions(shape)[kept].tolist() == list(range(len(kept)))
            torch.testing.assert_close(together[:, kept], alone, atol=1e-5, rtol=1e-4)


def test_without_bfloat16_all_is_float32(config):
    model = running.build_model(config)
    batch = batch_of_step(config, 0, habits=False)
    labels = torch.from_numpy(batch.labels)
    logits = model.lm_head(hidden_states(model, batch, "cpu"))
    plain = torch.nn.functional.cross_entropy(logits[labels != IGNORED], labels[labels != IGNORED])
    torch.testing.assert_close(running.loss_of(model, batch, "cpu", bfloat16=False), plain)
    torch.testing.assert_close(running.logits_of(model, batch, "cpu", bfloat16=False), logits)
    assert not torch.equal(running.logits_of(model, batch, "cpu"), logits)


def weights(run: Run) -> bytes:
    return b"".join(parameter.detach().numpy().tobytes() for parameter in run.model.parameters())


def test_a_run_goes_on_to_the_bit_from_a_checkpoint_and_ends_in_two_models(config, tmp_path):
    whole = Run(config, tmp_path / "whole")
    lines = list(pretrain(whole))
    assert [line["step"] for line in lines] == [2, 4]
    assert set(lines[0]["optimal"]) == {"wilson 3x3", "prim 3x3"}
    cut = Run(dataclasses.replace(config, steps=2), tmp_path / "cut")
    list(pretrain(cut))
    resumed = Run(config, tmp_path / "cut")
    assert resumed.step == 2
    list(pretrain(resumed))
    assert weights(resumed) == weights(whole)
    ends = [Run(config, tmp_path / "cut", (3, plain)) for plain in (False, True)]
    for end in ends:
        assert end.end == 7
        list(pretrain(end))
    assert weights(ends[0]) != weights(ends[1])  # the last of the three steps was one of habits
    again = Run(config, tmp_path / "cut", (3, True))
    assert (again.step, again.end, weights(again)) == (7, 7, weights(ends[1]))
    assert Run(config, tmp_path / "cut").step == 4  # from which other ends can be made
    write_model(ends[0], tmp_path / "out")
    assert all((tmp_path / "out" / name).is_file() for name in ("model.safetensors", "config.json", "tokenizer.json"))


def test_the_learning_rate_warms_up_holds_and_falls(config):
    config = dataclasses.replace(config, warmup_steps=4)
    decay = running.Decay(10, 5, 2)
    factors = [running.learning_rate_factor(config, step, decay if step >= 10 else None) for step in range(15)]
    assert factors == pytest.approx([0.25, 0.5, 0.75, *[1] * 8, 0.8, 0.6, 0.4, 0.2])


def test_rates_count_mazes_that_are_walked_to_the_end_without_a_fault():
    def read(batch, spoilt=0.0):
        logits = torch.zeros(*batch.tokens.shape, len(VOCABULARY))
        wanted = torch.from_numpy(np.where(batch.labels == IGNORED, 0, batch.labels))
        logits.scatter_(2, wanted[..., None], 1.0)
        faults = torch.arange(len(logits)) < spoilt * len(logits)
        logits[faults, -longest_walk(5) - 1] = torch.nn.functional.one_hot(torch.tensor(EOS), len(VOCABULARY)).float()
        return logits

    rates = held_out_rates(read, [("wilson", 5)], 0, 40)
    assert rates == {"wilson 5x5": {"easy": 1.0, "hard": 1.0}}
    spoilt = held_out_rates(lambda batch: read(batch, 1.0), [("wilson", 5)], 0, 40)
    assert spoilt == {"wilson 5x5": {"easy": 0.0, "hard": 0.0}}


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE.with_name("plain.yaml")], ids=["tiny", "plain"])
def test_the_recipe_s_model_is_small_and_its_batches_are_what_it_asks_for(recipe):
    config = read_recipe(recipe)
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in running.build_model(config).parameters())
    assert parameters <= 3_000_000
    for step in range(6):
        batch = batch_of_step(config, step, habits=False)
        assert batch.tokens.shape[1] <= config.model["max_position_embeddings"]
        assert 0.8 * config.batch_tokens < batch.tokens.size <= config.batch_tokens


@pytest.mark.parametrize("habits", [False, True])
def test_what_is_trained_on_has_layouts_of_train_alone(config, habits):
    config = dataclasses.replace(config, sizes={4: 1, 5: 1})
    for step in range(6):
        batch = batch_of_step(config, step, habits)
        begin = batch.tokens[0].tolist().index(WALK)
        mazes = [Maze.from_ascii("".join(TOKENS[token] for token in tokens[1:begin])) for tokens in batch.tokens]
        assert {split_of(mark_of(maze, "layout"), "layout") for maze in mazes} == {"train"}


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    command = [sys.executable, "-m", "ascii_maze.tiny.pretraining", "--work", str(tmp_path)]
    with output_folder(tmp_path):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("ascii_maze.tiny.pretraining: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert str(tmp_path) in done.stderr


def test_processes_that_take_steps_together_come_to_what_one_comes_to(config, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(dataclasses.asdict(dataclasses.replace(config, warmup_steps=1))))
    command = [sys.executable, "-m", "ascii_maze.tiny.pretraining", str(recipe), "--work"]
    subprocess.run([*command, str(tmp_path / "two"), "--processes", "2"], check=True, capture_output=True)
    config = read_recipe(recipe)
    alone = Run(config, tmp_path / "one")
    list(pretrain(alone))
    together = Run(config, tmp_path / "two")
    assert together.step == alone.step == 4
    one, two, before = (
        torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        for model in (alone.model, together.model, running.build_model(config))
    )
    assert (one - before).abs().mean() > 1e-3
    assert (one - two).abs().mean() < 1e-4  # rounding
