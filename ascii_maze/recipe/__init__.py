"""Recipes: flat YAML -> checked dataclasses, with `extends:`, overrides from the command line and did-you-mean.

    recipe = load_recipe("recipes/tiny/sft.yaml", ["--learning_rate", "2e-3"])
    arguments = parse_recipe(recipe)          # imports TRL; everything above is instant

A recipe holds `method:`, the fields of that method's TRL config, of TRL's ModelConfig and ScriptArguments, and of
`RunArguments`. Values are checked by the same parser whether they stand in the file or on the command line.
"""

import contextlib
import dataclasses
import json
import math
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from ..configuration import read_yaml_mapping
from ..errors import UsageError, did_you_mean, reason
from ..methods import METHODS

# `accelerate launch recipe.yaml` runs the file as Python; this first line is then its program and to YAML just a key.
LAUNCHER_KEY = 'if __name__ == "__main__"'
_NO_TOKEN = "a token does not belong in a recipe; log in with `hf auth login` instead"
# Publishes the result with the user's login: for the command line alone.
PUSH = "push_to_hub"
# Keys that TRL's configs accept, and why they are refused here.
REFUSED_KEYS = MappingProxyType(
    {
        "token": _NO_TOKEN,
        "hub_token": _NO_TOKEN,
        "push_to_hub_token": _NO_TOKEN,
        "trust_remote_code": "no code of a repository is run; leave 'trust_remote_code' out",
        "resume_from_checkpoint": "a run resumes by itself from its newest checkpoint; leave it out",
        "dataset_streaming": "rows are counted and checked before a run, so they are not streamed; leave it out",
        "chat_template_path": "give 'chat_template', which every method reads, in place of 'chat_template_path'",
        "chat_template_kwargs": "give 'thinking', which every method reads, in place of 'chat_template_kwargs'",
        "log_completions_hub_repo": "nothing is published on the way; leave 'log_completions_hub_repo' out",
    }
)
# What `env:` may set: which devices and network cards, how much is told, names in a tracker. Nothing that names a file
# to load, an address to send to, or a secret: none of NCCL's plugins, no endpoint of the Hub's, no key of a tracker.
ENVIRONMENT = frozenset(
    {
        *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "PYTORCH_ALLOC_CONF"),
        *("PYTORCH_CUDA_ALLOC_CONF", "TORCH_DISTRIBUTED_DEBUG", "TORCH_NCCL_ASYNC_ERROR_HANDLING"),
        *("NCCL_DEBUG", "NCCL_DEBUG_SUBSYS", "NCCL_SOCKET_IFNAME", "NCCL_IB_DISABLE", "NCCL_IB_HCA"),
        *("NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL", "NCCL_SHM_DISABLE", "NCCL_ALGO", "NCCL_PROTO", "GLOO_SOCKET_IFNAME"),
        *("TOKENIZERS_PARALLELISM", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_XET"),
        *("WANDB_PROJECT", "WANDB_NAME", "WANDB_RUN_GROUP", "WANDB_TAGS", "WANDB_NOTES", "WANDB_MODE"),
        *("TRACKIO_PROJECT", "MLFLOW_EXPERIMENT_NAME", "COMET_MODE"),
    }
)
# Bounds of numbers that TRL and transformers take unchecked.
LEAST = MappingProxyType(
    dict.fromkeys(
        (
            *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "lora_r"),
            *("lora_alpha", "train_limit", "eval_limit", "early_stopping_patience", "max_length", "num_generations"),
            *("max_completion_length", "save_total_limit", "cpu_batch_size", "thinking_tokens"),
        ),
        1,
    )
    | dict.fromkeys(
        (
            *("seed", "learning_rate", "num_train_epochs", "logging_steps", "save_steps", "eval_steps"),
            *("dataloader_num_workers", "neftune_noise_alpha"),
        ),
        0,
    )
)
LARGEST = MappingProxyType({"seed": 2**32 - 1})
PACKAGE = Path(__file__).resolve().parents[1]


class RecipeError(UsageError):
    """A recipe that cannot be run, with its file, the key and what was expected."""


@dataclass(frozen=True)
class Recipe:
    """A recipe with all that it extends and all overrides applied.

    Attributes:
        method: one of `methods.METHODS`.
        values: every other key that was set anywhere, flat.
        path: the file it was read from.
        env: variables for the process that trains. They are of a machine and not of a run, so `to_yaml` has none.
        notes: what was left to the machine and how it was decided, in words; see `training.machine`.
    """

    method: str
    values: dict[str, Any]
    path: Path
    env: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_yaml(self) -> str:
        """The resolved recipe as YAML: it extends nothing, can be run again as it stands, and publishes nothing."""
        values = {key: value for key, value in self.values.items() if key != PUSH}
        return yaml.safe_dump({"method": self.method, **values}, sort_keys=False, allow_unicode=True)


@dataclass(frozen=True)
class Budget:
    """How much a run may use of one thing, the same for every method.

    Attributes:
        unit: `tokens` (prompts and answers that the trained model read, generated ones too), `seconds` or `steps`.
        amount: how many.
    """

    unit: str
    amount: int

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """`tokens=300000` -> a budget.

        Raises:
            ValueError: another unit, or not a whole number above 0.
        """
        unit, _, amount = text.partition("=")
        if unit not in ("tokens", "seconds", "steps") or not amount.isdecimal() or int(amount) == 0:
            raise ValueError(f"budget is '{text}'; expected tokens=N, seconds=N or steps=N")
        return cls(unit, int(amount))


@dataclass
class RunArguments:
    """What ascii-maze adds to TRL's own arguments."""

    adapter_name_or_path: str | None = field(
        default=None,
        metadata={"help": "The adapter to start from; for DPO, KTO, RLHF and GRPO it is the reference model too."},
    )
    reward_model_name_or_path: str | None = field(
        default=None, metadata={"help": "For RLHF: the reward model, an adapter that `method: reward` has trained."}
    )
    train_limit: int | None = field(
        default=None, metadata={"help": "Train on the first so many rows of the split; all of them by default."}
    )
    eval_limit: int | None = field(
        default=None, metadata={"help": "Evaluate on the first so many rows and mazes; all of them by default."}
    )
    early_stopping_patience: int | None = field(
        default=None, metadata={"help": "Stop after so many evaluations without a better eval_valid."}
    )
    hub_base_model: str | None = field(
        default=None, metadata={"help": "With push_to_hub: the Hub id of the base, where model_name_or_path is local."}
    )
    cpu_batch_size: int | None = field(
        default=None, metadata={"help": "Without CUDA at most so many rows at once; a step has as many as it says."}
    )
    chat_template: str | None = field(
        default=None,
        metadata={"help": "`plain`, or a Jinja file, in place of the tokenizer's chat template."},
    )
    thinking: bool | None = field(
        default=None, metadata={"help": "Let the model think before it answers, as its chat template has it."}
    )
    thinking_tokens: int | None = field(
        default=None, metadata={"help": "Tokens that a thought may take, beside the answer's; 1,024 by default."}
    )
    budget: str | None = field(
        default=None, metadata={"help": "Stop after tokens=N, seconds=N or steps=N, whatever else the recipe says."}
    )
    random_reward: bool = field(
        default=False,
        metadata={"help": "For GRPO, a control: reward completions by the toss of a coin, whatever they say."},
    )
    stepwise: str | None = field(
        default=None,
        metadata={"help": "For GRPO: walk step by step and see full, window:RADIUS, local or none, +goal or not."},
    )
    max_moves: int | None = field(
        default=None, metadata={"help": "With stepwise: moves of a walk; twice the open positions by default."}
    )
    shared_prefix: str = field(
        default="auto",
        metadata={"help": "Read what the rows of a batch begin with once: auto (where it is exact), true or false."},
    )

    def __post_init__(self):
        if self.budget is not None:
            Budget.parse(self.budget)
        if self.shared_prefix not in ("auto", "true", "false"):
            raise ValueError(f"shared_prefix is '{self.shared_prefix}'; expected auto, true or false")


@dataclass(frozen=True)
class Arguments:
    """A recipe as checked dataclasses: TRL's config of the method, ModelConfig, ScriptArguments and `RunArguments`."""

    training: Any
    model: Any
    script: Any
    run: RunArguments


def find_recipe(name: str | Path) -> Path:
    """The file of a recipe: a path, or the name of one that ships with the package, such as `recipes/tiny/sft.yaml`.

    Raises:
        RecipeError: there is no such file.
    """
    if Path(name).is_file():
        return Path(name).resolve()
    shipped = shipped_recipes()
    tail = Path(*Path(name).parts[1:]) if Path(name).parts[:1] == ("recipes",) else Path(name)
    if f"recipes/{tail}" in shipped:
        return shipped[f"recipes/{tail}"].resolve()
    raise RecipeError(f"{name}: no such recipe{did_you_mean(str(name), shipped)}")


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the package: name, such as `recipes/tiny/sft.yaml` -> file."""
    folders = [folder for folder in (PACKAGE / "recipes", PACKAGE.parent / "recipes") if folder.is_dir()]
    return {
        f"recipes/{file.relative_to(folder)}": file for folder in folders for file in sorted(folder.rglob("*.yaml"))
    }


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe, what it extends (one file or a list), and `--key value` overrides, the later winning.

    Raises:
        UsageError: no such file, not a flat YAML mapping, a circle of `extends`, an unknown method, a key of
            `REFUSED_KEYS`, a file that says `push_to_hub`, or a variable that is not of `ENVIRONMENT`.
    """
    path = find_recipe(path)
    values = _read_with_parents(path, ())
    if values.get(PUSH):
        raise RecipeError(f"{path.name}: a file does not publish what it trains; give --{PUSH} true with the command")
    return _checked({**values, **parse_overrides(overrides or [])}, path)


def load_resolved(path: Path) -> Recipe:
    """Read the `recipe.yaml` that lies beside an adapter, which may be a stranger's: it reaches for no other file.

    Raises:
        UsageError: as `load_recipe`, or it extends another recipe.
    """
    values = read_yaml_mapping(path)
    if "extends" in values:
        raise RecipeError(f"{path}: it extends another recipe, and that of a finished run does not")
    return _checked(values, path)


def _checked(values: dict[str, Any], path: Path) -> Recipe:
    method = values.pop("method", None)
    if method is not None and not isinstance(method, str):
        raise RecipeError(f"{path.name}: 'method' must be one of {', '.join(METHODS)}, not {_shown(method)}")
    if method is None:
        raise RecipeError(f"{path.name}: no 'method'; expected one of {', '.join(METHODS)}")
    if method not in METHODS:
        raise RecipeError(
            f"{path.name}: unknown method '{method}'; expected one of {', '.join(METHODS)}"
            + did_you_mean(str(method), METHODS)
        )
    for key in REFUSED_KEYS.keys() & values.keys():
        raise RecipeError(f"{path.name}: {REFUSED_KEYS[key]}")
    return Recipe(method, values, path, _environment(values.pop("env", None) or {}, path))


def _environment(env: Any, path: Path) -> dict[str, str]:
    if not isinstance(env, dict) or not all(isinstance(value, str | int | float) for value in env.values()):
        raise RecipeError(f"{path.name}: 'env' must be a mapping of variables to values")
    for name in env:
        if name not in ENVIRONMENT:
            raise RecipeError(
                f"{path.name}: 'env' may not set '{name}'{did_you_mean(str(name), ENVIRONMENT)}; SECURITY.md lists "
                "what it may, all else is for your shell"
            )
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in env.items()}


def _read_with_parents(path: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    if path in children:
        raise RecipeError(
            f"{path.name}: 'extends' goes round in a circle: {' -> '.join(p.name for p in (*children, path))}"
        )
    values = read_yaml_mapping(path)
    values.pop(LAUNCHER_KEY, None)
    extends = values.pop("extends", None)
    parents = [] if extends is None else extends if isinstance(extends, list) else [extends]
    inherited: dict[str, Any] = {}
    for parent in parents:
        if not isinstance(parent, str):
            raise RecipeError(f"{path.name}: 'extends' must be a file or a list of files, not {_shown(extends)}")
        parent_path = path.parent / parent
        if not parent_path.is_file():
            raise RecipeError(f"{path.name}: it extends '{parent}', and there is no file {parent_path}")
        inherited.update(_read_with_parents(parent_path.resolve(), (*children, path)))
    return {**inherited, **values}


def parse_overrides(words: list[str]) -> dict[str, Any]:
    """`--key value`, `--key=value`, `--key one two` and `--flag` -> a mapping.

    Raises:
        RecipeError: a word that belongs to no key.
    """
    values: dict[str, Any] = {}
    key = None
    for word in words:
        if word.startswith("--"):
            key, separator, value = word[2:].partition("=")
            key = key.replace("-", "_")
            values[key] = [_number_or_text(value)] if separator else []
        elif key is None:
            raise RecipeError(f"unexpected '{word}'; overrides have the form --key value")
        else:
            values[key].append(_number_or_text(word))
    return {key: "true" if not words else words[0] if len(words) == 1 else words for key, words in values.items()}


def _number_or_text(word: str) -> int | float | str:
    """A number if it would be written like that again. `007`, `7e53216` or `1.10` may be a name or a revision."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            number = kind(word)
            if str(number) == word and math.isfinite(number):
                return number
    return word


def parse_recipe(recipe: Recipe) -> Arguments:
    """Check every key and value against the dataclasses of the method; imports TRL.

    Raises:
        RecipeError: an unknown key, a value of the wrong type, or values that do not go together.
    """
    classes = _classes(recipe)
    arguments = Arguments(*_parse(recipe, classes))
    for part in vars(arguments).values():
        _check_values(recipe, type(part), vars(part))
    return arguments


def check_recipe(recipe: Recipe) -> None:
    """Check every key and value as `parse_recipe` does, but for what depends on this machine; imports TRL.

    Raises:
        RecipeError: an unknown key, or a value of the wrong type.
    """
    config, *others = _classes(recipe)
    for part in _parse(recipe, tuple(others)):
        _check_values(recipe, type(part), vars(part))
    # TRL's config asks for the devices as soon as there is one.
    with _refused(recipe):
        _check_values(recipe, config, vars(_parser(recipe, (config,)).parse_args(_all_words(recipe, (config,)))))


def _classes(recipe: Recipe) -> tuple[type, ...]:
    """The dataclasses whose fields a recipe sets, in the order of `Arguments`; its keys are checked against them."""
    from trl import ModelConfig, ScriptArguments

    classes = (METHODS[recipe.method].config_class(), ModelConfig, ScriptArguments, RunArguments)
    known = _keys_of(classes)
    for key in recipe.values:
        if key not in known:
            raise RecipeError(f"{recipe.path.name}: unknown key '{key}'{did_you_mean(key, known)}")
    return classes


def with_numbers(recipe: Recipe, arguments: Arguments) -> Recipe:
    """The recipe with a number wherever a text was given for one: `--learning_rate 2e-3` stays a text until it is
    known that no name is meant.
    """
    parsed = {key: value for part in vars(arguments).values() for key, value in vars(part).items()}
    numbers = {
        key: parsed[key]
        for key, value in recipe.values.items()
        if isinstance(value, str) and isinstance(parsed.get(key), int | float) and not isinstance(parsed[key], bool)
    }
    return dataclasses.replace(recipe, values={**recipe.values, **numbers})


def _check_values(recipe: Recipe, cls: type, values: dict[str, Any]) -> None:
    kinds = typing.get_type_hints(cls)  # the parser has changed those of the fields
    for key in kinds.keys() & recipe.values.keys():
        _check_value(recipe, key, str(kinds[key]), values[key])


def _check_value(recipe: Recipe, key: str, kind: str, value: Any) -> None:
    where, given = f"{recipe.path.name}: {key}", recipe.values[key]
    if "dict" in kind and not isinstance(given, dict | str | None):
        raise RecipeError(f"{where} is {_shown(given)}; expected a mapping")
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, int | float):
            least, largest = LEAST.get(key, -math.inf), LARGEST.get(key, math.inf)
            finite = abs(number) < 2**63 if isinstance(number, int) else math.isfinite(number)
            if not (finite and least <= number <= largest):
                bounds = f" of at least {least}" * (key in LEAST) + f" and at most {largest}" * (key in LARGEST)
                raise RecipeError(f"{where} is {_shown(given)}; expected a finite number{bounds}")


def _shown(value: Any) -> str:
    return _shortened(str(value), 60)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def parse_model(recipe: Recipe):
    """TRL's ModelConfig of a recipe alone: what an adapter needs to be loaded again, on whatever machine."""
    from trl import ModelConfig

    return _parse(recipe, (ModelConfig,))[0]


def _keys_of(classes: tuple[type, ...]) -> list[str]:
    return [field.name for cls in classes for field in dataclasses.fields(cls)]


def _parse(recipe: Recipe, classes: tuple[type, ...]) -> tuple:
    with _refused(recipe):
        return _parser(recipe, classes).parse_args_into_dataclasses(
            _all_words(recipe, classes), look_for_args_file=False
        )


def _parser(recipe: Recipe, classes: tuple[type, ...]):
    from transformers import HfArgumentParser

    class Parser(HfArgumentParser):
        def error(self, message):
            raise RecipeError(f"{recipe.path.name}: {_one_line(message.removeprefix('argument '))}")

    return Parser(classes, allow_abbrev=False, prog=recipe.path.name)


@contextlib.contextmanager
def _refused(recipe: Recipe) -> Iterator[None]:
    """What the checks of TRL and transformers make of a stranger's values, as an error of the recipe's."""
    try:
        yield
    except RecipeError:
        raise
    except Exception as error:
        raise RecipeError(f"{recipe.path.name}: {_one_line(reason(error))}") from error


def _one_line(message: str) -> str:
    return _shortened(" ".join(message.split("\n\n")[0].split()), 300)


def _all_words(recipe: Recipe, classes: tuple[type, ...]) -> list[str]:
    known = _keys_of(classes)
    return [word for key, value in recipe.values.items() if key in known for word in _as_words(recipe, key, value)]


def _as_words(recipe: Recipe, key: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [f"--{key}={json.dumps(value, default=str)}"]
    if isinstance(value, list):
        for item in value:
            if isinstance(item, str) and item.startswith("-"):  # it would be taken for another key
                raise RecipeError(f"{recipe.path.name}: {key}: '{_shown(item)}' is no value")
        return [f"--{key}", *map(str, value)]
    return [f"--{key}={str(value).lower() if isinstance(value, bool) else value}"]
