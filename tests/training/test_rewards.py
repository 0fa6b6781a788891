"""The reward that can be checked, and the ways to cheat it that are known."""

import random
from itertools import product
from statistics import mean
from types import SimpleNamespace

import pytest
from datasets import Dataset

import ascii_maze
from ascii_maze import Maze, generate_mazes
from ascii_maze.mazes.baselines import random_walk
from ascii_maze.mazes.prompts import PLAIN, PromptStyle, format_answer, format_completion, prompt_messages
from ascii_maze.mazes.reasoning import think, wrap
from ascii_maze.metrics.path_validity.maze import MOVES
from ascii_maze.models.chat import Chat
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.models.templates import set_chat_template
from ascii_maze.recipe import RunArguments
from ascii_maze.training import grpo, rlhf
from ascii_maze.training.rewards import WEIGHTS, Terms, coin, judge, reward_function, thought_figures

from ..small import save_own_tokenizer
from .families import tokenizer_of

MAZE = "#####\n#S  #\n### #\n#G  #\n#####"
BEST = sum(WEIGHTS)


@pytest.fixture(scope="module")
def mazes():
    return [maze for size in (3, 4, 5) for maze in generate_mazes("depth_first", size, size, 20, size)]


def test_the_shortest_path_as_asked_earns_everything(mazes):
    for maze in mazes:
        terms = judge(str(maze), format_answer(maze.solve()))
        assert terms == Terms(1.0, 1.0, 1.0, 1.0)
        assert terms.total() == pytest.approx(BEST)


@pytest.mark.parametrize("style", [PromptStyle("pt", "dots", "words"), PromptStyle("en", "hash", "coordinates")])
def test_format_is_that_of_the_prompt(style):
    maze = Maze.from_ascii(MAZE)
    asked = format_answer("RRDDLL", style, maze.start)
    assert judge(MAZE, asked, style).format == 1.0
    assert judge(MAZE, "R R D D L L", style).format == 0.0


def test_where_a_thought_is_asked_for_one_must_be_there_before_the_answer_in_its_tags():
    maze, style = Maze.from_ascii(MAZE), PromptStyle(reasoning="steps")
    asked = format_completion(maze, "RRDDLL", style)
    assert judge(MAZE, asked, style) == Terms(1.0, 1.0, 1.0, 1.0)
    assert judge(MAZE, "<think>whatever</think><answer>R R D D L L</answer>", style).format == 1.0
    for other in ("R R D D L L", "<answer>R R D D L L</answer>", "<think>whatever</think>R R D D L L"):
        assert judge(MAZE, other, style) == Terms(1.0, 1.0, 0.0, 1.0)
    assert judge(MAZE, "<think>whatever</think><answer>R</answer>", style).format == 0.0  # of a valid walk alone
    assert judge(MAZE, asked.replace("</think>", ""), style) == Terms()


class Trainer:
    """What remains of TRL's trainers where only what they are given is looked at."""

    def __init__(self, **arguments):
        self.args, self.arguments, self.reward_func_names = arguments["args"], arguments, [None]


def test_the_reward_model_reads_with_the_tokenizer_template_and_end_of_its_own_folder(tmp_path):
    """And not with the policy's, nor its base's."""
    from peft import LoraConfig, get_peft_model
    from trl import ModelConfig

    from ascii_maze.models.loading import load_base

    base = load_base(ModelConfig(model_name_or_path="tiny", dtype="float32", lora_task_type="SEQ_CLS"))
    model = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj"], task_type="SEQ_CLS"))
    model.peft_config["default"].base_model_name_or_path = "tiny"
    model.save_pretrained(tmp_path, save_embedding_layers=False)
    own, run = save_own_tokenizer(tmp_path), RunArguments(reward_model_name_or_path=str(tmp_path))
    rows = Dataset.from_dict({"prompt": [prompt_messages(MAZE)]})
    trainer = rlhf.make_trainer(Trainer, run, SimpleNamespace(), rows, load_tokenizer("tiny"))
    reads = trainer.arguments["reward_processing_classes"][0]
    assert (reads.chat_template, reads.eos_token) == (own.chat_template, "<mark0>")


def test_length_and_truth_of_thoughts_are_logged_beside_the_reward_with_weight_0():
    asked, plain = (
        Dataset.from_dict({"prompt": [prompt_messages(MAZE), prompt_messages(MAZE, style)]})
        for style in (PromptStyle(reasoning="steps"), PLAIN)
    )
    tokenizer = load_tokenizer("tiny")
    for rows, weights in ((asked, [1.0, 0.5, 0.1, 0.3, 0.0, 0.0]), (plain, list(WEIGHTS))):
        args = SimpleNamespace(reward_weights=list(WEIGHTS))
        trainer = grpo.make_trainer(Trainer, RunArguments(), args, rows, tokenizer)
        assert args.reward_weights == weights
        tossed = SimpleNamespace(reward_weights=list(WEIGHTS), seed=0)
        by_coin = grpo.make_trainer(Trainer, RunArguments(random_reward=True), tossed, rows, tokenizer)
        assert tossed.reward_weights == [0.0] * len(weights) + [1.0]
        assert by_coin.arguments["reward_funcs"][-1].__name__ == "coin"
        names = [function.__name__ for function in trainer.arguments["reward_funcs"]]
        assert names == [*Terms._fields, "thought_length", "thought_true"][: len(weights)]
    maze = Maze.from_ascii(MAZE)
    thought = think(maze, "steps")
    assert thought_figures(MAZE, wrap(thought, "R")) == {"thought_length": len(thought), "thought_true": 1.0}
    assert thought_figures(MAZE, wrap("1,1 L", "R")) == {"thought_length": 5, "thought_true": 0.0}
    assert thought_figures(MAZE, "R") == {"thought_length": 0, "thought_true": None}


def test_every_valid_walk_is_worth_more_than_any_other():
    """All walks of up to seven moves in a small maze."""
    walks = {"".join(moves) for length in range(1, 8) for moves in product(MOVES, repeat=length)}
    rewards = {True: [], False: []}
    for walk in walks:
        terms = judge(MAZE, walk)
        rewards[terms.validity == 1.0].append(terms.total())
    assert len(rewards[True]) == 1  # the way is six moves long, and only the shortest walk fits in seven
    assert max(rewards[False]) < min(rewards[True])


def test_a_longer_valid_walk_earns_less_for_each_move_more():
    totals = [judge(MAZE, "RL" * detours + "RRDDLL").total() for detours in range(5)]
    assert totals == sorted(totals, reverse=True)
    assert len(set(totals)) == 5


def test_fifty_moves_that_brush_the_goal_earn_next_to_nothing(mazes):
    """Wandering at random passes the goal of a small maze more often than not."""
    for number, maze in enumerate(mazes):
        walk, here, rng = "", maze.start, random.Random(number)
        while len(walk) < 50 or here == maze.goal:
            move, here = rng.choice(maze.neighbours(*here))
            walk += move
        terms = judge(str(maze), format_answer(walk))
        assert terms.validity == terms.shortness == terms.format == 0.0
        assert WEIGHTS[3] * terms.progress < 0.1 * BEST


def test_an_answer_without_its_closing_tag_loses_every_term():
    closed, open_ended = "<answer>R R D D L L</answer>", "<answer>R R D D L L"
    assert judge(MAZE, closed).total() == pytest.approx(BEST)
    assert judge(MAZE, open_ended) == Terms()


@pytest.mark.parametrize("answer", ["", " ", "<eos>", "I cannot see a way.", "R" * 50 + "?", "<answer></answer>"])
def test_what_cannot_be_read_earns_nothing(answer):
    assert judge(MAZE, answer) == Terms()


@pytest.mark.parametrize("length", [1, 4, 50])
def test_always_going_right_on_small_grids_does_not_pay(mazes, length):
    right = mean(judge(str(maze), format_answer("R" * length)).total() for maze in mazes)
    assert right < 0.15 * BEST
    honest = mean(judge(str(maze), format_answer(random_walk(maze, random.Random(1)))).total() for maze in mazes)
    assert honest > 3 * right


def test_going_on_against_a_wall_earns_no_more_than_stopping():
    assert judge(MAZE, "R R R R R R").total() <= judge(MAZE, "R R").total()


def test_each_term_is_a_function_as_trl_calls_it():
    prompts = [prompt_messages(MAZE)] * 2
    tokenizer = load_tokenizer("tiny")
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("R R D D L L", "L")]
    for number, term in enumerate(Terms._fields):
        function = reward_function(term, tokenizer)
        assert function.__name__ == term
        got = function(prompts=prompts, completion_ids=ids, maze=[MAZE] * 2, id=["a", "b"], trainer_state=None)
        assert got == [judge(MAZE, "R R D D L L")[number], 0.0]


@pytest.mark.parametrize("family", ["qwen3_5_think", "nemotron_3_nano"])
def test_a_thought_that_the_prompt_opened_has_to_be_closed(family):
    """The tags are special tokens here, which TRL's own text of a completion lacks."""
    tokenizer = tokenizer_of(family)
    set_chat_template(tokenizer, Chat(thinking=True))
    answers = ("R R D D L L", "Down there.\n</think>\n\nR R D D L L", "R R D D L L</think>")
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in answers]
    validity = reward_function("validity", tokenizer)
    assert validity(prompts=[prompt_messages(MAZE)] * 3, completion_ids=ids, maze=[MAZE] * 3) == [0.0, 1.0, 0.0]
    set_chat_template(tokenizer, Chat(thinking=False))
    validity = reward_function("validity", tokenizer)
    assert validity(prompts=[prompt_messages(MAZE)], completion_ids=ids[:1], maze=[MAZE]) == [1.0]


def test_a_rollout_ends_with_what_the_template_writes_after_an_answer():
    from ascii_maze.training.trainer import end_at_turns

    tokenizer = tokenizer_of("qwen2_5")  # its eos is another
    set_chat_template(tokenizer)
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=[7]))
    training = SimpleNamespace(use_vllm=True, generation_kwargs=None)
    end_at_turns(model, tokenizer, training)
    ends = sorted({7, tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")})
    assert model.generation_config.eos_token_id == ends
    assert training.generation_kwargs == {"stop_token_ids": ends}


def test_a_coin_says_nothing_of_the_walk_and_falls_the_same_way_in_a_resumed_run():
    toss, step = coin(0), SimpleNamespace(global_step=3)
    mazes = [MAZE] * 400
    found = toss(prompts=[], completions=["R"] * 400, maze=mazes, trainer_state=step, id=[])
    assert set(found) == {0.0, 1.0}
    assert 160 < sum(found) < 240
    assert toss(prompts=[], completions=["L"] * 400, maze=mazes, trainer_state=step) == found
    assert coin(1)(prompts=[], completions=["R"] * 400, maze=mazes, trainer_state=step) != found
    assert toss(prompts=[], completions=["R"] * 400, maze=mazes, trainer_state=SimpleNamespace(global_step=4)) != found


def test_the_reward_for_anybody_s_trainer_is_the_sum_that_the_recipe_weighs():
    answers = ["R R D D L L", "R", "no idea"]
    wanted = [judge(MAZE, answer).total() for answer in answers]
    assert wanted[0] == pytest.approx(sum(WEIGHTS))
    assert wanted[2] == 0
    messages = [[{"role": "assistant", "content": answer}] for answer in answers]
    prompts = [prompt_messages(MAZE)] * 3
    for asked, completions in ((prompts, messages), (["Walk."] * 3, answers)):
        given = ascii_maze.path_reward(prompts=asked, completions=completions, maze=[MAZE] * 3, id=["a", "b", "c"])
        assert given == wanted
