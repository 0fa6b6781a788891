"""The OpenEnv environment as a Space: what is sent runs without the package, and says what it is."""

import subprocess
import sys

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.hub import plan_push, shipped_folder
from ascii_maze.hub.content import read

from .conftest import ORG

SPACE = f"{ORG}/ascii-maze-env"
WITHOUT_A_SERVER = """
import sys
import ascii_maze
from ascii_maze.environment.env import MazeEnv
from ascii_maze.integrations.seeded import maze_of_seed
env = MazeEnv(maze_of_seed(7), "window:2")
env.turn(env.maze.solve())
assert env.ended == "goal", env.ended
heavy = {"torch", "transformers", "datasets", "trl", "dataset_builder", "typer"} & set(sys.modules)
assert not heavy, heavy
print(ascii_maze.__file__)
"""


@pytest.fixture
def sent(tmp_path):
    """The Space's files, in a folder."""
    plan = plan_push("environment", shipped_folder("environment"), SPACE)
    assert "Dockerfile" not in plan.left_out
    for path, content in plan.contents.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(read(content))
    return tmp_path


def test_what_is_sent_runs_by_itself(sent):
    """Apart from openenv, which `tests/integrations` has."""
    words = [sys.executable, "-c", WITHOUT_A_SERVER]
    done = subprocess.run(words, cwd=sent, env={"PYTHONPATH": str(sent)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(sent))


def test_a_container_finds_its_program(sent):
    assert {path.name for path in sent.iterdir()} == {
        "Dockerfile",
        "README.md",
        "openenv.yaml",
        "requirements.txt",
        "ascii_maze",
    }
    module = "ascii_maze.integrations.openenv.server"
    assert (sent / f"{module.replace('.', '/')}.py").is_file()
    assert f'"{module}:app"' in (sent / "Dockerfile").read_text()
    assert f"app: {module}:app" in (sent / "openenv.yaml").read_text()
    card = (sent / "README.md").read_text()
    assert f"https://{SPACE.replace('/', '-').lower()}.hf.space" in card
    assert "sdk: docker" in card


def test_a_kind_that_is_not_shipped_needs_a_folder():
    with pytest.raises(UsageError, match="no folder to push as dataset; name it, which `ascii-maze build` makes"):
        shipped_folder("dataset")
    with pytest.raises(UsageError, match="no folder to push as nothing"):
        shipped_folder("nothing")
    assert shipped_folder("environment").is_dir()


def test_push(push):
    pushed = push(shipped_folder("environment"), "environment", SPACE)
    assert {"Dockerfile", "README.md", "ascii_maze/environment/env.py"} < set(pushed.sent)
    assert not push(shipped_folder("environment"), "environment", SPACE).sent
