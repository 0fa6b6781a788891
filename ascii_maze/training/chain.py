"""Checks the adapter and the reward model that a run starts from; a missing one is named with its recipe."""

from pathlib import Path

from ..errors import UsageError, one_line
from ..models.adapter_config import CONFIG, ModelError, fetch
from ..models.sources import find_named
from ..recipe import LAUNCHER_KEY, RunArguments, load_recipe, shipped_recipes
from ..references import HUB_FORM, Reference, find_reference, hub_answers


def check_predecessors(run: RunArguments, base: str | None = None) -> None:
    """Check that the adapters that a recipe starts from exist and are finished.

    Args:
        base: the model that the recipe trains; the suggested command overrides the shipped recipe's if it differs.

    Raises:
        UsageError: one is missing or unfinished; the message has the command that makes it.
    """
    for key in ("adapter_name_or_path", "reward_model_name_or_path"):
        name = getattr(run, key)
        if name is not None:
            _check_predecessor(key, name, base)


def _check_predecessor(key: str, name: str, base: str | None) -> None:
    reference = find_reference(name)
    if reference is None or not reference.is_local:
        maker = recipe_that_makes(name)
        if maker is not None:
            command = f"accelerate launch {maker}{_with_base(maker, base)}"
            raise UsageError(f"{key}: there is no '{name}' yet; make it first: {command}")
        if reference is None:
            raise UsageError(f"{key}: there is no folder '{name}', and it is not {HUB_FORM}")
        check_adapter_on_hub(key, reference)
        return
    folder = Path(name)
    if (folder / "recipe.yaml").is_file() and not (folder / "metrics.json").is_file():
        command = f"ascii-maze train {folder / 'recipe.yaml'}"
        raise UsageError(f"{key}: the run in '{name}' is not finished; resume it first: {command}")
    if not (folder / "adapter_config.json").is_file():
        raise UsageError(f"{key}: '{name}' holds no adapter (no adapter_config.json)")


def check_adapter_on_hub(key: str, reference: Reference) -> None:
    """Check that the Hub, or its cache, has an adapter of this name; it may have been meant as a folder.

    Raises:
        UsageError: there is none.
    """
    where = "on the Hub" if hub_answers() else "in the Hub's cache"
    try:
        found = fetch(reference.name, reference.revision, CONFIG)
    except ModelError as error:
        if where == "on the Hub":  # no such repository, no access to it, or the Hub is down: it says which
            raise UsageError(f"{key}: there is no folder '{reference}', and {one_line(error)}") from error
        found = None
    if found is None:
        raise UsageError(
            f"{key}: there is no folder '{reference}', and no adapter of that name {where}; train it first, with "
            f"--output_dir {reference.name}"
        )


def _with_base(maker: str, base: str | None) -> str:
    """The override that makes a shipped recipe train this base, if its own differs."""
    own = load_recipe(shipped_recipes()[maker]).values["model_name_or_path"]
    return "" if base is None or base in (own, find_named(own).name) else f" --model_name_or_path {base}"


def recipe_that_makes(output_dir: str) -> str | None:
    """The shipped recipe that writes to this folder, as named on the command line."""
    for name, path in shipped_recipes().items():
        if LAUNCHER_KEY in path.read_text(encoding="utf-8"):
            made = load_recipe(path).values.get("output_dir")
            if made is not None and Path(made) == Path(output_dir):
                return name
    return None
