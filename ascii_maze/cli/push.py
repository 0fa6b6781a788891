"""`ascii-maze push`: a folder on the Hub."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import printable
from ..terminal import progress
from .options import Json, named_path, path_option

app = typer.Typer()


@app.command(
    epilog="Examples: ascii-maze push dataset ascii-maze --repo ORG/ascii-maze; "
    "ascii-maze push adapter outputs/sft --repo ORG/ascii-maze-sft --results outputs/evaluation; "
    "ascii-maze push environment --repo ORG/ascii-maze-env"
)
def push(
    kind: Annotated[str, typer.Argument(help="dataset, adapter, model, metric, environment, space or report.")],
    repo: Annotated[str, typer.Option(help="Repository, ORG/NAME; created if missing.")],
    path: Annotated[
        Path | None,
        typer.Argument(
            parser=named_path,
            help="Folder that a command has written; an environment's is part of the package, and a space "
            "takes adapters from one.",
        ),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Make the repository public; default: private.")] = False,
    revision: Annotated[str, typer.Option(help="Branch; created if missing.")] = "main",
    tag: Annotated[str | None, typer.Option(help="Tag for the commit, as for a release.")] = None,
    base_model: Annotated[
        str | None, typer.Option(help="Hub id of an adapter's base that was local in training.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Hub id of an adapter's dataset that was local in training.")
    ] = None,
    license: Annotated[str | None, typer.Option(help="License of an adapter; default: that of its base.")] = None,
    results: Annotated[
        list[Path] | None,
        path_option(
            "Output folder of `evaluate` or `mri`, for an adapter's card; default: those beside it. Repeatable."
        ),
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option(help="Title of one of the owner's collections to add the repository to; created if missing."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent, and stop; needs no network.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish a folder on the Hub in one atomic commit; files that are there already are not sent again."""
    from ..hub import plan_push, shipped_folder
    from ..hub.collections import add_to_collection, check_title

    if collection is not None:
        check_title(collection)
    plan = plan_push(
        kind,
        path or shipped_folder(kind),
        repo,
        public=public,
        revision=revision,
        tag=tag,
        base_model=base_model,
        dataset=dataset,
        license=license,
        results=results or [],
    )
    if dry_run:
        print(json.dumps(plan.to_dict()) if as_json else printable(plan.to_text()))
        return
    pushed = push_plan(plan, as_json)
    if collection is not None:
        pushed["collection"] = add_to_collection(collection, repo, plan.spec.repo_type, private=not public)
    print(json.dumps(pushed) if as_json else printable(pushed_lines(pushed)))


def push_plan(plan, quiet: bool) -> dict:
    """Carry out a plan of `ascii_maze.hub.plan_push`, with a progress bar; returns plan and outcome as JSON values."""
    from dataclasses import asdict

    from ..hub import push

    with progress(quiet) as on_progress:
        return {**plan.to_dict(), **asdict(push(plan, on_progress=on_progress))}


def pushed_lines(pushed: dict) -> str:
    """The outcome of a push as text."""
    done = f"{len(pushed['sent'])} files sent, {len(pushed['deleted'])} deleted"
    changed = pushed["sent"] or pushed["deleted"]
    visibility = "private" if pushed["private"] else "public"
    return (
        f"{done if changed else 'the repository is up to date; no commit made'}\n"
        f"{pushed['url']} ({visibility}), commit {pushed['commit']}"
        + (f"\ncollection: {pushed['collection']}" if "collection" in pushed else "")
    )
