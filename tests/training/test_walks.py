"""Training on walks step by step with the tokenizer of the embedded model and random weights: SFT on config `steps`,
GRPO from it, and an evaluation read and write the same tokens.
"""

import copy
import itertools
import json
from pathlib import Path

import pytest

from ascii_maze import generate_mazes
from ascii_maze.environment.demonstrations import FORMS
from ascii_maze.environment.env import MazeEnv
from ascii_maze.environment.prompts import step_prompt
from ascii_maze.environment.tools import MazeTools, maze_tools
from ascii_maze.errors import UsageError
from ascii_maze.models.chat import render_prompt
from ascii_maze.models.templates import marked_template, set_chat_template
from ascii_maze.recipe import load_recipe, parse_recipe
from ascii_maze.tiny.pretraining.__main__ import RECIPE
from ascii_maze.tiny.pretraining.run import build_model, read_recipe
from ascii_maze.tiny.pretraining.vocabulary import build_tokenizer
from ascii_maze.training.data import check_lengths, load_rows, measure_lengths
from ascii_maze.training.preflight import example_lines, prove_round_trip
from ascii_maze.training.steps import reading_turns
from ascii_maze.training.tokenised import parts_of, taught_by, tokenise
from dataset_builder.build import build
from dataset_builder.config import BuildConfig
from dataset_builder.load import load_split

from .conftest import history, interrupt_at, settings
from .families import tokenizer_of

FAMILIES = ("tiny", "qwen3", "llama3_2", "gemma", "deepseek_r1_distill", "plain")
COLUMNS = ("prompt", "completion")
TURN = "turn"


def tokenizer(family):
    """A tokenizer as a run has it."""
    if family == "tiny":
        made = build_tokenizer(1024)
    else:
        made = tokenizer_of(None if family == "plain" else family)
        made.chat_template = "plain" if family == "plain" else made.chat_template
        if family == "plain":
            from ascii_maze.models.templates import PLAIN_TEMPLATE

            made.chat_template = PLAIN_TEMPLATE
    set_chat_template(made)
    return made


@pytest.fixture(scope="module", params=FORMS)
def walks(request, tmp_path_factory):
    """A dataset of walks in one form."""
    return built(tmp_path_factory, request.param)


@pytest.fixture(scope="module")
def text_walks(tmp_path_factory):
    """A dataset of walks in text."""
    return built(tmp_path_factory, "text")


def built(tmp_path_factory, form) -> Path:
    folder = tmp_path_factory.mktemp(form) / "walks"
    config = BuildConfig(
        name="walks",
        sizes={"3x3": 1},
        generators={"depth_first": 1},
        splits={"train": 24, "validation": 4},
        steps={"window:2 depth_first": 2, "local wall_follower": 1},
        turns=form,
    )
    build(config, folder)
    return folder


@pytest.fixture(scope="module")
def arguments():
    """TRL's config of `recipes/tiny/sft_steps.yaml`."""
    return parse_recipe(load_recipe("recipes/tiny/sft_steps.yaml", [])).training


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of the embedded model's next base, with random weights."""
    folder, config = tmp_path_factory.mktemp("model") / "tiny", read_recipe(Path(RECIPE))
    build_model(config).save_pretrained(folder)
    build_tokenizer(config.model["max_position_embeddings"]).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_sft_and_grpo_and_an_evaluation_read_the_same_tokens(family, text_walks, arguments):
    """TRL's GRPO goes on from the tokens that it has; the others write the whole conversation again."""
    plain, rows = tokenizer(family), load_split(str(text_walks), "train", "steps").select(range(3))
    reader = reading_turns(plain)
    for row, talk in zip(tokenise("sft", arguments, plain, rows.select_columns(COLUMNS)), rows):
        messages, rollout = list(talk["prompt"]), None
        parts = parts_of(row)
        assert len(parts) == (len(talk["completion"]) + 1) // 2
        for part, answer, said in itertools.zip_longest(parts, talk["completion"][::2], talk["completion"][1::2]):
            asked = plain(render_prompt(plain, messages), add_special_tokens=False)["input_ids"]
            rollout = asked if rollout is None else rollout
            assert part.prompt_ids == asked == rollout
            assert plain.decode(part.answer_ids, skip_special_tokens=True) == answer["content"]
            assert part.answer_ids[-1] in plain.added_tokens_decoder
            if said:
                messages += [answer, said]
                rollout = [*rollout, *part.answer_ids, *suffix(reader, said["content"])]


def suffix(reader, said: str) -> list[int]:
    """What TRL puts behind a turn: the answer of a tool, and the sign that the model is next."""
    from trl import GRPOTrainer

    trainer = object.__new__(GRPOTrainer)
    vars(trainer).update(processing_class=reader, _tokenizer=reader, chat_template=None, chat_template_kwargs={})
    trainer._is_vlm = False
    return trainer._get_tool_suffix_ids([{"role": "tool", "name": TURN, "content": said}])


def test_a_preflight_proves_every_turn(walks, arguments):
    rows, plain, arguments = load_split(str(walks), "train", "steps"), tokenizer("tiny"), copy.copy(arguments)
    arguments.max_length = 4096
    taught = taught_by("sft", arguments, plain, rows)
    turns = sum((len(row["completion"]) + 1) // 2 for row in rows)
    assert len(taught) == turns
    assert prove_round_trip("sft", arguments, plain, rows) > 8
    shown = example_lines(plain, tokenise("sft", arguments, plain, rows.select([0]).select_columns(COLUMNS))[0])
    assert shown.count("loss on:") == (len(rows[0]["completion"]) + 1) // 2
    assert shown[0] == "example, no loss on:"


def test_a_walk_that_is_cut_teaches_its_first_turns(text_walks, arguments):
    rows, plain, short = load_split(str(text_walks), "train", "steps"), tokenizer("tiny"), copy.copy(arguments)
    short.max_length = 120
    row = max(rows, key=lambda row: len(row["completion"]))
    rows = rows.filter(lambda other: other["id"] == row["id"])
    assert 1 <= len(taught_by("sft", short, plain, rows)) < (len(row["completion"]) + 1) // 2
    check_lengths(rows, measure_lengths(rows, plain), plain, short, False)


def test_loss_on_what_a_walker_is_told_is_refused(text_walks, arguments):
    rows, plain, whole = load_split(str(text_walks), "train", "steps"), tokenizer("tiny"), copy.copy(arguments)
    whole.assistant_only_loss = False
    with pytest.raises(UsageError, match="set --assistant_only_loss true"):
        check_lengths(rows, measure_lengths(rows, plain), plain, whole, False)
    with pytest.raises(UsageError, match="set --assistant_only_loss true"):
        prove_round_trip("sft", whole, plain, rows)


def test_a_template_that_loses_calls_is_refused(tmp_path_factory, arguments):
    rows, plain = load_split(str(built(tmp_path_factory, "tools")), "train", "steps"), tokenizer("qwen3")
    with pytest.raises(UsageError, match="chat template"):
        prove_round_trip("sft", arguments, plain, rows)


def test_a_run_takes_the_walks_that_see_what_it_says(text_walks, tmp_path):
    def rows(stepwise):
        words = settings(text_walks, tmp_path / "sft", stepwise=stepwise, eval_strategy="steps")
        return load_rows(parse_recipe(load_recipe("recipes/tiny/sft_steps.yaml", words)), COLUMNS)

    train, held_out = rows("local")
    assert set(train["observation"]) | set(held_out["observation"]) == {"local"}
    with pytest.raises(UsageError, match="set --stepwise to one of local, window:2"):
        rows("window:3")


def test_own_marks_are_kept():
    plain = build_tokenizer(1024)
    assert marked_template(plain) == plain.chat_template


@pytest.fixture(scope="module")
def runs(text_walks, model, tmp_path_factory):
    """SFT on walks and GRPO from it, two steps each."""
    from ascii_maze.launch import train

    folder = tmp_path_factory.mktemp("runs")
    for name, more in (
        ("sft", {"gradient_accumulation_steps": 1}),
        ("grpo", {"adapter_name_or_path": folder / "sft", "num_generations": 4, "max_completion_length": 200}),
    ):
        words = settings(
            text_walks,
            folder / name,
            model_name_or_path=model,
            max_steps=2,
            stepwise="local",
            max_moves=4,
            eval_strategy="steps",
            eval_limit=2,
            **more,
        )
        train(f"recipes/tiny/{name}_steps.yaml", words)
    return folder


def test_walks_train_from_one_method_to_the_next(runs):
    for name in ("sft", "grpo"):
        lines = history(runs / name)
        assert {"eval_success", "eval_valid", "eval_spl"} <= {key for line in lines for key in line}
        saved = build_tokenizer(1024).__class__.from_pretrained(runs / name)
        assert saved.chat_template == build_tokenizer(1024).chat_template  # not the one of the training
    log = [json.loads(line) for line in (runs / "grpo" / "log.jsonl").read_text().splitlines()]
    assert "rewards/validity/mean" in log[0]


def test_trl_walks_by_tool_calls_with_the_template_of_the_embedded_model(model, tmp_path, monkeypatch):
    """TRL's own parser reads the calls that its own rendering writes; all is TRL's but what the model writes."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    mazes = generate_mazes("depth_first", 3, 3, 1, 0).to_ascii()
    answers = ['<tool_call>{"name": "move", "arguments": {"direction": "R", "steps": 2}}</tool_call>'] * 2
    answers += ['<tool_call>{"name": "look", "arguments": {}}</tool_call>', "<tool_call>{", "farewell"]
    count, rollouts, generate = itertools.count(), [], GRPOTrainer._generate

    def write(trainer, prompt_ids, *args, **kwargs):
        text = answers[next(count)] + "<eos>"
        return [trainer.processing_class(text, add_special_tokens=False)["input_ids"] for _ in prompt_ids], None

    def watched(trainer, prompts):
        made = generate(trainer, prompts)
        rollouts.append((made, [tool.env for tool in trainer.environments]))
        return made

    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", write)
    monkeypatch.setattr(GRPOTrainer, "_generate", watched)
    plain = build_tokenizer(1024)
    prompt = [*step_prompt(MazeEnv(mazes[0], "window:2"), tools=True)[:1], {"role": "user", "content": ""}]
    config = GRPOConfig(
        str(tmp_path), max_steps=1, num_generations=2, per_device_train_batch_size=2, use_cpu=True, report_to="none"
    )
    trainer = GRPOTrainer(
        AutoModelForCausalLM.from_pretrained(model),
        args=config,
        train_dataset=Dataset.from_list([{"prompt": prompt, "maze": mazes[0]}] * 2),
        processing_class=plain,
        environment_factory=maze_tools("window:2"),
    )
    trainer.train()
    (prompts, ids, masks, *_), envs = rollouts[0]
    again = MazeEnv(mazes[0], "window:2")
    said = [again.call("move", {"direction": "R", "steps": 2}) for _ in range(2)] + [again.call("look")]
    talk = "".join(f"{call}<eos><tool_response>{text}</tool_response><walk>" for call, text in zip(answers, said))
    for env, first, tokens, mask in zip(envs, prompts, ids, masks):
        assert env.result() == again.result()
        assert plain.decode(first) == f"<bos>{again.first}<walk>"
        assert plain.decode(tokens) == f"{talk}<tool_call>{{<eos>"  # no call, so the conversation is over
        ours = [plain.decode([token for token, kept in zip(tokens, mask) if kept])]
        assert ours == ["".join(f"{answer}<eos>" for answer in answers[:4])]


def test_a_model_is_shown_the_tools_and_nothing_else():
    tool = maze_tools("local", 5)()
    shown = {name for name in dir(MazeTools) if not name.startswith("_") and callable(getattr(MazeTools, name))}
    assert shown == {"reset", "get_reward", "move", "look", "stop"}
    (maze,) = generate_mazes("depth_first", 3, 3, 1, 0).to_ascii()
    assert tool.reset(maze=maze, prompt=[], id="x") == MazeEnv(maze, "local").first
    assert tool.move("R", 10**9).startswith("error: ")
    assert tool.move("north").startswith("error: ")
    assert tool.look().startswith("open: ")
    assert tool.stop() == "stopped"
    assert tool.get_reward() == 0.0
    with pytest.raises(UsageError, match="no observation"):
        maze_tools("everything")


def test_rollouts_turn_by_turn_are_what_whole_conversations_give(model, tmp_path, monkeypatch):
    """Greedily, so that what is drawn depends on what is read alone; and no turn is longer than an evaluation's."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    from ascii_maze.environment.walks import TURN
    from ascii_maze.models.budgets import answer_budget
    from ascii_maze.training import rollouts
    from ascii_maze.training.steps import step_rows, walk_tool

    mazes = generate_mazes("depth_first", 3, 3, 2, 0).to_ascii()
    plain, made = build_tokenizer(1024), []
    generate = GRPOTrainer._generate

    def watched(trainer, prompts):
        all_of_it = generate(trainer, prompts)
        made.append(all_of_it[:3])
        return all_of_it

    def run(keeps):
        monkeypatch.setattr(rollouts, "can_keep", lambda model: keeps)
        trainer = rollouts.turn_by_turn(GRPOTrainer)(
            AutoModelForCausalLM.from_pretrained(model),
            args=GRPOConfig(
                str(tmp_path / str(keeps)),
                num_generations=2,
                per_device_train_batch_size=4,
                max_completion_length=150,
                generation_kwargs={"do_sample": False, "max_new_tokens": answer_budget(plain, TURN)},
                use_cpu=True,
                report_to="none",
            ),
            reward_funcs=[lambda environments, **columns: [0.0 for _ in environments]],
            train_dataset=step_rows(Dataset.from_list([{"maze": maze} for maze in mazes]), "window:1"),
            processing_class=reading_turns(plain),
            environment_factory=walk_tool("window:1", 5),
            peft_config=LoraConfig(target_modules="all-linear"),
        )
        rows = [row for row in trainer.train_dataset for _ in range(2)]
        trainer.model.eval()
        trainer._generate_and_score_completions(rows)

    monkeypatch.setattr(GRPOTrainer, "_generate", watched)
    run(True)
    run(False)
    kept, whole = made
    assert kept == whole
    turns = [run for ids, mask in zip(kept[1], kept[2]) for run in turns_of(ids, mask)]
    assert len(turns) > 4
    assert max(map(len, turns)) <= answer_budget(plain, TURN)


def turns_of(ids, mask):
    """The model's turns among the tokens of a rollout."""
    for counts, pairs in itertools.groupby(zip(ids, mask), key=lambda pair: pair[1]):
        if counts:
            yield [token for token, _ in pairs]


def test_an_interrupted_walk_resumes_as_if_it_had_not_been(runs, text_walks, model, tmp_path, monkeypatch):
    """GRPO samples its walks; bit for bit, after an interruption in its third step."""
    from ascii_maze.launch import train
    from ascii_maze.training.callbacks import JsonLog

    def words(name):
        return settings(
            text_walks,
            tmp_path / name,
            model_name_or_path=model,
            adapter_name_or_path=runs / "sft",
            num_generations=4,
            max_completion_length=100,
            stepwise="local",
            max_moves=3,
            max_steps=3,
            save_steps=1,
        )

    with monkeypatch.context() as patch:
        patch.setattr(JsonLog, "on_step_end", interrupt_at(3))
        with pytest.raises(KeyboardInterrupt):
            train("recipes/tiny/grpo_steps.yaml", words("interrupted"))
    for name in ("interrupted", "whole"):
        train("recipes/tiny/grpo_steps.yaml", words(name))
    steps = [[line for line in history(tmp_path / name) if "loss" in line] for name in ("interrupted", "whole")]
    assert len(steps[0]) == 3
    resumed, whole = (
        [{key: line[key] for key in ("step", "loss", "reward", "tokens")} for line in of] for of in steps
    )
    assert resumed == whole
