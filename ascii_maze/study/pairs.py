"""Which models a study compares, as planned before it runs: those of its file, or `default_pairs`."""

from collections.abc import Mapping, Sequence

from ..errors import UsageError, did_you_mean
from ..recipe import Recipe
from ..recipe.methods import METHODS
from .settings import Study

BASE_NAME = "base"
CONTROL = "sft_twice"


def planned_pairs(
    study: Study, recipes: Mapping[str, Recipe], starts: Mapping[str, Mapping[str, str]]
) -> list[tuple[str, str]]:
    """The pairs that are compared, each a model and the one it is compared with.

    Args:
        recipes: of the study, by name.
        starts: from `plan.starts_of`.

    Raises:
        UsageError: the study names a model that is not in it or writes no paths.
    """
    walkers = [name for name, recipe in recipes.items() if not METHODS[recipe.method].scores]
    if study.contrasts is None:
        return default_pairs(walkers, {name: start_of(starts[name]) for name in walkers})
    for name in (name for pair in study.contrasts for name in pair):
        if name in recipes and name not in walkers:
            raise UsageError(f"'contrasts': '{name}' is a reward model, which writes no paths; leave it out")
        if name not in (BASE_NAME, *walkers):
            raise UsageError(f"'contrasts': no '{name}' in this study{did_you_mean(name, [BASE_NAME, *walkers])}")
    return [(a, b) for a, b in study.contrasts]


def default_pairs(walkers: Sequence[str], starts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every method against the model it starts from, then against the control, then GRPO against DPO.

    Args:
        walkers: the study's runs that walk mazes.
        starts: the model that each starts from.
    """
    pairs = [(name, starts[name]) for name in walkers]
    if CONTROL in walkers:
        pairs += [(name, CONTROL) for name in walkers if name not in (CONTROL, starts[CONTROL])]
    if {"grpo", "dpo"} <= set(walkers):
        pairs.append(("grpo", "dpo"))
    return list(dict.fromkeys(pairs))


def start_of(starts: Mapping[str, str]) -> str:
    """The model in the tables that a run starts from; the argument is of `plan.starts_of`."""
    return starts.get("adapter_name_or_path", BASE_NAME)


def chain_of(name: str, starts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The runs that a run builds on: its start, its reward model, and those that these build on, each once."""
    chain: dict[str, None] = {}
    for other in starts[name].values():
        chain |= dict.fromkeys([*chain_of(other, starts), other])
    return list(chain)
