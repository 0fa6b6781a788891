"""Pushes a finished run trained with `--push_to_hub true`, exactly as `ascii-maze push adapter` does."""

import shlex
from pathlib import Path
from typing import NamedTuple

from ..errors import AsciiMazeError, UsageError, printable
from ..recipe import Arguments


class Destination(NamedTuple):
    """The repository that a recipe names for its result.

    Attributes:
        repo: ORG/NAME.
        public: whether everybody can see it.
        revision: the branch.
        base: the model that is trained, as the recipe names it.
        base_model: its Hub id, if `base` is local.
        wanted: whether the result is pushed; if not, the repository is only named.
    """

    repo: str
    public: bool
    revision: str
    base: str
    base_model: str | None
    wanted: bool

    def command(self, out: Path) -> str:
        """The command that does the same push by hand."""
        options = ["--repo", self.repo, *(["--public"] if self.public else [])]
        options += ["--revision", self.revision] if self.revision != "main" else []
        options += ["--base-model", self.base_model] if self.base_model else []
        return shlex.join(["ascii-maze", "push", "adapter", str(out), *options])


def take_destination(arguments: Arguments) -> Destination | None:
    """The repository that the recipe names, or None; `push_to_hub` is turned off in the trainer's config.

    The trainer would push the whole output folder, checkpoints included, at every save.

    Raises:
        UsageError: `push_to_hub` without a `hub_model_id`, or of a run that trains no adapter.
    """
    training = arguments.training
    wanted, training.push_to_hub = training.push_to_hub, False
    if wanted and not training.hub_model_id:
        raise UsageError("'push_to_hub' needs the name of the repository: --hub_model_id ORG/NAME")
    if wanted and not arguments.model.use_peft:
        raise UsageError("'push_to_hub' is for adapters, and this recipe trains the whole model; push that by hand")
    if not training.hub_model_id:
        return None
    return Destination(
        training.hub_model_id,
        training.hub_private_repo is False,
        training.hub_revision or "main",
        arguments.model.model_name_or_path,
        arguments.run.hub_base_model,
        wanted,
    )


def check_destination(destination: Destination) -> None:
    """Check that the Hub would accept the result, before hours are spent on it.

    Raises:
        UsageError: a name that the Hub refuses, a local base without `hub_base_model`, or a repository that is
            not as private as asked.
        AsciiMazeError: not logged in, a token that can only read, or the Hub does not answer.
    """
    from ..hub import check_target, published_base

    if destination.wanted:
        published_base(destination.base, destination.base_model, "--hub_base_model")
    check_target("adapter", destination.repo, public=destination.public)


def publish(out: Path, destination: Destination) -> None:
    """Push a finished run, if the recipe asks for it.

    Raises:
        AsciiMazeError: it could not be pushed; the message has the command that pushes it later.
    """
    from ..hub import plan_push, push

    if not destination.wanted:
        return
    try:
        plan = plan_push(
            "adapter",
            out,
            destination.repo,
            public=destination.public,
            revision=destination.revision,
            base_model=destination.base_model,
        )
        pushed = push(plan)
    except AsciiMazeError as error:
        later = f"the run in {out} is whole, and this pushes it later: {destination.command(out)}"
        raise type(error)(f"not pushed: {error}; {later}") from error
    visibility = "public" if destination.public else "private"
    print(printable(f"{pushed.url} ({visibility}), commit {pushed.commit}"), flush=True)
