"""`ascii-maze build`: the dataset."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError, printable
from ..terminal import progress, resumable
from .options import ChatTemplate, Json, Thinking, ThinkingTokens, chat_of, path_option
from .push import push_plan, pushed_lines

if TYPE_CHECKING:
    from dataset_builder.config import Quota

app = typer.Typer()


@app.command(
    epilog="Examples: ascii-maze build demo --out ascii-maze --workers 2; "
    "ascii-maze build --push ORG/ascii-maze; ascii-maze build demo --out pairs --preferences-from outputs/tiny/sft"
)
def build(
    config: Annotated[
        str, typer.Argument(help="Name of a config in dataset_builder/configs, or a YAML file.")
    ] = "ascii-maze",
    out: Annotated[Path, path_option("Output folder; load_dataset reads it.")] = Path("ascii-maze"),
    seed: Annotated[int | None, typer.Option(help="Seed, overriding the config's.")] = None,
    workers: Annotated[int, typer.Option(help="Number of processes; the result does not depend on it.")] = 1,
    limit: Annotated[int | None, typer.Option(help="Maximum number of rows per split.")] = None,
    preferences_from: Annotated[
        str | None, typer.Option(help="Model whose sampled answers form the pairs of config `preference`.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=2, help="Answers sampled from that model per maze; default: 8.")
    ] = None,
    chat_template: ChatTemplate = None,
    thinking: Thinking = None,
    thinking_tokens: ThinkingTokens = None,
    push: Annotated[str | None, typer.Option(help="Then publish the dataset on the Hub as ORG/NAME.")] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push: make the repository public.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be built, and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Build the dataset: mazes in disjoint splits, as parquet files with a card."""
    from dataset_builder.config import load_config, quotas

    if public and not push:
        raise UsageError("--public is for --push ORG/NAME; give it, or leave --public out")
    asking = {
        "samples": samples,
        "chat-template": chat_template,
        "thinking": thinking,
        "thinking-tokens": thinking_tokens,
    }
    if unused := [name for name, value in asking.items() if value is not None and not preferences_from]:
        raise UsageError(f"--{unused[0]} is for --preferences-from MODEL; give it, or leave --{unused[0]} out")
    chosen = load_config(config, seed, limit)
    # Wrong names are reported before the build, not after it.
    if preferences_from:
        from ..models.sources import find_named

        chat = chat_of(chat_template, thinking, thinking_tokens)
        find_named(preferences_from)
    if push:
        from ..hub import check_repo_name, check_target, plan_push

        check_repo_name(push)
    if dry_run:
        plan = [{**quota._asdict(), "kind": quota.kind._asdict()} for quota in quotas(chosen)]
        lines = [f"{quota.split:<12} {quota.count:>9,}  {quota}" for quota in quotas(chosen)]
        head = f"{chosen.name}, seed {chosen.seed}, into {out}:"
        then = []
        if preferences_from:
            then.append(f"preference: pairs of answers of '{preferences_from}', at most one of a maze")
        if push:
            then.append(f"then to {push} on the Hub, {'public' if public else 'private'}")
        print(json.dumps(plan) if as_json else printable("\n".join([head, *lines, total_line(quotas(chosen)), *then])))
        return
    from dataset_builder.build import build as build_dataset

    if push:
        check_target("dataset", push, public)  # a missing login, too
    with progress(quiet=as_json) as on_progress, resumable():
        record = build_dataset(chosen, out, workers, on_progress)
        if preferences_from:
            from ..launch import prepare_process

            prepare_process()
            from dataset_builder.on_policy import replace_preferences

            record = replace_preferences(chosen, out, preferences_from, samples or 8, on_progress, chat)
    pushed = push_plan(plan_push("dataset", out, push, public=public), as_json) if push else None
    if as_json:
        print(json.dumps({**record, **({"pushed": pushed} if push else {})}))
        return
    if source := record.get("preferences_from"):
        answers = f"{source['samples']} answers a maze of '{source['model']}'"
        print(printable(f"preference holds pairs of {answers}" + ", made before" * (not preferences_from)))
    for name, rows in record["rows"].items():
        print(printable(f"{name:<24} {rows:>9,} rows"))
    shared = sum(record["shared_between_splits"].values())
    print(printable(f"{shared} mazes shared between splits; load_dataset({str(out)!r})"))
    if pushed:
        print(printable(pushed_lines(pushed)))


def total_line(planned: "Iterable[Quota]") -> str:
    """How many rows each config of the dataset will have, in all and by split."""
    counts: Counter[str] = Counter()
    for quota in planned:
        counts[quota.split] += quota.count
    by_split = ", ".join(f"{split} {count:,}" for split, count in counts.items())
    return f"total: {counts.total():,} mazes, a row of each in every config: {by_split}"
