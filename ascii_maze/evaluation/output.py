"""The output folder of an evaluation: what may be replaced there, its unfinished parts, and its files."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..files import MARK, UNFINISHED, is_ours, remove_inside, set_aside, write_text
from .predictions import join_parts
from .schema import Results, read_results, write_results
from .tables import render_markdown

RESULTS = "results.json"  # removed first and written last: an evaluation with this file is finished
PAGES = (
    "gallery.html",
    *(f"figures/validity_by_{by}.{kind}" for by in ("size", "path_length") for kind in ("png", "svg")),
)
WRITTEN = (RESULTS, "predictions.parquet", "report.md", *PAGES)


def check_replaceable(out: Path) -> None:
    """Check that nothing but an evaluation would be overwritten.

    Raises:
        UsageError: there is a file of a name that an evaluation writes, and it is not from one.
    """
    found = [name for name in WRITTEN if (out / name).exists()]
    if not found or is_ours(out) or is_ours(out / UNFINISHED):
        return
    try:
        read_results(out / RESULTS)
    except UsageError as error:
        raise UsageError(
            f"{out / found[0]} is not from an evaluation, and would be lost; give another --out"
        ) from error


def work_folder(unfinished: Path, configuration: list) -> Path:
    """The folder for the parts of an evaluation; parts of other interrupted evaluations are removed.

    Args:
        configuration: all that the parts depend on, as JSON has it.
    """
    key = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:16]
    for other in unfinished.iterdir():
        if other.name not in (MARK, key):
            remove_inside(other, unfinished)
    return unfinished / key


def remove_work(unfinished: Path) -> None:
    """Remove the folder of the parts, and last the marker file that allows it to be removed."""
    for path in sorted(unfinished.iterdir(), key=lambda path: path.name == MARK):
        remove_inside(path, unfinished)
    unfinished.rmdir()


def write_all(out: Path, work: Path, parts: Sequence[Path], results: Results, pages: bool) -> None:
    """Write all files of an evaluation, results.json last; those of an earlier one are set aside first."""
    for name in WRITTEN:
        if (out / name).is_file():
            set_aside(out / name, work / f"earlier-{Path(name).name}", out / UNFINISHED)
    join_parts(parts, out / "predictions.parquet")
    if pages:
        from .figures import draw_validity
        from .gallery import write_gallery

        draw_validity(results, out / "figures")
        write_gallery(out, results)
    write_text(out / "report.md", render_markdown(results))
    write_results(out / RESULTS, results)
