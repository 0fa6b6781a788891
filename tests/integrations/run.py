"""Tests of each framework in an environment of its own, since what one requires may exclude another.

    .venv/bin/python tests/integrations/run.py                # all of them
    .venv/bin/python tests/integrations/run.py openenv

Each environment lies in a temporary folder. It sees the packages of the one that runs this, and has in front of them
what the framework wants in other versions, so that nothing heavy is fetched twice. A test that is skipped is an error.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
import venv
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS = ("openenv", "verifiers", "lighteval")


def requirements(framework: str) -> list[str]:
    """What the extra of that name asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["optional-dependencies"][framework]


def make(folder: Path, framework: str) -> Path:
    """An environment with a framework; its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "beside.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"]
    subprocess.run([*install, *requirements(framework)], check=True, stderr=subprocess.PIPE)
    return python


def main() -> int:
    """Make each environment and run its tests there; the number of frameworks that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frameworks", nargs="*", choices=[*FRAMEWORKS, []], default=[])
    if find_spec("ascii_maze") is None:
        parser.error("run it with the Python of the project's environment, such as .venv/bin/python")
    failed = 0
    for framework in parser.parse_args().frameworks or FRAMEWORKS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"{framework}-") as folder:
            python = make(Path(folder) / "env", framework)
            made = time.monotonic() - began
            report = Path(folder) / "report.xml"
            words = [python, "-m", "pytest", "-p", "no:cacheprovider", "--no-header", "-rs", f"--junitxml={report}"]
            done = subprocess.run(
                [*words, ROOT / "tests" / "integrations" / f"test_{framework}.py"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                check=False,
            )
            skipped = 'skipped="0"' not in report.read_text() if report.is_file() else True
        bad = done.returncode != 0 or skipped
        failed += bad
        said = "failed" if done.returncode else "skipped tests, which is a failure here" if skipped else "passed"
        print(f"{framework}: {said}; {made:.0f} s to make its environment, {time.monotonic() - began:.0f} s in all")
    return failed


if __name__ == "__main__":
    sys.exit(main())
