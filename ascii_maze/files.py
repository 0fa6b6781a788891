"""Atomic writes of files, and output folders that are locked by one process at a time.

A folder that a command makes has a mark, the file `.ascii-maze`. It is locked while the command runs, and files are
only ever moved or removed inside a folder with a valid mark. The mark has the folder's inode, so a copy or download of
the folder, or a forged mark, is not valid; a renamed folder stays valid.
"""

import codecs
import errno
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import FileIO
from pathlib import Path
from typing import Any

from .errors import AsciiMazeError, UsageError, printable, reason

# In every output folder: locked while a command writes there, and records whether this program made the folder.
MARK = ".ascii-maze"
# Output folders by kind, each with a name in it that commands of other kinds do not write.
KINDS = {
    "dataset": "build.json",
    "training run": "start.json",
    "study": "stages",
    "evaluation": "predictions.parquet",
    "measurement of forgetting": "forgetting.json",
    "MRI report": "mri.json",
    "collection of preferences": "collection.json",
}
OURS, FOUND = "made by ascii-maze, inode {}\n", "found by ascii-maze, made by someone else\n"
NO_LOCKS_HERE = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)  # errors of file systems without locks

# Byte order marks; UTF-16 without one cannot be detected reliably.
ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # which begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MOST_TEXT = 2**27  # most bytes of a text that is read at once

# In the name of a folder that is being written, so that it is not mistaken for a finished one.
UNFINISHED = ".unfinished"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, renamed to `path` if the block succeeds and removed if it fails.

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
        with temporary.open("r+b") as file:  # else a power cut may leave an empty file under the final name
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise AsciiMazeError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_new(path: Path, text: str) -> None:
    """`write_text` that replaces nothing but a file of the same text.

    Raises:
        UsageError: there is another.
    """
    if os.path.lexists(path) and not (path.is_file() and path.read_bytes() == text.encode()):
        raise UsageError(f"{path} already exists and holds something else; give another name, or remove it")
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, atomically; see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A temporary folder, renamed to `out` if the block succeeds, so that `out` is either complete or missing.

    The temporary folder of a killed process is removed by the next one for the same `out`.

    Raises:
        UsageError: there is something of that name.
        AsciiMazeError: it cannot be made or written, or another process is making it.
    """
    stage = out.parent / f".{out.name}{UNFINISHED}"
    with output_folder(stage):
        try:
            _empty(stage)
            if os.path.lexists(out):  # also a link to nothing
                raise UsageError(f"{out} already exists; give another name")
            folder = stage / out.name
            folder.mkdir()
            yield folder
            folder.rename(out)
        except OSError as error:
            raise AsciiMazeError(f"cannot write {out}: {error.strerror or error}") from error
        finally:
            _empty(stage)
            remove_inside(stage / MARK, stage)
            stage.rmdir()


def _empty(folder: Path) -> None:
    """Remove everything in a folder of this program except its mark."""
    for path in folder.iterdir():
        if path.name != MARK:
            remove_inside(path, folder)


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder inside `out` whose files are moved to `out`, in order of name, if the block succeeds.

    They replace existing files, as `replacing` does. If the process is killed, the next one uses the same
    folder.

    Raises:
        AsciiMazeError: a file cannot be written, or the folder is a link or holds what this program has not put there.
    """
    stage = out / UNFINISHED
    if stage.is_symlink():  # files outside `out` would be moved
        raise AsciiMazeError(f"{stage} is a link; remove it, or name another output folder")
    with output_folder(stage):
        if not is_ours(stage):  # its files would be moved over those of `out`
            raise AsciiMazeError(
                f"{stage} was not made by ascii-maze; move it elsewhere, or name another output folder"
            )
        try:
            yield stage
            for path in sorted(path for path in stage.rglob("*") if path.is_file() and path != stage / MARK):
                to = out / path.relative_to(stage)
                to.parent.mkdir(exist_ok=True)
                os.replace(path, to)
            shutil.rmtree(stage)
        except OSError as error:
            raise AsciiMazeError(f"cannot write {out}: {error.strerror or error}") from error


def cache_folder() -> Path:
    """The folder for files that can be made again: `$ASCII_MAZE_CACHE`, or `ascii-maze` in the user's cache folder."""
    if given := os.environ.get("ASCII_MAZE_CACHE"):
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ascii-maze"


def encoding_of(path: Path) -> str:
    """The encoding of a text file by its byte order mark; UTF-8 without one.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _encoding_by(file.read(4))


def _encoding_by(start: bytes) -> str:
    return next((encoding for mark, encoding in ENCODINGS if start.startswith(mark)), "utf-8")


def read_text(path: Path | None) -> str:
    """The text of a file, or of stdin for None, decoded by its byte order mark. It is read once, since it may be a
    pipe.

    Raises:
        OSError: it cannot be read.
        UnicodeError: it is not text.
        UsageError: it has more than `MOST_TEXT` bytes, or is endless; or stdin is closed.
    """
    if path is None and sys.stdin is None:
        raise UsageError("stdin is closed; name a file")
    with path.open("rb") if path else nullcontext(sys.stdin.buffer) as file:
        data = file.read(MOST_TEXT + 1)
    if len(data) > MOST_TEXT:
        raise UsageError(f"{path or 'stdin'} is larger than {MOST_TEXT:,} bytes, which is too large for one maze")
    return io.TextIOWrapper(io.BytesIO(data), _encoding_by(data)).read()


def read_value(path: Path) -> Any:
    """What is in a JSON file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read {path}: {reason(error)}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    values = read_value(path)
    if not isinstance(values, dict):
        raise UsageError(f"{path} does not hold a JSON object")
    return values


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


@contextmanager
def output_folder(folder: Path, wait: bool = False, shared: bool = False, kind: str | None = None) -> Iterator[FileIO]:
    """Make an output folder if it is missing, and lock it while the block runs.

    A folder that is new or empty is marked as made by this program; see `remove_inside`. The lock is flock's: it is
    released however the process ends, and forked workers do not hold it. Without flock (Windows, some network file
    systems) nothing is locked.

    Args:
        wait: wait for a process that holds the folder, with a line on stderr, instead of raising.
        shared: take a shared lock, for the ranks of a distributed build.
        kind: of what is written, one of `KINDS` or another; folders of other kinds are refused.

    Yields:
        The locked file. A process that inherits it holds the lock, too, until it ends.

    Raises:
        UsageError: there is a file of that name, the name is not UTF-8, or the folder is of another kind.
        AsciiMazeError: the folder cannot be written, or another process holds it.
    """
    if kind is not None:
        check_folder_kind(folder, kind)
    if str(folder) != str(folder).encode(errors="replace").decode():  # it could not be written to records and reports
        raise UsageError(f"{folder} cannot be an output folder: its name is not UTF-8; give another")
    mark = folder / MARK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Links are not followed: they could lead to a file outside.
        descriptor = os.open(mark, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{folder} cannot be a folder: a file, or a link to nothing, is in its place") from error
    except OSError as error:
        raise AsciiMazeError(f"cannot write {mark}: {error.strerror}") from error
    with FileIO(descriptor, "r+b") as handle:
        if hasattr(os, "register_at_fork"):  # a worker that outlives its killed parent must not keep the lock
            os.register_at_fork(after_in_child=handle.close)
        if _lock(handle, folder, wait, shared):
            _write_mark(handle, folder)
            if shared:
                _flock(handle, wait=False, shared=True)
        yield handle


def check_folder_kind(folder: Path, kind: str) -> None:
    """Check that a folder does not hold what a command of another kind has made, files of which would be replaced.

    Raises:
        UsageError: it does.
    """
    for other, name in KINDS.items():
        if other != kind and (folder / name).exists():
            raise UsageError(f"{folder} is the folder of a {other} ({name} is in it); name another folder")


def _write_mark(handle, folder: Path) -> None:
    """Record in the mark whether this program made the folder; the lock is exclusive."""
    is_empty = os.listdir(folder) == [MARK]
    try:
        if is_empty or not handle.read(1):  # new, or its process was killed before writing
            handle.seek(0)
            handle.truncate()
            handle.write((OURS.format(folder.stat().st_ino) if is_empty else FOUND).encode())
    except OSError as error:
        raise AsciiMazeError(f"cannot write {folder / MARK}: {error.strerror}") from error


def _lock(handle, folder: Path, wait: bool, shared: bool) -> bool:
    """Lock a folder by its mark; returns whether no other process holds a lock, shared or not."""
    if _flock(handle, wait=False, shared=False):
        return True
    if shared and _flock(handle, wait, shared=True):
        return False
    held = f"another ascii-maze process is writing to {folder}"
    if not wait:
        raise AsciiMazeError(f"{held}; wait for it to end, or name another output folder")
    print(printable(f"{held}; waiting for it to end"), file=sys.stderr, flush=True)
    return _flock(handle, wait=True, shared=False)


def _flock(handle, wait: bool, shared: bool) -> bool:
    """Take the lock; returns whether that succeeded, or locks are not supported."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        return error.errno in NO_LOCKS_HERE
    return True


def is_ours(folder: Path) -> bool:
    """Whether `output_folder` made a folder, which may have been renamed since; False for a copy."""
    mark = folder / MARK
    if not mark.is_file() or mark.is_symlink():
        return False
    return mark.read_text(encoding="utf-8", errors="replace") == OURS.format(folder.stat().st_ino)


def remove_inside(path: Path, folder: Path) -> None:
    """Remove a file or a folder, if it exists, strictly inside a folder that this program made.

    A symbolic link is removed, not its target.

    Raises:
        AsciiMazeError: this program did not make `folder`, `path` is not inside it, or the system refuses; nothing is
            removed.
    """
    _check_inside(path, folder)
    try:
        if path.is_symlink() or path.is_file():
            path.unlink(missing_ok=True)
        elif path.is_dir():
            shutil.rmtree(path)
    except OSError as error:
        raise AsciiMazeError(f"cannot remove {path}: {error.strerror or error}") from error


def move_inside(path: Path, to: Path, folder: Path) -> None:
    """Rename a file or a folder within a folder that this program made; a file at `to` is replaced.

    Raises:
        AsciiMazeError: as `remove_inside`; also if `to` is a folder.
    """
    _check_inside(path, folder)
    _check_inside(to, folder)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, to)
    except OSError as error:
        raise AsciiMazeError(f"cannot move {path} to {to}: {error.strerror or error}") from error


def set_aside(path: Path, to: Path, folder: Path) -> None:
    """Move a file from anywhere into a folder that this program made, to be removed later.

    Raises:
        AsciiMazeError: `to` is not inside `folder`, this program did not make that, or the system refuses.
    """
    _check_inside(to, folder)
    try:
        os.replace(path, to)
    except OSError as error:
        raise AsciiMazeError(f"cannot move {path} to {to}: {error.strerror or error}") from error


def _check_inside(path: Path, folder: Path) -> None:
    inside = path.parent.resolve() / path.name
    if path.name in ("", "..") or not inside.is_relative_to(folder.resolve()) or inside == folder.resolve():
        raise AsciiMazeError(f"{path} is not inside {folder}, so it is neither moved nor removed")
    if not is_ours(folder):
        raise AsciiMazeError(
            f"{folder} was not made by ascii-maze (or is a copy), so nothing in it is removed; remove {path} yourself"
        )
