"""The output folder of a run: whether it holds this run, finished or interrupted, another run, or other files."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError
from ..files import UNFINISHED, remove_inside, write_text
from ..models.pins import digests_of, pin
from ..recipe import Arguments, Recipe
from .checkpoints import checkpoints, newest_intact
from .machine import processes_in_words

# Patterns of the files that a run writes besides its checkpoints; one with metrics.json is finished.
WRITTEN = (
    *("metrics.json", "recipe.yaml", "start.json", "log.jsonl", "README.md", "learning_curve.png", UNFINISHED),
    *("adapter_config.json", "adapter_model*.safetensors", "model*.safetensors", "*.safetensors.index.json"),
    *("config.json", "generation_config.json", "chat_template.jinja", "special_tokens_map.json"),
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model"),
    *("added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece*.model"),
)


class RunStart(NamedTuple):
    """The content of start.json: what a resumed run must have in common with the interrupted one.

    Attributes:
        dataset: from `data.identify_rows`.
        rows_per_step: of an optimizer step, over all processes.
        processes: how many.
        reads: key of the recipe -> digest of the model or adapter that it names, and of the chat template.
    """

    dataset: dict
    rows_per_step: int
    processes: int
    reads: dict[str, str] = {}  # noqa: RUF012, what older runs did not say


def what_is_read(arguments: Arguments, tokenizer) -> dict[str, str]:
    """`models_read`, and the digest of the chat template."""
    return {**models_read(arguments), "chat_template": _sha256(str(tokenizer.chat_template))}


def models_read(arguments: Arguments, local: bool = False) -> dict[str, str]:
    """Digests of the models and adapters that a run reads, by the key of the recipe.

    For a repository on the Hub it is the digest of the commit.

    Args:
        local: leave those on the Hub out.
    """
    model, run = arguments.model, arguments.run
    revision = f"@{model.model_revision}" if model.model_revision and model.model_revision != "main" else ""
    names = {
        "model_name_or_path": f"{model.model_name_or_path}{revision}",
        "adapter_name_or_path": run.adapter_name_or_path,
        "reward_model_name_or_path": run.reward_model_name_or_path,
    }
    found = {key: (name, digests_of(name)) for key, name in names.items() if name}
    return {key: _sha256(json.dumps([pin(name), files])) for key, (name, files) in found.items() if files or not local}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def check_place(name: str) -> Path:
    """The path of an output folder that exists or can be made.

    Raises:
        UsageError: there is a file in its place, or its name is blank.
    """
    if not name.strip():
        raise UsageError("output_dir is empty; name a folder")
    out = Path(name)
    nearest = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise UsageError(f"output_dir: {nearest} is a file, not a folder; give another --output_dir")
    return out


@contextmanager
def nothing_made(out: Path) -> Iterator[None]:
    """Remove an output folder, and its parents, that the block made and left empty."""
    made = [path for path in (out.absolute(), *out.absolute().parents) if not path.exists()]
    try:
        yield
    finally:
        for folder in made:
            with suppress(OSError):  # another process has removed it, or is writing there
                folder.rmdir()


def is_finished(out: Path, recipe: Recipe) -> bool:
    """Whether the folder holds this same run, finished.

    Raises:
        UsageError: it holds a run of another recipe, or something else that a run would overwrite or remove.
    """
    if not (out / "recipe.yaml").exists():
        if other := next((path for pattern in (*WRITTEN, "checkpoint-*") for path in out.glob(pattern)), None):
            raise UsageError(f"{other} exists, but {out} holds no run; give another --output_dir, or --overwrite")
        return False
    if (out / "recipe.yaml").read_bytes() != recipe.to_yaml().encode():
        raise UsageError(f"{out} holds a run of another recipe; give another --output_dir, or --overwrite")
    return (out / "metrics.json").exists()


def clear_run(out: Path) -> None:
    """Remove the files of an earlier run, metrics.json first, so that they are never taken for a finished run's.

    Raises:
        AsciiMazeError: this program did not make the folder; nothing is removed.
    """
    for path in [*(path for pattern in WRITTEN for path in out.glob(pattern)), *checkpoints(out)]:
        remove_inside(path, out)


def check_start(out: Path, start: RunStart) -> None:
    """Check that an interrupted run may resume here; for a new run, write start.json.

    Raises:
        UsageError: as `check_resumed`.
    """
    if not check_resumed(out, start):
        write_text(out / "start.json", json.dumps(start._asdict(), indent=2))


def check_resumed(out: Path, start: RunStart, planned: bool = False) -> bool:
    """Check that an interrupted run may resume here, without writing anything.

    Args:
        planned: whether `start` is a plan's, which lacks the digests of what only a run makes, such as own answers;
            these are not compared.

    Returns:
        Whether there is one to resume.

    Raises:
        UsageError: rows, model or adapter have changed since, or the number of rows per step differs.
    """
    before = read_start(out)
    if newest_intact(out) is None or before is None:
        return False
    check_same_rows(out, before.dataset, start.dataset)
    for key, digest in before.reads.items():
        if start.reads.get(key, digest if planned else None) != digest:
            raise _changed(out, key)
    if before.rows_per_step != start.rows_per_step:
        raise UsageError(
            f"the run in {out} read {before.rows_per_step} rows a step on {processes_in_words(before.processes)}, and "
            f"{start.processes} would read {start.rows_per_step}: resume it with --num_processes {before.processes}, "
            "or --overwrite"
        )
    return True


def check_finished(out: Path, before: dict | None, now: dict, arguments: Arguments) -> None:
    """Check that a finished run is of the rows and the local models that the recipe names now.

    A new commit on the Hub does not count: most are of a card.

    Args:
        before: the rows of its metrics.json; see `check_same_rows`.

    Raises:
        UsageError: they have changed since.
    """
    check_same_rows(out, before, now)
    start = read_start(out)
    reads = start.reads if start else {}
    for key, digest in models_read(arguments, local=True).items():
        if reads.get(key, digest) != digest:
            raise _changed(out, key)


def read_start(out: Path) -> RunStart | None:
    """start.json of a folder; None without one.

    Raises:
        UsageError: it is damaged.
    """
    path = out / "start.json"
    if not path.is_file():
        return None
    try:
        return RunStart(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} is damaged; give another --output_dir, or --overwrite") from error


def _changed(out: Path, key: str) -> UsageError:
    return UsageError(
        f"the run in {out} was started with another '{key}': what that names has changed since; give another "
        "--output_dir, or --overwrite"
    )


def check_same_rows(out: Path, before: dict | None, now: dict) -> None:
    """Check that a run's rows are still those that it started with; `before` is None for older runs without a record.

    Raises:
        UsageError: they differ.
    """
    if before and before["sha256"] != now["sha256"]:
        raise UsageError(
            f"the run in {out} was started on other rows: '{now['name']}' has changed since; give another "
            "--output_dir, or --overwrite"
        )
