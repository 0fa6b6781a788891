"""Writing files so that nobody ever sees half of one, and output folders that one process at a time writes to.

A folder that a command makes carries a file `.ascii-maze`. It is locked while the command runs, and it is what allows
anything inside the folder to be removed again: nothing else ever is.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import AsciiMazeError, UsageError

# In every output folder: locked while a command writes there; says whether the folder was made for the output.
MARK = ".ascii-maze"
OURS, FOUND = "made by ascii-maze\n", "found by ascii-maze, made by someone else\n"

# What a folder holds while it is being made; with it, nobody takes the folder for a finished one.
UNFINISHED = ".unfinished"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name if the block succeeds and is removed if it fails.

    Raises:
        AsciiMazeError: the folder cannot be made or written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
    except OSError as error:
        raise AsciiMazeError(f"cannot write {path}: {error.strerror}") from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise AsciiMazeError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all; see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def output_folder(folder: Path, wait: bool = False) -> Iterator[None]:
    """Make an output folder where there is none, and hold it alone while the block runs.

    A folder that is new or empty is marked as made by this program; see `remove_inside`. The lock is flock's: it ends
    with the process, however that ends. Where there is no flock (Windows) nothing is locked.

    Args:
        wait: for whoever holds the folder, instead of an error.

    Raises:
        UsageError: there is a file of that name.
        AsciiMazeError: the folder cannot be written, or another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / MARK
        if not mark.exists():
            mark.write_text(FOUND if any(folder.iterdir()) else OURS, encoding="utf-8")
        handle = mark.open("r+", encoding="utf-8")
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{folder} cannot be a folder: there is a file in its place") from error
    except OSError as error:
        raise AsciiMazeError(f"cannot write {folder}: {error.strerror}") from error
    with handle:
        _lock(handle, folder, wait)
        yield


def _lock(handle, folder: Path, wait: bool) -> None:
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        raise AsciiMazeError(
            f"another ascii-maze process is writing to {folder}; wait for it to end, or name another output folder"
        ) from error


def is_ours(folder: Path) -> bool:
    """Whether a folder was made by `output_folder`, new or empty as it was."""
    mark = folder / MARK
    return mark.is_file() and not mark.is_symlink() and mark.read_text(encoding="utf-8", errors="replace") == OURS


def remove_inside(path: Path, folder: Path) -> None:
    """Remove a file or a folder, if it is there, strictly inside a folder that this program made.

    A symbolic link is removed, not what it leads to.

    Raises:
        AsciiMazeError: `folder` is not one of ours, or `path` does not lie inside it; nothing is removed.
    """
    inside = path.parent.resolve() / path.name
    if path.name in ("", "..") or not inside.is_relative_to(folder.resolve()) or inside == folder.resolve():
        raise AsciiMazeError(f"{path} is not inside {folder}, so it is not removed")
    if not is_ours(folder):
        raise AsciiMazeError(
            f"{folder} was not made by ascii-maze, so nothing in it is removed; remove {path} yourself"
        )
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
