"""Training on Hugging Face Jobs: a recipe is checked, submitted, followed, and its result pushed by the job itself.

    job = plan_job(load_recipe("recipes/sft.yaml", ["--dataset_name", "ORG/ascii-maze", ...]), "a10g-large")
    submitted = submit(job)
    for line in follow(submitted): ...

Only the resolved recipe and, as a secret, the token are sent from this machine: everything that a recipe names must
be on the Hub. The job installs the release of this package that submits it. See
https://huggingface.co/docs/huggingface_hub/guides/jobs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..configuration import parse_weights
from ..errors import AsciiMazeError, UsageError, did_you_mean
from ..recipe import Recipe
from ..references import is_on_hub
from ..tiny import EMBEDDED
from .adapter import published_base
from .retry import effective_token, in_one_line
from .shipment import check_repo_name

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub._jobs_api import JobInfo

PREFIX = "hf-jobs:"
IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"  # the default of huggingface_hub for uv jobs
PACKAGE = f"ascii-maze=={__version__}"
TIMEOUT = "6h"  # the Hub's own limit is 30 minutes; a job is paid for until it ends
# The recipe and the package are passed as variables, so that the shell does not interpret them.
SCRIPT = (
    'printf %s "$ASCII_MAZE_RECIPE" > recipe.yaml && '
    'exec uv run --no-project --with "$ASCII_MAZE_PACKAGE" '
    "accelerate launch -m ascii_maze train recipe.yaml --push_to_hub true"
)
# Keys of a recipe that name a repository -> what is pushed if they name a folder.
_NAMES = {"dataset_name": "dataset", "adapter_name_or_path": "adapter", "reward_model_name_or_path": "adapter"}


@dataclass(frozen=True)
class Job:
    """A job to submit.

    Attributes:
        recipe: the resolved recipe as YAML.
        repo: ORG/NAME, to which the result is pushed.
        flavor: the hardware, such as `a10g-large`.
        timeout: time limit of the job, a number with s, m, h or d.
        package: the package that the job installs, as for `pip`.
        env: environment variables of the recipe.
    """

    recipe: str
    repo: str
    flavor: str
    timeout: str = TIMEOUT
    package: str = PACKAGE
    env: dict[str, str] = field(default_factory=dict)

    def to_text(self) -> str:
        """A readable description of the job."""
        head = f"job: {self.flavor}, at most {self.timeout}, {self.package}; the result goes to {self.repo}"
        return f"{head}\nimage: {IMAGE}\ncommand: {SCRIPT}\nrecipe.yaml:\n{self.recipe}"


def plan_job(recipe: Recipe, flavor: str, timeout: str = TIMEOUT, package: str = PACKAGE) -> Job:
    """Check that a recipe can be trained elsewhere, without sending a request.

    Raises:
        UsageError: the hardware or the time is unknown; the recipe names local folders or files (the message has the
            commands that push them); or it does not name a repository for the result.
    """
    from huggingface_hub import JobHardware

    flavors = [one.value for one in JobHardware]
    if flavor not in flavors:
        meant = did_you_mean(flavor, flavors)
        raise UsageError(f"Hugging Face Jobs have no hardware '{flavor}'{meant}; `hf jobs hardware` lists it")
    if not re.fullmatch(r"\d+(\.\d+)?[smhd]?", timeout):
        raise UsageError(f"'{timeout}' is not a time; write 90m or 6h")
    repo = recipe.values.get("hub_model_id")
    if not repo:
        raise UsageError("a job's disk is gone when it ends: name where the result goes with --hub_model_id ORG/NAME")
    check_repo_name(str(repo))
    if local := list(_what_is_local(recipe)):
        raise UsageError("a job cannot see this machine: " + "; ".join(local))
    base = str(recipe.values.get("model_name_or_path", ""))
    published_base(base, recipe.values.get("hub_base_model"), "--hub_base_model")
    return Job(recipe.to_yaml(), str(repo), flavor, timeout, package, dict(recipe.env))


def _what_is_local(recipe: Recipe) -> Iterator[str]:
    """The key of everything local that a recipe names, with the command that publishes it."""
    values = recipe.values
    base = values.get("model_name_or_path")
    if base not in EMBEDDED and not is_on_hub(str(base or "")):  # those are part of the package
        yield _push_first("model_name_or_path", str(base), "model")
    for key, kind in _NAMES.items():
        if values.get(key) and not is_on_hub(str(values[key])):
            yield _push_first(key, str(values[key]), kind)
    if values.get("dataset_mix"):
        for name in parse_weights("dataset_mix", values["dataset_mix"]):
            if not is_on_hub(name):
                yield _push_first("dataset_mix", name, "dataset")
    for key, value in values.items():
        if key not in {*_NAMES, "model_name_or_path", "output_dir"} and _is_file(value):
            yield f"'{key}' is the file {value}; leave it out, or make it part of what you push"


def _push_first(key: str, name: str, kind: str) -> str:
    repo = f"ORG/{Path(name).name or kind}"
    option = f"--{key} {repo}" if key != "dataset_mix" else f"{repo} in --dataset_mix"
    return f"'{key}' is '{name}', so first `ascii-maze push {kind} {name} --repo {repo}`, then {option}"


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and bool(Path(value).suffix) and Path(value).is_file()


def submit(job: Job, api: "HfApi | None" = None) -> "JobInfo":
    """Submit a job to the account that is logged in.

    Raises:
        AsciiMazeError: not logged in, or the Hub refuses it.
    """
    from huggingface_hub import HfApi

    api = api or HfApi(library_name="ascii-maze", library_version=__version__)
    token = effective_token(api)
    if not token:
        raise AsciiMazeError("not logged in; run `hf auth login`, with a token that may run jobs and write")
    with in_one_line(api, "a job"):
        return api.run_job(
            image=IMAGE,
            command=["bash", "-c", SCRIPT],
            env={**job.env, "ASCII_MAZE_RECIPE": job.recipe, "ASCII_MAZE_PACKAGE": job.package},
            secrets={"HF_TOKEN": token},
            flavor=job.flavor,
            timeout=job.timeout,
            labels={"library": "ascii-maze"},
        )


def follow(job: "JobInfo", api: "HfApi | None" = None) -> Iterator[str]:
    """The lines of a job's log as they arrive, until it has ended.

    Raises:
        AsciiMazeError: it failed or was cancelled, or the Hub does not answer.
    """
    from huggingface_hub import HfApi

    api = api or HfApi(library_name="ascii-maze", library_version=__version__)
    owner = job.owner.name
    with in_one_line(api, f"job {job.id}"):
        yield from api.fetch_job_logs(job_id=job.id, namespace=owner, follow=True)
        status = api.inspect_job(job_id=job.id, namespace=owner).status
    if status.stage != "COMPLETED":
        said = f" ({status.message})" if status.message else ""
        raise AsciiMazeError(f"job {job.id} has ended as {status.stage}{said}; `hf jobs logs {job.id}` shows its log")
