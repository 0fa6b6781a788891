"""Checks the dependencies of ascii-maze on this machine, and names the command that fixes a problem.

Packages are looked up, not imported. torch, its GPU and a 4-bit layer (forward and backward) are tested in a separate
process, since a broken build of either library may crash the process that imports it.
"""

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

NAME = "ascii-maze"
PROBE_SECONDS = 180
# Not in an extra: packages whose installation needs more than a requirement can express, or that only one use needs.
OTHERS = (
    ("llm-mri", "the sections of the MRI report on regions", "--no-deps llm-mri==0.2.1"),
    ("vllm", "faster generation on GPUs", "'trl[vllm]'"),
    ("liger-kernel", "faster training on GPUs", "liger-kernel"),
    ("deepspeed", "recipes/accelerate/deepspeed_zero3.yaml", "deepspeed"),
    ("gradio", "the metric's Space on this machine", "gradio"),
    ("trackio", "tracking: --report_to trackio", "trackio"),
    ("lm-eval", "evaluation in the lm-evaluation-harness", "lm-eval"),
    ("inspect-ai", "evaluation in Inspect", "inspect-ai"),
)


class Check(NamedTuple):
    """The outcome of one check.

    Attributes:
        name: what was checked.
        state: `ok`, `missing`, `outdated` (not a version that is supported), `broken` (present, but does not work)
            or `untried`.
        required: whether nothing runs without it; otherwise only `purpose` needs it.
        found: version, size or error, in a few words.
        purpose: what it is for.
        fix: the command that fixes it; empty if nothing is wrong.
    """

    name: str
    state: str
    required: bool
    found: str
    purpose: str
    fix: str = ""


def examine() -> list[Check]:
    """Run all checks, in display order. The only request to the Hub is for the owner of the token."""
    return [check_python(), *check_packages(), *check_device(), check_login(), *check_disk()]


def in_order(checks: list[Check]) -> bool:
    """Whether all required checks are fine."""
    return all(check.state == "ok" for check in checks if check.required)


def to_table(checks: list[Check]):
    """The checks as a table for the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    colours = {"ok": "green", "untried": "yellow"}
    table = Table("", "state", box=SIMPLE_HEAD, collapse_padding=True)
    table.add_column("found", overflow="fold")
    table.add_column("for", overflow="fold")
    for check in checks:
        colour = colours.get(check.state, "red" if check.required else "yellow")
        table.add_row(escape(check.name), f"[{colour}]{check.state}[/]", escape(check.found), escape(check.purpose))
    return table


def check_python() -> Check:
    """The interpreter against the package's `Requires-Python`."""
    wanted, version = importlib.metadata.metadata(NAME)["Requires-Python"], platform.python_version()
    fits = version in SpecifierSet(wanted)
    fix = "" if fits else f"make setup PYTHON=python{wanted.removeprefix('>=')}"
    return Check("Python", "ok" if fits else "outdated", True, version, sys.executable, fix)


def check_packages() -> list[Check]:
    """The requirements of the installed ascii-maze, those of its extras but `dev`, and `OTHERS`."""
    about = importlib.metadata.metadata(NAME)
    requirements = [Requirement(line) for line in about.get_all("Requires-Dist") or []]
    checks: dict[str, Check] = {}
    for extra in ("", *(name for name in about.get_all("Provides-Extra") or [] if name != "dev")):
        for requirement in requirements:
            if requirement.name not in {NAME, *checks} and asked_for(requirement, extra):
                purpose = f"extra '{extra}'" if extra else "everything"
                checks[requirement.name] = check_package(requirement, purpose, required=not extra)
    others = [
        check_package(Requirement(name), purpose, words=words) for name, purpose, words in OTHERS if name not in checks
    ]
    return [*checks.values(), *others]


def asked_for(requirement: Requirement, extra: str) -> bool:
    """Whether a requirement applies on this machine, with an extra or, if that is empty, without any."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def check_package(requirement: Requirement, purpose: str, required: bool = False, words: str = "") -> Check:
    """Whether a package is installed in a supported version.

    Args:
        words: arguments of `pip install`, if not the requirement itself.
    """
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        version = ""
    fits = bool(version) and requirement.specifier.contains(version, prereleases=True)
    state = "ok" if fits else "outdated" if version else "missing"
    found = version if fits or not version else f"{version}, not {requirement.specifier}"
    words = words or f"'{requirement.name}{requirement.specifier}'"
    return Check(requirement.name, state, required, found, purpose, "" if fits else pip_install(words))


def pip_install(words: str) -> str:
    """The command that installs packages into this environment."""
    return f"{sys.executable} -m pip install {words}"


def check_device() -> list[Check]:
    """Torch, its GPU and 4-bit weights, tested in a new process."""
    told, error = run_probe()
    reinstall = pip_install("--force-reinstall --no-deps")
    torch = Check("torch works", "broken", True, error, "everything that needs a model", f"{reinstall} torch")
    gpu = Check("GPU", "missing", False, "no driver: all runs on the CPU", "models of more than a few million weights")
    four_bit = Check("4-bit training", "broken", True, error, "QLoRA, in every recipe", f"{reinstall} bitsandbytes")
    if "torch" not in told:
        return [torch]
    if told.get("gpu"):
        gpu = gpu._replace(state="ok", found=told["gpu"])
    elif shutil.which("nvidia-smi"):
        found = "a driver, but this build of torch sees no GPU"
        gpu = gpu._replace(state="broken", found=found, fix=f"{reinstall} torch")
    if "4-bit" in told:
        four_bit = four_bit._replace(state="ok", found=told["4-bit"], fix="")
    return [torch._replace(state="ok", found=told["torch"], fix=""), gpu, four_bit]


def run_probe() -> tuple[dict[str, str], str]:
    """The output of `probe`, and one line on how it ended."""
    command = [sys.executable, "-c", "from ascii_maze.doctor import probe; probe()"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        return {}, f"no answer in {PROBE_SECONDS} s"
    told = dict(json.loads(line) for line in done.stdout.splitlines())
    said = done.stderr.strip().splitlines()
    return told, said[-1] if done.returncode > 0 and said else f"ended by signal {-done.returncode}"


def probe() -> None:
    """Print a line of JSON, [name, details], for each thing that works; runs in a separate process.

    Raises:
        ArithmeticError: the gradient through a 4-bit layer is wrong. A broken library may raise anything.
    """
    import torch

    def tell(name: str, found: str) -> None:
        print(json.dumps([name, found]), flush=True)

    tell("torch", f"{torch.__version__}, {torch.get_num_threads()} threads")
    has_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if has_gpu else "cpu")
    found = ""
    if has_gpu:
        facts = torch.cuda.get_device_properties(0)
        count = torch.cuda.device_count()
        found = f"{count} x {facts.name}, {facts.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
    tell("gpu", found)

    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    generator = torch.Generator().manual_seed(0)
    layer = Linear4bit(64, 32, bias=False, compute_dtype=torch.float32, compress_statistics=True, quant_type="nf4")
    layer.weight.data = torch.randn(32, 64, generator=generator)
    layer = layer.to(device)
    x = torch.randn(8, 64, generator=generator).to(device).requires_grad_()
    layer(x).sum().backward()
    wanted = dequantize_4bit(layer.weight.data, layer.weight.quant_state).sum(0).expand_as(x)
    error = ((x.grad - wanted).norm() / wanted.norm()).item()
    if not error < 1e-3:
        raise ArithmeticError(f"the gradient through a 4-bit layer is off by {100 * error:.1f} %")
    tell("4-bit", f"forward and backward on the {device.type.upper()}")


def check_login() -> Check:
    """Whether the Hub accepts this account's token for writing; without a network, whether there is a token."""
    missing = Check("Hub login", "missing", False, "no token", "publishing, private repositories", "hf auth login")
    try:
        from httpx2 import HTTPError
        from huggingface_hub import HfApi, constants, get_token
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        return missing._replace(found="no huggingface-hub")
    if not get_token():
        return missing
    untried = missing._replace(state="untried", fix="")
    if constants.HF_HUB_OFFLINE:
        return untried._replace(found="a token; HF_HUB_OFFLINE is set, so the Hub was not asked")
    try:
        account = HfApi(library_name=NAME).whoami()
    except HfHubHTTPError as error:
        if error.response.status_code == 401:
            return missing._replace(state="broken", found="a token that the Hub does not accept, expired or wrong")
        return untried._replace(found=f"a token; the Hub answers {error.response.status_code}")
    except (HTTPError, OSError, ValueError):
        return untried._replace(found="a token; the Hub cannot be reached")
    if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
        return missing._replace(state="broken", found=f"{account['name']}, with a token that can only read")
    return missing._replace(state="ok", found=account["name"], fix="")


def check_disk() -> list[Check]:
    """Free space in the working directory and in the Hub's cache."""
    cache = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    return [
        check_folder("working directory", Path.cwd(), 1, True, "datasets, runs", "cd FOLDER, on another disk"),
        check_folder("Hub cache", cache, 5, False, "models from the Hub", "export HF_HOME=FOLDER, on another disk"),
    ]


def check_folder(name: str, folder: Path, least: int, required: bool, purpose: str, fix: str) -> Check:
    """Whether a folder, which need not exist yet, is writable and has at least `least` GiB free."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free, writable = shutil.disk_usage(there).free / 2**30, os.access(there, os.W_OK)
    found = f"{free:.0f} GiB free in {folder}" + ("" if writable else ", which cannot be written")
    check = Check(name, "ok", required, found, f"{purpose}; {least} GiB or more")
    return check if writable and free >= least else check._replace(state="broken", fix=fix)
