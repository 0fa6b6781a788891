"""What a dataset teaches comes back from its tokens; a template that spoils it is named before a model is loaded."""

import pytest
from datasets import Dataset

from ascii_maze import Maze, prompt_messages
from ascii_maze.errors import UsageError
from ascii_maze.models.chat import Chat
from ascii_maze.models.templates import set_chat_template
from ascii_maze.recipe import load_recipe, parse_recipe
from ascii_maze.recipe.methods import METHODS
from ascii_maze.training.preflight import PROVEN, prove_round_trip
from ascii_maze.training.tokenised import tokenise

from .families import tokenizer_of

# An open map: its edges are blanks.
OPEN = "  S \n  # \n G  "
WALLED = "#####\n#S  #\n### #\n#G  #\n#####"
UNLIKE = ("qwen3", "gemma", "deepseek_r1_distill", "llama3_2", "gptoss", "glm4moe", None)
MAPS = (OPEN, WALLED)


def answer(text):
    return [{"role": "assistant", "content": text}]


def rows_of(method, completion=None):
    """Rows of a method's columns, of both maps; the wrong answers are one that leads nowhere, and one that is none."""
    rows = []
    for maze, wrong in zip(MAPS, ("R R", "I do not know.")):
        right = answer(completion or " ".join(Maze.from_ascii(maze).solve()))
        columns = {"completion": right, "chosen": right, "rejected": answer(wrong), "maze": maze}
        rows.append({"prompt": prompt_messages(maze), **{name: columns[name] for name in METHODS[method].columns[1:]}})
    return Dataset.from_list(rows)


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """Method -> TRL's config."""
    out = tmp_path_factory.mktemp("out")
    words = ["--dtype", "float32", "--bf16", "false", "--output_dir", str(out)]
    return {method: parse_recipe(load_recipe(f"recipes/{method}.yaml", words)).training for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_teaches_what_the_dataset_holds(method, arguments):
    for family in UNLIKE:
        tokenizer = tokenizer_of(family)
        set_chat_template(tokenizer, Chat(None if family else "plain"))
        proven = prove_round_trip(method, arguments[method], tokenizer, rows_of(method))
        assert proven == (2 if method in ("sft", "rlhf", "grpo") else 4)


def chatml(
    before="", after="<|im_end|>", content="m.content", generation="<|im_start|>assistant\\n", first="", rules="true"
):
    """A template of the usual kind, with one thing wrong."""
    return (
        f"{{{{ '{first}' }}}}{{% for m in messages %}}{{% if m.role != 'system' or {rules} %}}"
        f"{{{{ '<|im_start|>' + m.role + '\\n' + ('{before}' if m.role == 'assistant' else '') + {content} }}}}"
        f"{{{{ '{after}' if m.role == 'assistant' else '<|im_end|>' }}}}{{% endif %}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{{{{ '{generation}' }}}}{{% endif %}}"
    )


BROKEN = {
    "whole": (chatml(), None),
    "an empty thought": (chatml(before="<think>\\n\\n</think>\\n\\n"), "before the answer"),
    "trimmed": (chatml(content="m.content.strip()"), "trims the maze"),
    "rewritten": (chatml(content="m.content.replace('#', '%')"), "changes the maze"),
    "no prefix": (chatml(generation="<|im_start|>assistant\\n<think>\\n"), "not a prefix of prompt and answer"),
    "no end": (chatml(after=""), "no token that ends an answer"),
    "more after the end": (chatml(after="<|im_end|>\\n"), "continues after the end"),
    "no rules": (chatml(rules="false"), "leaves out the rules"),
    "two beginnings": (chatml(first="<bos><bos>"), "begins with two <bos>"),
    "no blanks": (
        chatml(content="(m.content.replace(' ', '') if m.role == 'assistant' else m.content)"),
        "writes the answer",
    ),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_template_that_spoils_it_is_refused_in_one_line_that_says_how(method, arguments):
    for template, problem in BROKEN.values():
        tokenizer = tokenizer_of("qwen2_5")
        tokenizer.chat_template = template
        if problem is None:
            prove_round_trip(method, arguments[method], tokenizer, rows_of(method))
            continue
        with pytest.raises(
            UsageError, match=f"the chat template of .*{problem}.*; give --chat-template plain"
        ) as error:
            prove_round_trip(method, arguments[method], tokenizer, rows_of(method))
        assert "\n" not in str(error.value)


def test_a_thought_that_no_answer_closes_is_refused(arguments):
    tokenizer = tokenizer_of("qwen3_5_think")
    set_chat_template(tokenizer, Chat(thinking=True))
    with pytest.raises(UsageError, match=r"opens a thought \(<think>\) that the answer .* does not close; leave out"):
        prove_round_trip("sft", arguments["sft"], tokenizer, rows_of("sft"))
    reasoned = rows_of("sft", "<think>\nThe way is free.\n</think>\n<answer>R D</answer>")
    prove_round_trip("sft", arguments["sft"], tokenizer, reasoned)


def test_a_loss_of_the_prompt_is_refused(tmp_path):
    words = ["--dtype", "float32", "--bf16", "false", "--completion_only_loss", "false", "--output_dir", str(tmp_path)]
    tokenizer = tokenizer_of("qwen3")
    set_chat_template(tokenizer)
    with pytest.raises(UsageError, match="the chat template"):
        prove_round_trip(
            "sft", parse_recipe(load_recipe("recipes/sft.yaml", words)).training, tokenizer, rows_of("sft")
        )


def test_the_longest_row_is_among_those_that_are_looked_at(arguments):
    """A maze that only one row of many has, and that alone is spoilt."""
    tokenizer = tokenizer_of("qwen2_5")
    tokenizer.chat_template = chatml(content="(m.content.strip() if m.content.endswith(' ') else m.content)")
    rows = [rows_of("sft")[1]] * (20 * PROVEN)
    long = {"prompt": prompt_messages("  S      \n  ####   \n         \n G       "), "completion": answer("D")}
    prove_round_trip("sft", arguments["sft"], tokenizer, Dataset.from_list(rows))
    with pytest.raises(UsageError, match="trims the maze"):
        prove_round_trip("sft", arguments["sft"], tokenizer, Dataset.from_list([*rows, long]))


def test_the_end_is_learnt_where_it_is_the_padding_too(arguments):
    """SmolLM2's `<|im_end|>` is both: what pads a row has no loss, and what ends its answer has."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    tokenizer = tokenizer_of(None)
    set_chat_template(tokenizer, Chat("plain"))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    rows = tokenise("sft", arguments["sft"], tokenizer, rows_of("sft"))
    assert len({len(row["input_ids"]) for row in rows}) == 2
    batch = DataCollatorForLanguageModeling(tokenizer.pad_token_id)(
        [{name: row[name] for name in ("input_ids", "labels")} for row in rows]
    )
    assert (batch["labels"] == tokenizer.eos_token_id).sum(1).tolist() == [1, 1]
