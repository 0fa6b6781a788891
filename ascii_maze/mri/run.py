"""The whole report, from adapters and mazes to report.html.

write_report("tiny", {"sft": "outputs/tiny/sft"}, "ascii-maze", "test", Path("mri"), Options(limit=1000))

Activations and the unfinished report are kept in a folder inside the output folder. It is removed when the run ends
or, if the run is killed, by the next one. A finished report then replaces the previous one, mri.json last.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ..errors import UsageError
from ..files import UNFINISHED, is_ours, move_inside, output_folder, remove_inside
from ..models.chat import describe_reading
from ..models.sources import Source, describe, settle_name
from ..packages import PACKAGES, versions
from ..terminal import OnProgress
from .analysis import HEADLINE
from .layers import wanted_layers
from .measure import measure
from .models import find_adapters, load_models, load_unquantised
from .one_maze import find_maze
from .options import Options
from .report.page import draw_report
from .rows import load_rows
from .schema import Results, Settings
from .starts import find_starts

# The parts of a report. If there is an mri.json, the others exist and are of the same run.
REPORT = ("figures", "tables", "report.html", "mri.json")
DEFAULTS = Options()


def write_report(
    base: str,
    adapters: dict[str, str],
    dataset: str,
    split: str,
    out: Path,
    options: Options = DEFAULTS,
    on_progress: OnProgress | None = None,
) -> Results:
    """Compare adapters with their base, and write report.html, figures, tables and mri.json.

    Args:
        base: `tiny`, a folder or a Hub id.
        adapters: name -> folder or Hub id.
        dataset: folder or Hub id of a dataset with a config `prompts`.
        out: new, empty, or of an earlier report, which is replaced.
        on_progress: called with what is being done, steps done and steps in all.

    Returns:
        What mri.json holds.

    Raises:
        UsageError: no adapter, one of another base, too few mazes, mazes longer than the model's context, or an output
            folder with other files.
        AsciiMazeError: something cannot be loaded, a maze is not what the dataset says of it, activations are not
            finite, the disk is full, or another process writes to the output folder.
    """
    on_progress = on_progress or (lambda what, done, total: None)
    sources = find_adapters(base, adapters, options.chat)
    rows = load_rows(dataset, split, options.limit)
    if options.maze is not None:
        find_maze(rows, options.maze)  # refused before the long part begins
    starts, unknown = find_starts(sources)
    first = next(iter(sources.values()))
    settings = settings_of(settle_name(base), first, adapters, dataset, split, options)
    with output_folder(out, kind="MRI report"):
        if not is_ours(out):
            raise UsageError(f"{out} is not empty and was not made by ascii-maze; name another folder with --out")
        with scratch_folder(out) as scratch:
            models = load_models(sources)
            settings["loaded"]["chat"] = describe_reading(models.tokenizer)
            wanted_layers(options.layers, len(models.layers))  # refused before the long part begins
            load_plain = partial(load_unquantised, models, first) if settings["loaded"]["quantisation"] else None
            measured = measure(models, rows, settings, scratch / "activations", on_progress, starts, load_plain)
            measured.results["missing"] |= unknown
            del models, load_plain  # figures take memory too
            draw_report(*measured, scratch / "report", on_progress, options.language)
            publish(scratch / "report", out)
    return measured.results


def settings_of(
    base: str, source: Source, adapters: dict[str, str], dataset: str, split: str, options: Options
) -> Settings:
    """What was asked for, as mri.json holds it.

    Args:
        source: of any of the adapters, which says how the base is loaded.
    """
    return {
        "base": base,
        "loaded": describe(source),
        "adapters": adapters,
        "dataset": dataset,
        "split": split,
        "limit": options.limit,
        "seed": options.seed,
        "patch layers": options.layers,
        "patch mazes": options.patch_mazes,
        "cause mazes": options.cause_mazes,
        "maze": options.maze,
        "decoding": "greedy",
        "read at": HEADLINE,
        "versions": versions([*PACKAGES, "llm-mri"]),
    }


@contextmanager
def scratch_folder(out: Path) -> Iterator[Path]:
    """An empty folder inside an output folder while the block runs; leftovers of a killed run are removed."""
    scratch = out / UNFINISHED / "mri"
    remove_inside(scratch, out)
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        remove_inside(scratch, out)
        if not any(scratch.parent.iterdir()):  # otherwise it holds the parts of another interrupted command
            remove_inside(scratch.parent, out)


def publish(made: Path, out: Path) -> None:
    """Replace the previous report by a finished one: mri.json is removed first and moved last."""
    for name in reversed(REPORT):
        remove_inside(out / name, out)
    for name in REPORT:
        move_inside(made / name, out / name, out)
