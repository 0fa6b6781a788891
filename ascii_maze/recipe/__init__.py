"""Recipes: flat YAML -> checked dataclasses, with `extends:`, command-line overrides and did-you-mean hints.

    recipe = load_recipe("recipes/tiny/sft.yaml", ["--learning_rate", "2e-3"])
    arguments = parse_recipe(recipe)          # imports TRL, which takes seconds

A recipe holds `method:`, the fields of that method's TRL config, of TRL's ModelConfig and ScriptArguments, and of
`RunArguments`. Values from the file and from the command line are checked by the same parser.

methods         the registry of methods
run_metrics     metrics.json of a finished run: its type, reader and writer
"""

from .arguments import Arguments, Budget, RunArguments
from .checks import check_recipe, parse_model, parse_recipe, with_values
from .errors import RecipeError
from .reading import Recipe, find_recipe, load_recipe, load_resolved, override_words, parse_overrides, shipped_recipes
from .rules import ENVIRONMENT, LAUNCHER_KEY, REFUSED_KEYS

__all__ = [
    "ENVIRONMENT",
    "LAUNCHER_KEY",
    "REFUSED_KEYS",
    "Arguments",
    "Budget",
    "Recipe",
    "RecipeError",
    "RunArguments",
    "check_recipe",
    "find_recipe",
    "load_recipe",
    "load_resolved",
    "override_words",
    "parse_model",
    "parse_overrides",
    "parse_recipe",
    "shipped_recipes",
    "with_values",
]
