"""What README.md, CONTRIBUTING.md and docs/ print is done here, as far as it goes without a network or hours.

Python is run, and a comment that looks like a value is compared with what the line gives. Of a shell block every line
must be known to `HOW`: it is run, run with a small `--limit`, or else read by the very parser that would run it.
"""

import doctest
import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

import ascii_maze
from ascii_maze.cli import app
from ascii_maze.recipe import find_recipe, load_recipe

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "README.pt-BR.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
DOCS = tuple(sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")))
LINK = re.compile(r"\]\(([^)\s]+)\)")
VALUE = re.compile(r"[\[({'\"\d-]|True|False|None|[A-Z]\w+\(")  # how a comment begins that is what the line gives


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language, also those that are indented, as in a list."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, flags=re.S | re.M)
    return [textwrap.dedent(block) for _, block in found]


def commands(page: str) -> list[str]:
    """Every line of the shell blocks, and what in the text is marked as a command of ours."""
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`((?:ascii-maze \w+|accelerate launch) [^`]+)`", (ROOT / page).read_text(encoding="utf-8"))
    found = [shlex.join(shlex.split(line, comments=True)) for line in lines]
    return [line for line in dict.fromkeys(found) if (line and not line.endswith(".yaml")) or "/" in line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a user stands after `ascii-maze build demo`, an evaluation, and with answers made elsewhere."""
    from ascii_maze.evaluation.options import Options
    from ascii_maze.evaluation.prompts import write_prompts
    from ascii_maze.evaluation.run import evaluate
    from dataset_builder.build import build
    from dataset_builder.config import load_config

    folder = tmp_path_factory.mktemp("readme")
    build(load_config("demo", limit=16), folder / "ascii-maze")
    evaluate({}, str(folder / "ascii-maze"), ["test"], folder / "outputs" / "evaluation-small", Options(limit=8))
    answers = folder / "answers.jsonl"
    write_prompts(str(folder / "ascii-maze"), "test", None, answers, None)
    lines = [json.loads(line) | {"completion": "U"} for line in answers.read_text().splitlines()]
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "ascii_maze").symlink_to(ROOT / "ascii_maze")
    return folder


def statements(block: str) -> list[str]:
    """The statements of a block, each with its comment; a decorator stays with what it decorates."""
    found = [""]
    for part in re.split(r"\n(?=[^\s)\]}])", block.rstrip()):
        if found[-1].startswith("@") and "\ndef " not in found[-1]:
            found[-1] += f"\n{part}"
        else:
            found.append(part)
    return found[1:]


PYTHON = [block for page in ("README.md", *DOCS) for block in blocks(page, "python")]


@pytest.mark.slow  # one of them trains a step
@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.splitlines()[0])
def test_python_blocks_give_what_their_comments_say(block, folder, monkeypatch):
    monkeypatch.chdir(folder)
    namespace: dict = {}
    compared = doctest.OutputChecker()
    for statement in statements(block):
        code, _, said = statement.partition("  # ")
        if not VALUE.match(said):  # prose, or no comment at all
            exec(compile(statement, "README.md", "exec"), namespace)  # noqa: S102, it is ours
            continue
        given = repr(eval(code, namespace))  # noqa: S307
        assert compared.check_output(said.strip() + "\n", given + "\n", doctest.ELLIPSIS), (
            f"{code}: {given}, not {said}"
        )


def read_by_its_parser(words: list[str]) -> None:
    """A command of ours, with every argument and option as printed, up to the point where it would begin."""
    command = typer.main.get_command(app)
    with command.make_context("ascii-maze", words[1:]) as context:
        name, subcommand, rest = command.resolve_command(context, words[1:])
        subcommand.make_context(name, rest, parent=context)
    if words[1] == "train":
        load_recipe(words[2], [word for word in words[3:] if word not in ("--dry-run", "--overwrite")])


def read_as_a_launch(words: list[str]) -> None:
    """`accelerate launch`: the recipe with what overrides it, and accelerate's own config."""
    recipe = next(k for k, word in enumerate(words) if word.endswith(".yaml") and words[k - 1] != "--config_file")
    load_recipe(words[recipe], words[recipe + 1 :])
    if "--config_file" in words:
        find_recipe(words[words.index("--config_file") + 1])


def run(words: list[str]) -> None:
    """A command of ours, as it stands."""
    done = subprocess.run([sys.executable, "-m", "ascii_maze", *words[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run_small(words: list[str]) -> None:
    """A command of ours, with few rows and where nothing is yet."""
    out = words.index("--out") + 1
    run([*words[:out], f"again-{words[out]}", *words[out + 1 :], "--limit", "8"])


def plan_of_make(words: list[str]) -> None:
    """What `make` would do."""
    subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)


def help_of(words: list[str]) -> None:
    """A command of another package, which would ask for something: that it is there and has this subcommand."""
    program = Path(sys.executable).parent / words[0]
    assert shutil.which(program)
    subprocess.run([program, *words[1:], "--help"], check=True, capture_output=True)


def files_exist(words: list[str]) -> None:
    """Tests to run: that they exist; they run with the others."""
    assert all((ROOT / word).is_file() for word in words[3:])


def known_program(words: list[str]) -> None:
    """A program that is not run here: what it installs or runs must be ours, or named in pyproject.toml."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = [word for word in words[2:] if not word.startswith("-") and "://" not in word]
    names = {re.split(r"[\[=<>]", word)[0] for word in packages} if words[0] == "pip" else {"ascii-maze"}
    assert all(name == "ascii-maze" or name in project for name in names)


# The first that matches is what is done with a line.
HOW = (
    (r"(pip install|uvx|lighteval) ", known_program),
    (r"(lm-eval|inspect|python -m dataset_builder)", help_of),
    (r"make ", plan_of_make),
    (r"hf ", help_of),
    (r"\.venv/bin/python -m pytest ", files_exist),
    (r"accelerate launch ", read_as_a_launch),
    (r"ascii-maze build demo --out ascii-maze", run_small),
    (r"ascii-maze show ascii-maze ", run),
    (r"ascii-maze prompts ", run_small),
    (r"ascii-maze evaluate gpt=answers.jsonl --split ", run),
    (r"ascii-maze push dataset .*--dry-run", run),
    (r"ascii-maze ", read_by_its_parser),
)


@pytest.mark.slow  # through HOW, where the look for processes does not reach
@pytest.mark.parametrize(
    "line", dict.fromkeys(line for page in ("README.md", "CONTRIBUTING.md", *DOCS) for line in commands(page))
)
def test_every_command_does_what_is_printed(line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    how = next((do for pattern, do in HOW if re.match(pattern, line)), None)
    assert how, f"nobody runs '{line}'; add a line to HOW"
    how(shlex.split(line))


def written() -> list[str]:
    """Every page of the project that is Markdown."""
    found = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    return found or [*PAGES, *DOCS]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", written())
def test_links_lead_somewhere(page):
    text = without_code((ROOT / page).read_text(encoding="utf-8"))
    links = [link for link in LINK.findall(text) if "://" not in link and "{" not in link]
    lost = []
    for link in links:
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_version_and_licence_are_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dynamic"] == ["version"]  # which hatchling reads from the package
    version = ascii_maze.__version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "type"} <= citation.keys()
    assert citation["title"] == project["name"]
    assert citation["license"] == project["license"]
    assert str(citation["version"]) == version
    server = yaml.safe_load((ROOT / "ascii_maze" / "integrations" / "openenv" / "openenv.yaml").read_text())
    assert server["version"] == version
    releases = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    newest, date = next(release for release in releases if release[0] != "Unreleased")
    assert newest == version
    assert date == str(citation["date-released"])


def test_the_map_of_the_code_names_every_module():
    code = re.findall(r"`([^`]+)`", (ROOT / "CONTRIBUTING.md").read_text())
    named = {part.removesuffix(".py") for word in code for part in Path(word).parts}
    modules = [*(ROOT / "ascii_maze").iterdir(), *(ROOT / "dataset_builder").glob("*.py")]
    modules = [path for path in modules if path.suffix == ".py" or (path / "__init__.py").is_file()]
    assert {path.stem for path in modules if not path.stem.startswith("__")} - named == set()


def numbers(text: str) -> list[str]:
    """All numbers, whether the point or the comma parts their thousands or begins their decimals."""
    return sorted(re.sub(r"[.,]", "", number) for number in re.findall(r"\d[\d.,]*\d|\d", text))


def test_the_portuguese_readme_is_in_step_with_the_english_one():
    english, portuguese = ((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "README.pt-BR.md"))
    portuguese = portuguese.replace("(README.md)", "(README.pt-BR.md)")  # each names the other
    for what, pattern in {
        "levels of headings": r"^(#+) .*$",
        "cells of tables": r"^\|.*\|$",
        "links and pictures": r"\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)",
        "code in the text": r"(?<!`)`([^`\n]+)`(?!`)",
        "languages of blocks": r"^```(\w*)$",
    }.items():
        found = [re.findall(pattern, without_code(text), flags=re.M) for text in (english, portuguese)]
        if what == "cells of tables":
            found = [[row.count("|") for row in rows] for rows in found]
        assert sorted(found[0]) == sorted(found[1]), what
    assert numbers(english) == numbers(portuguese)
    for language in ("sh", "python"):
        code = [[re.sub(r"# .*|\s", "", block) for block in blocks(page, language)] for page in PAGES[:2]]
        assert code[0] == code[1]
    linked = [[sorted(LINK.findall(part)) for part in sections(text)] for text in (english, portuguese)]
    assert linked[0] == linked[1]  # the same sections in the same order


@pytest.mark.parametrize(("page", "most"), [("README.md", 1_700), ("README.pt-BR.md", 1_800)])
def test_a_readme_is_short_and_says_where_the_rest_is(page, most):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert len(text.split()) <= most
    parts = sections(text)[1:-2]  # but the comparison with others and the limits
    assert len(parts) == 11
    assert [part.splitlines()[0] for part in parts if not re.search(r"\]\(docs/\w+/\w+\.md", part)] == []


def sections(text: str) -> list[str]:
    """The head of a page, then each of its sections."""
    return re.split(r"^## ", without_code(text), flags=re.M)


def without_code(text: str) -> str:
    """A page without what stands in its fenced blocks."""
    return re.sub(r"^(```\w*\n).*?^```$", r"\1```", text, flags=re.S | re.M)
