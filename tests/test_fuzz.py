"""Whatever is written, the answer is a value or one line that says what is wrong. For longer than the tests have time:
`pytest tests/test_fuzz.py --hypothesis-profile long`.
"""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze, PathScore, score_path
from ascii_maze.errors import UsageError
from ascii_maze.metrics.path_validity.maze import MazeError
from ascii_maze.recipe import Recipe, load_recipe, load_resolved, shipped_recipes
from dataset_builder.card import render_config
from dataset_builder.config import CONFIGS, BuildConfig, load_config, quotas

MAZE = "#####\n#S  #\n### #\n#G  #\n#####"
maze_like = st.text("#. █SG\n\r", max_size=60) | st.text(max_size=20)
answer_like = st.one_of(
    st.text(),
    st.text("UDLR udlr,()0123456789\n", max_size=80),
    st.lists(st.sampled_from(["<answer>", "</answer>", "R", "up", "→", "(1, 2)", " ", "<think>", "\x00"])).map(
        "".join
    ),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(), st.binary(max_size=4)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3))
tagged = st.sampled_from(["!!int", "!!float", "!!bool", "!!timestamp", "!!binary", "!!set", "!x", "&a", "*a"])
scraps = st.one_of(values.map(lambda value: yaml.safe_dump(value, allow_unicode=True)), st.text(), tagged)


def settings_like(keys: list[str]):
    """Files of settings with some keys that are known, and some text that is not YAML."""
    lines = st.tuples(st.sampled_from(keys) | st.text(max_size=8), st.sampled_from([": ", ":", " "]), scraps)
    return st.lists(lines.map("".join), max_size=4).map("\n".join) | st.text()


def damaged(texts: list[str]):
    """Files as they ship, with a few characters put in somewhere in place of others."""

    def damage(text: str, start: float, length: int, scrap: str) -> str:
        at = int(start * len(text))
        return text[:at] + scrap + text[at + length :]

    return st.builds(damage, st.sampled_from(texts), st.floats(0, 1), st.integers(0, 40), scraps)


def value_or_error(function, *arguments):
    """What a function returns, or the one error that it may raise, in one line."""
    try:
        return function(*arguments)
    except (MazeError, UsageError) as error:
        said = str(error)
        assert said
        assert "\n" not in said
        assert len(said) < 1000
        return error


@given(maze_like | damaged([MAZE]))
def test_text_is_a_maze_or_is_refused_with_row_and_column(text):
    maze = value_or_error(Maze.from_ascii, text)
    if isinstance(maze, MazeError):
        assert re.search(r"row \d+|is empty|exactly one [SG], found 0", str(maze))
        return
    lines = text.replace("\r\n", "\n").strip("\n").replace(".", " ").replace("█", "#").split("\n")
    assert maze.shape[0] == len(lines)
    assert all(line.strip() == row.strip() for line, row in zip(lines, maze.to_ascii().split("\n")))
    assert Maze.from_ascii(maze.to_ascii()) == maze


@given(answer_like, st.sampled_from([MAZE, "SG", "S#G"]))
def test_any_completion_has_a_score_that_agrees_with_itself(completion, maze):
    score = score_path(maze, completion)
    assert isinstance(score, PathScore)
    assert score.valid == (score.legal and score.reaches_goal)
    assert score.valid or not score.optimal
    assert score.parsed or not (score.legal or score.wall_hits or score.revisits)
    assert (score.excess_moves is None) == (not score.valid)
    assert 0 <= score.legal_prefix <= 1
    assert 0 <= score.progress <= 1


RECIPES = [path.read_text() for path in shipped_recipes().values()]
BUILDS = [path.read_text() for path in CONFIGS.iterdir()]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "fuzzed.yaml"


@given(text=settings_like(["method", "extends", "env", "seed", "budget", "method: sft\nenv"]) | damaged(RECIPES))
def test_any_text_is_a_recipe_or_is_refused_in_one_line(file, text):
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    for load in (load_recipe, load_resolved):
        recipe = value_or_error(load, file)
        if isinstance(recipe, UsageError):
            continue
        assert isinstance(recipe, Recipe)
        file.write_text(recipe.to_yaml(), encoding="utf-8")
        assert repr(load_resolved(file).values) == repr(recipe.values)  # nan is no equal of itself


@given(text=settings_like(list(BuildConfig.__dataclass_fields__)) | damaged(BUILDS))
def test_any_text_is_a_dataset_config_or_is_refused_in_one_line(file, text):
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    config = value_or_error(load_config, str(file))
    if not isinstance(config, UsageError):
        assert sum(quota.count for quota in quotas(config)) == sum(config.splits.values())
        file.write_text(render_config(config), encoding="utf-8")
        assert load_config(str(file)) == config
