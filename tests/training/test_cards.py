"""The card of a run of any method, before anything of it is published."""

import json
import re

import pytest
import yaml

from ascii_maze.hub.cards import render_card
from ascii_maze.models.loading import load_model
from ascii_maze.recipe.methods import METHODS
from ascii_maze.tiny import TINY

from .conftest import METHODS_AFTER_SFT


def snippet(card):
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    return code


def test_every_method_has_its_paper():
    assert set(METHODS) == {"sft", *METHODS_AFTER_SFT}


@pytest.mark.parametrize("method", ["orpo", "reward"])
def test_the_card_of_a_run_loads_it_where_it_lies(method_runs, method):
    names = {}
    exec(snippet((method_runs / method / "README.md").read_text()), names)  # noqa: S102 - what our own card says
    assert hasattr(names["model"], "peft_config")


@pytest.mark.parametrize("method", ["orpo", "reward"])
def test_the_snippet_of_a_published_card_gives_what_we_give(method_runs, method, capsys):
    """With folders in the place of names on the Hub; `tests/hub` has those, of a walker."""
    folder = method_runs / method
    values = yaml.safe_load((folder / "recipe.yaml").read_text()) | {"model_name_or_path": "org/base"}
    card = render_card(values, json.loads((folder / "metrics.json").read_text()), "org/adapter")
    code = snippet(card).replace("org/adapter", str(folder)).replace("org/base", str(TINY))
    names = {}
    exec(code, names)  # noqa: S102 - what our own card says
    printed = capsys.readouterr().out.strip()
    if method == "reward":
        model, tokenizer = load_model(str(folder), task="SEQ_CLS")
        ids = tokenizer.apply_chat_template(names["talk"], return_tensors="pt", return_dict=True)
        # bitsandbytes by itself rounds to bfloat16 where the CPU can; see `keep_trainable_on_cpu`.
        assert float(printed) == pytest.approx(model(**ids).logits.item(), abs=0.02)
    else:
        assert re.fullmatch(r"[UDLR]( [UDLR])*", printed)
