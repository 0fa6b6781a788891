"""Files of strangers, through the commands that read them: a result, or one line that says what is wrong; and nothing
changes outside the folder that the command was told to write to.

Each starts from a file that is right and is changed in one to three places. For longer than the tests have time:
`python benchmarks/fuzz.py`.
"""

import contextlib
import copy
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ascii_maze import generate_mazes, prompt_messages
from ascii_maze.cli import main
from ascii_maze.errors import AsciiMazeError
from ascii_maze.evaluation.gallery import write_gallery
from ascii_maze.evaluation.run import evaluate
from ascii_maze.metrics.path_validity.maze import MazeError
from ascii_maze.models.chat import render_prompt
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.recipe import load_recipe, parse_recipe
from ascii_maze.recipe.methods import METHODS
from ascii_maze.tiny import TINY
from ascii_maze.training.data import identify_rows, load_rows
from ascii_maze.training.run import check_rows

PROFILE = settings().max_examples
# What people and programs write where something else is meant.
NASTY = (
    *(None, True, False, -1, 0, 1, 2.5, 1e309, -1e309, float("nan"), 10**30, [], {}, [1], [None], {"a": {"b": 1}}),
    *("", " ", ".", "..", "../..", "/", "~", "a b/c", "ORG/NAME@", "nan", "1:59", "0x10", "1e5", "base", "greedy"),
    *("[/x]", "{out}", "\x1b[31m", "\u202e", "\x00", "ä" * 300, "x" * 5_000, "9" * 5_000, "4x4", "9999999x9999999"),
)


def places(value, path: tuple = ()) -> list[tuple]:
    """The path of every value inside a structure of mappings and lists, but the whole."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, child in inner for found in [(*path, key), *places(child, (*path, key))]]


@st.composite
def damaged(draw, original):
    """A structure with one to three values replaced, removed, or given a nasty neighbour."""
    value = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        found = places(value)
        if not found:
            break
        *path, key = draw(st.sampled_from(found))
        parent = value
        for step in path:
            parent = parent[step]
        action = draw(st.sampled_from(("replace", "replace", "remove", "add")))
        nasty = copy.deepcopy(draw(st.sampled_from(NASTY)))
        if action == "replace":
            parent[key] = nasty
        elif action == "remove":
            del parent[key]
        elif isinstance(parent, dict):
            parent[str(nasty)[:50]] = nasty
        else:
            parent.insert(key, nasty)
    return value


def snapshot(folder: Path, but: Path) -> dict[str, str]:
    """The content of all files of a folder, but those of the one that may change."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_relative_to(but)
    }


def is_a_sentence(said: str) -> bool:
    """Whether an error is one line, of more than the name of a type."""
    return "\n" not in said and len(said.split()) > 1


class Run:
    """Runs commands in this process, in a folder of which only `out` may change."""

    def __init__(self, root: Path):
        self.root, self.out = root, root / "out"
        (root / "mine").mkdir()
        (root / "mine" / "notes.txt").write_text("someone's work")

    def __call__(self, function, *arguments, **keywords) -> str | None:
        before = snapshot(self.root, self.out)
        said = self.error_of(partial(function, *arguments, **keywords))
        assert said is None or is_a_sentence(said)
        shutil.rmtree(self.out, ignore_errors=True)
        assert snapshot(self.root, self.out) == before
        return said

    @staticmethod
    def error_of(call: Callable[[], object]) -> str | None:
        """What an error of this project says; None without one."""
        try:
            call()
        except (AsciiMazeError, MazeError) as error:
            return str(error)
        return None

    def command(self, *words: str) -> None:
        """`ascii-maze WORDS`."""

        def run() -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", ["ascii-maze", *words, "--debug"])
                with contextlib.suppress(SystemExit):  # of `--help`, and of usage that typer itself refuses
                    main()

        self(run)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("strangers")
        patch.chdir(root)
        yield Run(root)


def write(path: Path, value) -> Path:
    """A structure as YAML, as someone would have written it."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


STUDY = {
    "dataset": "demo",
    "base": "tiny",
    "recipes": {"sft": "recipes/tiny/sft.yaml", "dpo": "recipes/tiny/dpo.yaml"},
    "splits": ["test"],
    "seeds": [0, 1],
    "limit": 4,
    "batch_size": 64,
    "mri_split": "test",
    "mri_limit": 20,
    "overrides": {"eval_steps": 0.25, "learning_rate": 1e-3},
    "launcher": "accelerate launch --num_processes 2",
    "minutes": {"build": 0.3, "sft": 1},
}


@given(study=damaged(STUDY))
@settings(max_examples=PROFILE)
def test_a_study(run, study):
    run.command("study", str(write(run.root / "files" / "study.yaml", study)), "--out", str(run.out), "--dry-run")


BUILD = {
    "name": "small",
    "sizes": {"3x3": 1, "4x4": 2},
    "generators": {"depth_first": 1, "prim": 0.5},
    "splits": {"train": 4, "test": 2, "test_larger": 2, "test_unseen": 2},
    "larger_sizes": ["5x5"],
    "unseen_generators": ["wilson"],
    "braid": {"0": 1, "0.5": 1},
    "endpoints": ["random"],
    "path_lengths": {"2-": 1},
    "rejected": ["wall", "dead_end"],
    "language": "en",
    "maze_style": "hash",
    "answer_style": "letters",
    "seed": 0,
}


@given(config=damaged(BUILD))
@settings(max_examples=PROFILE // 2)
def test_a_dataset_config(run, config):
    path = write(run.root / "files" / "config.yaml", config)
    run.command("build", str(path), "--out", str(run.out), "--limit", "4", "--json")


RECIPE = {
    "method": "grpo",
    "output_dir": "out",
    "dataset_name": "ascii-maze",
    "dataset_config": "prompts",
    "model_name_or_path": "tiny",
    "adapter_name_or_path": "outputs/tiny/sft",
    "learning_rate": 1e-3,
    "max_completion_length": 56,
    "budget": "tokens=1000",
    "lora_r": 8,
    "lora_target_modules": "all-linear",
    "reward_weights": [1.0, 0.5, 0.1, 0.3],
    "eval_strategy": "steps",
    "eval_steps": 0.5,
    "env": {"NCCL_DEBUG": "INFO"},
}


@given(recipe=damaged(RECIPE))
@settings(max_examples=PROFILE // 2)
def test_a_recipe(run, recipe):
    path = write(run.root / "files" / "recipe.yaml", recipe)
    run(lambda: parse_recipe(load_recipe(path)))


MAZES = generate_mazes("depth_first", width=3, height=3, count=5, seed=0)
ROWS = [
    {
        "id": f"{index:016x}",
        "prompt": prompt_messages(maze),
        "maze": maze.to_ascii(),
        "solution": " ".join(maze.solve() or ""),
        "generator": "depth_first",
        "width": 3,
        "height": 3,
        **maze.facts()._asdict(),
    }
    for index, maze in enumerate(MAZES)
]
ANSWERS = [{"id": row["id"], "completion": row["solution"]} for row in ROWS]
CARD = (
    "---\nconfigs:\n- config_name: prompts\n  data_files:\n  - split: test\n    path: prompts/test.parquet\n---\n{}\n"
)


def write_lines(path: Path, rows: list) -> Path:
    """Rows as JSONL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def column(values: list) -> pyarrow.Array:
    """Values as Arrow takes them, or as text where they are of many kinds."""
    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowException, OverflowError, UnicodeError):
        return pyarrow.array([None if value is None else ascii(value) for value in values])


def dataset_of(folder: Path, rows: list) -> Path:
    """A dataset folder of config `prompts` with one split; its card differs with its rows, as a build's does."""
    rows = [row if isinstance(row, dict) else {} for row in rows]
    names = dict.fromkeys(name for row in rows for name in row)
    table = pyarrow.table({name: column([row.get(name) for row in rows]) for name in names})
    (folder / "prompts").mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, folder / "prompts" / "test.parquet")
    (folder / "README.md").write_text(CARD.format(hashlib.sha256(repr(rows).encode()).hexdigest()))
    return folder


def evaluate_and_draw(answers: Path, dataset: Path, out: Path) -> None:
    """`ascii-maze evaluate` without its figures, which take most of its time."""
    results = evaluate({"given": str(answers)}, str(dataset), ["test"], out)
    write_gallery(out, results)


@given(answers=damaged(ANSWERS))
@settings(max_examples=PROFILE // 4)
def test_answers_made_elsewhere(run, answers):
    rows = dataset_of(run.root / "files" / "mazes", ROWS)
    run(evaluate_and_draw, write_lines(run.root / "files" / "answers.jsonl", answers), rows, run.out)


@contextlib.contextmanager
def dataset_at(root: Path, rows: list) -> Iterator[Path]:
    """`dataset_of` in another folder each time: `datasets` caches by the name of a folder and what its card says."""
    folder = dataset_of(root / "files" / hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16], rows)
    yield folder
    shutil.rmtree(folder)


@given(rows=damaged(ROWS))
@settings(max_examples=PROFILE // 4)
def test_a_dataset(run, rows):
    with dataset_at(run.root, rows) as folder:
        run(evaluate_and_draw, write_lines(run.root / "files" / "answers.jsonl", ANSWERS), folder, run.out)


TAUGHT = [{**row, "completion": [{"role": "assistant", "content": row["solution"]}]} for row in ROWS]


def read_to_train(dataset: Path, out: Path) -> None:
    """What `ascii-maze train` does with its rows before it loads a model."""
    words = [f"--dataset_name={dataset}", "--dataset_config=prompts", "--dataset_train_split=test"]
    recipe = load_recipe("recipes/tiny/sft.yaml", [*words, "--eval_strategy=no", f"--output_dir={out}"])
    arguments = parse_recipe(recipe)
    rows, _ = load_rows(arguments, METHODS["sft"].columns)
    identify_rows(arguments.script, rows)
    check_rows(recipe, arguments, rows, load_tokenizer("tiny"))


@given(rows=damaged(TAUGHT))
@settings(max_examples=PROFILE // 4)
def test_a_dataset_to_train_on(run, rows):
    with dataset_at(run.root, rows) as folder:
        run(read_to_train, folder, run.out)


TEMPLATE = (TINY / "chat_template.jinja").read_text()
SCRAPS = ("{{", "}}", "{%", "%}", "{{ 1 / 0 }}", "messages", "[0]", ".content", " | tojson", "* 9", "<eos>", "'", "")


@st.composite
def damaged_template(draw):
    """The embedded model's template with one to three scraps in place of some of its characters."""
    text = TEMPLATE
    for _ in range(draw(st.integers(1, 3))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 12))
        text = text[:at] + draw(st.sampled_from(SCRAPS)) + text[at + length :]
    return text


@given(template=damaged_template())
@settings(max_examples=PROFILE // 2)
def test_a_chat_template(run, template):
    folder = run.root / "files" / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        shutil.copy(TINY / name, folder)
    (folder / "chat_template.jinja").write_text(template)
    run(lambda: render_prompt(load_tokenizer(str(folder)), ROWS[0]["prompt"]))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """An adapter of the embedded model, as training leaves it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("adapter")
    base = AutoModelForCausalLM.from_pretrained(TINY)
    model = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = "tiny"
    model.save_pretrained(folder, save_embedding_layers=False)
    return folder


@given(data=st.data())
@settings(max_examples=PROFILE // 4)
def test_an_adapter(run, adapter, data):
    import ascii_maze

    folder = run.root / "files" / "adapter"
    shutil.copytree(adapter, folder, dirs_exist_ok=True)
    config = data.draw(damaged(json.loads((adapter / "adapter_config.json").read_text())))
    (folder / "adapter_config.json").write_text(json.dumps(config))
    run(ascii_maze.load_model, str(folder))


# What turns a tensor into one that the model cannot use.
HARM: dict[str, Callable] = {
    "not finite": lambda tensor: tensor.fill_(float("nan")),
    "whole numbers": lambda tensor: tensor.int(),
    "one row less": lambda tensor: tensor[1:],
    "one column more": lambda tensor: tensor.new_zeros(len(tensor), tensor.shape[1] + 1),
    "flat": lambda tensor: tensor.flatten(),
    "empty": lambda tensor: tensor[:0],
    "gone": lambda tensor: None,
}


@given(data=st.data())
@settings(max_examples=PROFILE // 4)
def test_the_weights_of_an_adapter(run, adapter, data):
    from safetensors.torch import load, save

    import ascii_maze

    folder = run.root / "files" / "adapter"
    shutil.copytree(adapter, folder, dirs_exist_ok=True)
    written = (adapter / "adapter_model.safetensors").read_bytes()
    if data.draw(st.booleans(), "bytes"):
        at, length = data.draw(st.integers(0, len(written))), data.draw(st.integers(0, 40))
        (folder / "adapter_model.safetensors").write_bytes(
            written[:at] + data.draw(st.binary(max_size=40)) + written[at + length :]
        )
        run(ascii_maze.load_model, str(folder))
        return
    tensors = load(written)
    key = data.draw(st.sampled_from(sorted(tensors)), "tensor")
    harmed = HARM[data.draw(st.sampled_from(sorted(HARM)))](tensors.pop(key))
    if harmed is not None:
        tensors[data.draw(st.sampled_from([key, "", key.replace("0", "9"), f"{key}.x", "b" * 300]))] = harmed
    (folder / "adapter_model.safetensors").write_bytes(save(tensors, {"format": "pt"}))
    assert run(ascii_maze.load_model, str(folder)), "harmed weights were loaded"
