"""A stage that is run again from nothing: what it made is removed, and files of anyone else are kept."""

import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from ..files import MARK, UNFINISHED, move_inside, remove_inside, sha256_of
from ..training.checkpoints import checkpoints

KEPT = "kept"
# What a training that did not finish leaves, besides its checkpoints, without a record of their hashes.
BEGUN = ("start.json", "recipe.yaml", "log.jsonl")


def clear_stage(folder: Path, made: Mapping[str, str], out: Path, name: str) -> Path | None:
    """Remove a stage's folder, except files that it did not make or that were changed since: these go to OUT/kept.

    Args:
        made: path in the folder -> sha256, for every file that the stage made; empty if it did not finish.
        out: the study's folder.
        name: of the stage.

    Returns:
        Where the other files are now; None if there were none.

    Raises:
        AsciiMazeError: as `files.remove_inside`.
    """
    if not folder.is_dir():
        return None
    aside = next(path for number in count(1) if not (path := out / KEPT / f"{name}-{number}").exists())
    move_inside(folder, aside, out)
    begun = BEGUN if not made and (aside / "start.json").is_file() else ()
    for path in (*(aside / leftover for leftover in (MARK, UNFINISHED, *begun)), *checkpoints(aside)):
        remove_inside(path, out)
    for inside, digest in made.items():
        if (aside / inside).is_file() and sha256_of(aside / inside) == digest:
            remove_inside(aside / inside, out)
    for parent, _, _ in os.walk(aside, topdown=False):
        if not os.listdir(parent):
            remove_inside(Path(parent), out)
    if aside.is_dir():
        return aside
    if not os.listdir(out / KEPT):
        remove_inside(out / KEPT, out)
    return None
