"""What a user gets: the wheel, made from the source archive, where nothing else of the project is."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Where the files of these folders go in the wheel; the rest of the repository does not go.
PLACES = {"ascii_maze": "ascii_maze", "dataset_builder": "dataset_builder"}
PLACES |= {"ascii_maze_env.py": "ascii_maze_env.py"}
PLACES |= {"recipes": "ascii_maze/recipes", "model_cards": "ascii_maze/model_cards"}


def call(*words, cwd: Path) -> str:
    """What a command prints; it finds no project on its path and no network."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built as `python -m build` does: the repository -> source archive -> wheel."""
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", out, cwd=ROOT)
    (archive,) = out.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        source.extractall(out, filter="data")
    unpacked = out / archive.name.removesuffix(".tar.gz")
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=unpacked)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of commands of a new environment with the wheel; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    # A line of a .pth file adds a folder, but not what the .pth files in that folder would: no editable install.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    call(*pip, "install", "--no-deps", "--no-index", "--ignore-installed", "--quiet", wheel, cwd=folder)
    return folder / "bin"


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(["git", "ls-files", *PLACES], cwd=ROOT, capture_output=True, text=True).stdout.split()
    if not tracked:
        pytest.skip("not a clone")
    wanted = {PLACES[top := path.split("/")[0]] + path.removeprefix(top) for path in tracked}
    assert {name for name in names if ".dist-info/" not in name} == wanted
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_a_user_s_first_commands_work_where_nothing_but_the_wheel_is(installed, tmp_path):
    command = installed / "ascii-maze"
    assert "Usage" in call(command, "--help", cwd=tmp_path)
    where = "import ascii_maze, dataset_builder; print(ascii_maze.__file__, dataset_builder.__file__)"
    for file in call(installed / "python", "-c", where, cwd=tmp_path).split():
        assert Path(file).is_relative_to(installed.parent)
    call(command, "build", "demo", "--out", "mazes", "--limit", "8", cwd=tmp_path)
    told = json.loads(call(command, "evaluate", "tiny", "--dataset", "mazes", "--limit", "4", "--json", cwd=tmp_path))
    assert told["models"]["tiny"]["test"]["n"] == 4
    assert told["models"]["shortest_path"]["test"]["optimal"] == 1
    call(command, "show", "mazes", "--split", "test", "--html", "page.html", cwd=tmp_path)
    assert "<svg" in (tmp_path / "page.html").read_text()


def test_what_ships_is_found_by_name(installed, tmp_path):
    program = (
        "import json, ascii_maze\n"
        "from ascii_maze.recipe.methods import METHODS\n"
        "from ascii_maze.recipe import load_recipe, shipped_recipes\n"
        "from dataset_builder.config import load_config\n"
        "recipes = [load_recipe(f'recipes/{place}{method}.yaml') for place in ('', 'tiny/') for method in METHODS]\n"
        "print(json.dumps([len(recipes), len(shipped_recipes()), load_config('ascii-maze').name, "
        "ascii_maze.metric_path()]))\n"
    )
    recipes, shipped, name, metric = json.loads(call(installed / "python", "-c", program, cwd=tmp_path))
    assert recipes == 14
    assert shipped == len(list((ROOT / "recipes").rglob("*.yaml")))
    assert name == "ascii-maze"
    assert (Path(metric) / "path_validity.py").is_file()
    assert Path(metric).is_relative_to(installed.parent)
