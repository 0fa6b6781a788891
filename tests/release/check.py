"""Checks a release as a stranger gets it: `make release-check`, ten minutes on two cores, with the package registry.

Builds the source archive, and the wheel from it, into dist/; looks at what is in them; installs each into an empty
environment, and runs there, in an empty folder, `doctor`, a build, two steps of training and an evaluation. Then the
wheel by `uvx`, where it is the first command on a machine, with a study of two steps. dist/sbom.cdx.json, a software
bill of materials in CycloneDX, lists what the wheel brings along.

    python tests/release/check.py              # everything
    python tests/release/check.py --archives   # the archives alone, in half a minute
"""

import argparse
import ast
import email.message
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
LARGEST = 20_000_000  # bytes of an archive
NEVER_IN_THE_WHEEL = ("tests", "benchmarks", "outputs", "docs")
NEEDED = ("Summary", "Author", "License-Expression", "License-File", "Requires-Python", "Keywords", "Classifier")
# Of this checkout or of the environment that runs this; a stranger has none of them.
HIDDEN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
STUDY = """
dataset: demo
base: tiny
recipes: {sft: recipes/tiny/sft.yaml, grpo: recipes/tiny/grpo.yaml}
splits: [test]
limit: 8
mri_limit: 20
overrides: {budget: steps=2, eval_strategy: 'no'}
"""


class ReleaseError(Exception):
    """Something about the release is not as it must be."""


def require(holds: bool, said: str) -> None:
    """Raise a ReleaseError where something does not hold."""
    if not holds:
        raise ReleaseError(said)


def call(*words: str | Path, cwd: Path, **variables: str) -> str:
    """What a command prints; it sees no variable of this checkout.

    Raises:
        ReleaseError: it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN} | variables
    began = time.monotonic()
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=environment, capture_output=True, text=True)
    line = " ".join(map(str, words))
    require(done.returncode == 0, f"`{line}` failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
    print(f"  {time.monotonic() - began:5.1f} s  {line[:130]}", flush=True)
    return done.stdout


def make_environment(folder: Path, *packages: str | Path, torch: bool = False) -> Path:
    """A new environment with packages; the folder of its commands.

    Args:
        torch: install it first, and exactly pinned: a range would fetch the build with several GB of CUDA libraries.
    """
    venv.create(folder, with_pip=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if torch:
        call(*pip, "--constraint", CONSTRAINTS, "torch", cwd=folder)
    call(*pip, "--constraint", CONSTRAINTS, *packages, cwd=folder)
    return folder / "bin"


def version_of_the_code() -> str:
    """`__version__` as it is written, since this process need not have the package's dependencies."""
    module = ast.parse((ROOT / "ascii_maze" / "__init__.py").read_text(encoding="utf-8"))
    values = (node.value for node in module.body if isinstance(node, ast.Assign) and is_version(node))
    return ast.literal_eval(next(values))


def is_version(node: ast.Assign) -> bool:
    """Whether an assignment is `__version__ = ...`."""
    return any(isinstance(target, ast.Name) and target.id == "__version__" for target in node.targets)


def build(tools: Path, dist: Path) -> tuple[Path, Path]:
    """The source archive, and the wheel that is built from it."""
    for old in (*dist.glob("ascii_maze-*"), *dist.glob("sbom.*")):
        old.unlink()
    call(tools / "python", "-m", "build", "--outdir", dist, ROOT, cwd=ROOT)
    (source,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    return source, wheel


def check_archives(source: Path, wheel: Path) -> None:
    """Sizes, names, licences and metadata of both archives, and the changelog's date of this version."""
    version = version_of_the_code()
    for archive in (source, wheel):
        require(archive.stat().st_size < LARGEST, f"{archive.name} is larger than {LARGEST // 10**6} MB")
        require(f"-{version}" in archive.name, f"{archive.name} is not of version {version}")
    with zipfile.ZipFile(wheel) as opened:
        check_wheel(opened.namelist(), email.message_from_bytes(opened.read(metadata_of(opened.namelist()))), version)
    with tarfile.open(source) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    for file in ("LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "constraints.txt", "tests/conftest.py"):
        require(file in inside, f"{source.name} has no {file}")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    dated = re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changes, flags=re.M)
    require(bool(dated), f"CHANGELOG.md has no '## [{version}] - DATE'")


def metadata_of(names: Iterable[str]) -> str:
    """Where the metadata of a wheel are."""
    return next(name for name in names if name.endswith(".dist-info/METADATA"))


def check_wheel(names: list[str], about: email.message.Message, version: str) -> None:
    """Nothing in the wheel that is not for users, the licence in it, and metadata that a registry shows."""
    tops = {name.split("/")[0] for name in names}
    packages = {"ascii_maze", "dataset_builder", "ascii_maze_env.py", f"ascii_maze-{version}.dist-info"}
    require(tops == packages, f"the wheel has {sorted(tops ^ packages)}")
    bad = [name for name in names if set(name.split("/")[:-1]) & set(NEVER_IN_THE_WHEEL) or "conftest" in name]
    require(not bad, f"the wheel has {bad[:5]}, which is not for users")
    require(any(name.endswith(".dist-info/licenses/LICENSE") for name in names), "the wheel has no licence file")
    for field in NEEDED:
        require(bool(about.get_all(field)), f"the metadata have no {field}")
    require(about["Version"] == version, f"the metadata are of version {about['Version']}")
    require(about["Description-Content-Type"] == "text/markdown", "the description is no Markdown")


def try_archive(archive: Path, folder: Path) -> Path:
    """Install an archive into an empty environment and run a user's first commands there; its commands' folder."""
    print(f"{archive.name} in an empty environment", flush=True)
    commands = make_environment(folder / "env", archive, torch=True)
    here = folder / "empty"
    here.mkdir()
    call(commands / "python", "-m", "pip", "check", cwd=here)
    maze = commands / "ascii-maze"
    where = call(commands / "python", "-c", "import ascii_maze; print(ascii_maze.__file__)", cwd=here).strip()
    require(Path(where).is_relative_to(folder.resolve()), f"ascii_maze is imported from {where}")
    require(call(maze, "--version", cwd=here).split()[-1] == version_of_the_code(), "--version differs")
    call(maze, "doctor", cwd=here)
    call(maze, "build", "demo", "--out", "ascii-maze", "--limit", "64", cwd=here)
    call(maze, "train", "recipes/tiny/sft.yaml", "--budget", "steps=2", "--output_dir", "sft", cwd=here)
    told = json.loads(call(maze, "evaluate", "tiny", "sft=sft", "--limit", "8", "--json", cwd=here))
    require(told["models"]["sft"]["test"]["n"] == 8, "the evaluation has not the mazes that it was asked for")
    return commands


def write_sbom(tools: Path, commands: Path, target: Path) -> None:
    """List what an environment has, with licences, in CycloneDX; the package itself is the main component."""
    words = ["--output-reproducible", "--mc-type", "library", "--output-file", target]
    call(tools / "cyclonedx-py", "environment", *words, commands / "python", cwd=target.parent)
    listed = {part["name"].lower(): part for part in json.loads(target.read_text(encoding="utf-8"))["components"]}
    for name in ("ascii-maze", "torch", "transformers", "trl"):
        require(name in listed, f"{target.name} does not list {name}")
    bare = [name for name, part in listed.items() if not part.get("licenses")]
    print(f"  {len(listed)} packages; without a licence in their metadata: {', '.join(bare) or 'none'}", flush=True)


def try_uvx(tools: Path, wheel: Path, folder: Path) -> None:
    """The wheel as the first command on a machine that has uv and nothing else, and a study of two steps."""
    print(f"{wheel.name} by uvx", flush=True)
    uvx = [tools / "uvx", "--python", sys.executable, "--constraints", CONSTRAINTS, "--from", wheel, "ascii-maze"]
    cache = {"UV_CACHE_DIR": str(folder / "cache")}  # empty, as on a machine where uv was installed a minute ago
    here = folder / "by-uvx"
    here.mkdir()
    call(*uvx, "study", "--dry-run", cwd=here, **cache)
    (here / "two-steps.yaml").write_text(STUDY, encoding="utf-8")
    call(*uvx, "study", "two-steps.yaml", "--out", "study", cwd=here, **cache)
    page = (here / "study" / "report.html").read_text(encoding="utf-8")
    require("<svg" in page, "the report of the study has no figure")
    inside = (here / "study" / "mri" / "report.html").read_text(encoding="utf-8")
    require("llm-mri" in inside, "the MRI does not say that llm-mri is missing, and how to add it")


def main() -> int:
    """Run the checks; 1 where one of them fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archives", action="store_true", help="build and look at the archives, and stop")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    asked = parser.parse_args()
    asked.dist.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="release-") as folder:
            place = Path(folder)
            tools = make_environment(place / "tools", "build", "twine", "cyclonedx-bom", "uv")
            source, wheel = build(tools, asked.dist.resolve())
            check_archives(source, wheel)
            call(tools / "twine", "check", "--strict", source, wheel, cwd=place)
            if not asked.archives:
                for archive in (source, wheel):
                    (place / archive.suffix[1:]).mkdir()
                    commands = try_archive(archive, place / archive.suffix[1:])
                write_sbom(tools, commands, asked.dist.resolve() / "sbom.cdx.json")
                try_uvx(tools, wheel, place)
    except ReleaseError as error:
        print(f"release-check: {error}", file=sys.stderr)
        return 1
    sizes = ", ".join(f"{file.name} {file.stat().st_size / 1e6:.1f} MB" for file in (source, wheel))
    print(f"release-check: in order; {sizes}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
