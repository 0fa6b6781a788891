"""GRPO on walks step by step: what TRL shows a model is what an evaluation shows it, and the loss is on its turns."""

import itertools
import json
from pathlib import Path

import pytest

from ascii_maze import generate_mazes
from ascii_maze.environment.env import MazeEnv
from ascii_maze.environment.prompts import step_prompt
from ascii_maze.errors import UsageError
from ascii_maze.models.templates import set_chat_template
from ascii_maze.training import rollouts as rollouts_of_turns
from ascii_maze.training.steps import TOOL, reading_turns, walk_tool

from .conftest import settings
from .families import save_model, tokenizer_of

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("qwen3", "llama3_2", "gemma", "deepseek_r1_distill")
(MAZE,) = generate_mazes("depth_first", 3, 3, 1, 0).to_ascii()


def tokenizer(family):
    """A tokenizer as a run has it."""
    made = tokenizer_of(family)
    set_chat_template(made)
    return made


@pytest.mark.parametrize("family", FAMILIES)
def test_trl_writes_and_reads_a_walk_as_an_evaluation_does(family):
    from trl.chat_template_utils import (
        is_chat_template_prefix_preserving,
        parse_response,
        supports_tool_calling,
    )

    plain = tokenizer(family)
    reader, env = reading_turns(plain), MazeEnv(MAZE, "window:1")
    template, talk = plain.chat_template, step_prompt(env)
    called = list(talk)
    assert supports_tool_calling(reader)
    assert is_chat_template_prefix_preserving(reader)
    for turn in ("look", "U", " ".join(env.maze.solve())):
        prompt = plain.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
        assert reader.apply_chat_template(called, tokenize=False, add_generation_prompt=True) == prompt
        ids = plain(turn, add_special_tokens=False)["input_ids"]
        prefix = plain(prompt, add_special_tokens=False)["input_ids"]
        parsed = parse_response(reader, [*ids, plain.eos_token_id], prefix=prefix, tools=[])
        (call,) = parsed["tool_calls"]
        said = env.turn(call["function"]["arguments"]["moves"])
        talk += [{"role": "assistant", "content": turn}, {"role": "user", "content": said}]
        called += [parsed, {"role": "tool", "name": TOOL, "content": said}]
        assert call["function"]["arguments"]["moves"] == turn
    assert env.ended == "goal"
    prefix = plain.apply_chat_template(talk, add_generation_prompt=True, return_dict=False)
    assert "tool_calls" not in parse_response(reader, plain("R")["input_ids"], prefix=prefix, tools=[])
    assert plain.chat_template == template
    assert getattr(plain, "response_template", None) is None


def test_a_tokenizer_without_words_is_refused():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    contents = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    moves = Tokenizer(models.WordLevel({"<unk>": 0, "R": 1}, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=moves, unk_token="<unk>", chat_template=contents)
    with pytest.raises(UsageError, match="has no tokens for the words of a walk"):
        reading_turns(tokenizer)


def test_trl_finds_one_tool_and_its_description():
    from transformers.utils import get_json_schema

    tool = walk_tool("local", 5)()
    assert tool.reset(maze=MAZE, prompt=[]) == MazeEnv(MAZE, "local").first
    assert [name for name in dir(tool) if not name.startswith("_") and callable(getattr(tool, name))] == [
        "reset",
        TOOL,
    ]
    assert get_json_schema(tool.turn)["function"]["parameters"]["properties"].keys() == {"moves"}
    assert tool.turn("everywhere").startswith("error: ")
    assert tool.env.max_moves == 5
    with pytest.raises(UsageError, match="no observation"):
        walk_tool("everything", None)


TURNS = ("R", "look", "stop", "farewell")


def test_grpo_walks_step_by_step_with_the_loss_on_the_turns_of_the_model(dataset, train, tmp_path, monkeypatch):
    """All is TRL's but what the model writes."""
    from trl import GRPOTrainer

    generate, rollouts, count = GRPOTrainer._generate, [], itertools.count()

    def write(trainer, prompt_ids, *args, **kwargs):
        text = TURNS[next(count) % len(TURNS)]
        ids = trainer.processing_class(text, add_special_tokens=False)["input_ids"]
        return [[*ids, trainer.processing_class.convert_tokens_to_ids("<|im_end|>")] for _ in prompt_ids], None

    def watched(trainer, prompts):
        made = generate(trainer, prompts)
        rollouts.append((trainer.processing_class, *made[:3], [one.env for one in trainer.environments]))
        return made

    monkeypatch.setattr(rollouts_of_turns._TurnByTurn, "_generate_single_turn", write)
    monkeypatch.setattr(GRPOTrainer, "_generate", watched)
    words = settings(
        dataset,
        tmp_path / "grpo",
        model_name_or_path=save_model("qwen3", tmp_path / "qwen3"),
        max_steps=1,
        num_generations=4,
        max_completion_length=400,
        stepwise="window:1",
        max_moves=6,
        eval_strategy="steps",
        eval_steps=1,
        eval_limit=2,
        load_in_4bit="false",
    )
    recipe = tmp_path / "steps.yaml"
    recipe.write_text(f"extends: {ROOT}/recipes/tiny/grpo.yaml\nadapter_name_or_path: null\n")
    train(recipe, words)
    reader, prompts, completions, masks, envs = rollouts[0]
    assert len(envs) == 8
    for env, prompt, ids, mask in zip(envs, prompts, completions, masks):
        again = MazeEnv(env.maze, env.observation, env.max_moves)
        talk = step_prompt(again)
        for turn in TURNS[:-1]:
            talk += [{"role": "assistant", "content": turn}, {"role": "user", "content": again.turn(turn)}]
        talk.append({"role": "assistant", "content": TURNS[-1]})
        assert env.result() == again.result()
        assert reader.decode([*prompt, *ids]) == reader.apply_chat_template(talk, tokenize=False).rstrip()
        ours = [reader.decode(list(run)) for kept, run in grouped(ids, mask) if kept]
        assert ours == [f"{turn}<|im_end|>" for turn in TURNS]
    log = [json.loads(line) for line in (tmp_path / "grpo" / "log.jsonl").read_text().splitlines()]
    # As in SFT, what the environment said counts too.
    assert log[0]["tokens"] == sum(map(len, prompts)) + sum(map(len, completions))
    assert {"rewards/validity/mean", "rewards/progress/mean", "tools/call_frequency"} <= set(log[0])
    assert log[0]["tools/call_frequency"] == len(TURNS) - 1
    assert {"eval_success", "eval_valid", "eval_spl"} <= {key for line in log for key in line}
    saved = (tmp_path / "grpo" / "tokenizer_config.json").read_text()
    assert "response_template" not in saved
    assert not any("talk.messages" in path.read_text() for path in (tmp_path / "grpo").glob("*.jinja"))


def grouped(ids, mask):
    """Runs of tokens that count, or do not."""
    for kept, run in itertools.groupby(zip(ids, mask), key=lambda pair: pair[1]):
        yield kept, (token for token, _ in run)


def test_moves_are_limited_step_by_step_alone(dataset, train, tmp_path):
    with pytest.raises(UsageError, match="'max_moves' is for walks step by step"):
        train("recipes/tiny/sft.yaml", [*settings(dataset, tmp_path / "sft"), "--max_moves", "5"])
    with pytest.raises(UsageError, match="max_moves"):
        train("recipes/tiny/sft_steps.yaml", [*settings(dataset, tmp_path / "sft"), "--max_moves", "0"])


@pytest.mark.parametrize("key", ["stepwise", "max_moves"])
def test_other_methods_walk_at_once(dataset, train, tmp_path, key):
    value = {"stepwise": "local", "max_moves": "5"}[key]
    with pytest.raises(UsageError, match="are for sft and grpo"):
        train("recipes/tiny/orpo.yaml", [*settings(dataset, tmp_path / "orpo"), f"--{key}", value])
