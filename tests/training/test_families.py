"""A model that knows the mazes by heart is right on them, whatever its family's chat template does."""

import functools
import shutil

import pytest

from ascii_maze import Maze, lm_eval_path, score_path
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.models.chat import Chat
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.models.portable import save_portable
from ascii_maze.models.templates import set_chat_template
from dataset_builder.build import build
from dataset_builder.load import load_mazes

from .by_heart import MAZES, learn, one_thread, train_further
from .conftest import history
from .families import tokenizer_of

# Unlike each other: an empty thought before the answer; no system role; a prompt that is not a prefix of the whole; a
# date, and a maze without the blanks at its edges; nothing odd; no end of a turn; channels; a thought that is opened.
UNLIKE = ("qwen3", "gemma", "deepseek_r1_distill", "llama3_2", "phi3", "glm4moe", "gptoss", "nemotron_3_nano")
FURTHER = ("qwen3", "gemma", "deepseek_r1_distill", "llama3_2", "gptoss")


@pytest.fixture(scope="module")
def mazes(tmp_path_factory):
    out = tmp_path_factory.mktemp("by-heart") / "ascii-maze"
    build(MAZES, out)
    return out


@pytest.fixture(scope="module")
def learnt(mazes, tmp_path_factory):
    """Family -> the folder of a model with its template that knows the mazes; each is made once."""
    return functools.cache(lambda family: learn(family, mazes, tmp_path_factory.mktemp(family)))


@pytest.fixture(scope="module")
def preferring(mazes, learnt, tmp_path_factory):
    """Family -> the folder of an adapter on that model, after a step of DPO."""
    return functools.cache(
        lambda family: train_further("dpo", mazes, learnt(family), tmp_path_factory.mktemp(family) / "dpo")
    )


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


@pytest.mark.parametrize("family", UNLIKE)
def test_what_is_known_by_heart_is_right(family, mazes, learnt, tmp_path):
    results = evaluate({"sft": str(learnt(family))}, str(mazes), ["train"], tmp_path, Options(baselines=False))
    assert results["models"]["sft"]["train"]["valid"] >= 0.95


def test_an_adapter_is_asked_as_it_was_trained_whatever_the_folder_of_its_base_says(
    mazes, learnt, preferring, tmp_path
):
    """As after a run with `chat_template_path` or `eos_token`; asked as the base's folder says it is mostly wrong."""
    base, asked_otherwise = shutil.copytree(learnt("qwen3"), tmp_path / "base"), tmp_path / "asked-otherwise"
    shutil.copytree(preferring("qwen3"), asked_otherwise)
    tokenizer = load_tokenizer(str(base))
    tokenizer.eos_token = "<|im_start|>"
    set_chat_template(tokenizer, Chat("plain"))
    for folder in (base, asked_otherwise):
        tokenizer.save_pretrained(folder)
    models = {"as trained": str(preferring("qwen3")), "otherwise": str(asked_otherwise)}
    results = evaluate(models, str(mazes), ["train"], tmp_path / "out", Options(baselines=False, base=str(base)))
    valid = {name: results["models"][name]["train"]["valid"] for name in models}
    assert valid["as trained"] >= 0.95
    assert valid["otherwise"] < 0.5


@pytest.mark.parametrize("family", FURTHER)
def test_rollouts_of_grpo_are_rewarded(family, mazes, learnt, tmp_path):
    out = train_further("grpo", mazes, learnt(family), tmp_path / "grpo", num_generations=2, temperature=0.5)
    (step,) = (line for line in history(out) if "reward" in line)
    assert step["rewards/validity/mean"] >= 0.9
    assert step["rewards/format/mean"] >= 0.9


@pytest.mark.parametrize("family", FURTHER)
def test_dpo_prefers_what_is_known(family, preferring):
    (step,) = (line for line in history(preferring(family)) if "loss" in line)
    assert step["logps/chosen"] > step["logps/rejected"]
    assert step["logps/chosen"] > -3  # of a whole answer: it is what the model knows, with nothing before or after


@pytest.mark.parametrize("family", FURTHER)
def test_pairs_of_its_own_answers_choose_what_is_known(family, learnt, tmp_path):
    from dataset_builder.on_policy import replace_preferences

    build(MAZES, tmp_path / "ascii-maze")
    record = replace_preferences(MAZES, tmp_path / "ascii-maze", str(learnt(family)), 16, lambda *_: None)
    assert record["rows"]["preference/train"] > 0
    from datasets import load_dataset

    for row in load_dataset(str(tmp_path / "ascii-maze"), "preference", split="train"):
        assert row["chosen"][0]["content"] == " ".join(Maze.from_ascii(row["maze"]).solve())
        assert not score_path(row["maze"], row["rejected"]).optimal


@pytest.mark.parametrize("family", FURTHER)
def test_lm_evaluation_harness_asks_a_base_as_an_evaluation_does(family, mazes, learnt, tmp_path, monkeypatch):
    """What learnt, with its family's own template, as bases come, and a tokenizer that `tokens --save` writes."""
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.tasks import TaskManager

    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)  # asks pip, the compiler and others
    base, tokenizer = shutil.copytree(learnt(family), tmp_path / "base"), tmp_path / "tokenizer"
    tokenizer_of(family).save_pretrained(base)
    save_portable(load_tokenizer(str(base)), tokenizer)
    task = tmp_path / "by_heart.yaml"
    task.write_text(f"include: {lm_eval_path()}/ascii_maze.yaml\ntask: by_heart\ntest_split: train\n")
    found = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(base), "tokenizer": str(tokenizer), "dtype": "float32"},
        tasks=[str(task)],
        task_manager=TaskManager(include_path=lm_eval_path(), metadata={"dataset": str(mazes)}),
        gen_kwargs={"max_gen_toks": 24},
        apply_chat_template=True,
        batch_size=24,
        device="cpu",
        bootstrap_iters=0,
    )
    assert found["results"]["by_heart"]["valid,none"] >= 0.95


@pytest.mark.parametrize("family", FURTHER)
def test_the_mri_reads_where_it_decides(family, mazes, learnt, preferring, tmp_path):
    """At the token before each move the base already expects that move."""
    import torch

    from ascii_maze.mri.models import find_adapters, load_models
    from ascii_maze.mri.positions import locate_walks

    models = load_models(find_adapters(str(learnt(family)), {"dpo": str(preferring(family))}))
    rows = load_mazes(str(mazes), "train", None)
    models.switch("base")
    right = []
    for walk in locate_walks(rows, models.tokenizer, seed=0):
        with torch.inference_mode():
            logits = models.model(input_ids=torch.from_numpy(walk.ids)[None]).logits[0]
        expected = logits[walk.moves].argmax(dim=-1)
        right += (expected == torch.from_numpy(walk.ids)[walk.moves + 1]).tolist()
        assert models.tokenizer.decode(walk.ids[walk.start]).strip("\n# ") == "S"
        assert models.tokenizer.decode(walk.ids[walk.goal]).strip("\n# ") == "G"
    assert sum(right) / len(right) >= 0.95
