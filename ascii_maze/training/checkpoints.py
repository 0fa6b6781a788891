"""Checkpoints: the one that a run resumes from, and their removal when the run is finished."""

import json
import zipfile
from pathlib import Path

from ..errors import printable, reason
from ..files import is_ours, remove_inside, write_text


def checkpoints(out: Path) -> list[Path]:
    """The checkpoints in an output folder, the newest first. Folders of other names are left alone."""
    by_step = {int(step): folder for folder in out.glob("checkpoint-*") if (step := folder.name[11:]).isdecimal()}
    return [by_step[step] for step in sorted(by_step, reverse=True)]


def newest_intact(out: Path) -> Path | None:
    """The newest intact checkpoint of a run, or None; prints which newer ones are damaged."""
    for folder in checkpoints(out):
        problem = what_is_broken(folder)
        if problem is None:
            return folder
        print(printable(f"{folder} is skipped: {problem}"), flush=True)
    return None


def what_is_broken(folder: Path) -> str | None:
    """What is missing or damaged in a checkpoint, in a few words, or None. The trainer writes its state last."""
    from safetensors import SafetensorError, safe_open

    if not (folder / "trainer_state.json").is_file():
        return "no trainer_state.json, so it was never finished"
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            if file.suffix == ".json":
                json.loads(file.read_text(encoding="utf-8"))
            elif file.suffix == ".safetensors":
                with safe_open(file, "pt"):
                    pass
            elif file.suffix in (".pt", ".pth") and (bad := zipfile.ZipFile(file).testzip()):
                return f"{file.name} is damaged at {bad}"
        except (ValueError, OSError, SafetensorError, zipfile.BadZipFile) as error:
            return f"{file.name} is damaged: {reason(error)}"
    return None


def remove_checkpoints(out: Path) -> None:
    """Remove all checkpoints of a finished run; the optimizer in them is three times the size of what was trained.

    In a folder that this program did not make they are kept, with a line that says so.
    """
    found = checkpoints(out)
    if found and not is_ours(out):
        why = "was not made by ascii-maze (or is a copy), so its checkpoints stay; remove them yourself"
        print(printable(f"{out} {why}"))
        return
    for folder in found:
        remove_inside(folder, out)


def trim_log(log: Path, step: int) -> None:
    """Drop the lines after a step: a run that resumes there writes them again."""
    if log.is_file():
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        write_text(log, "".join(f"{line}\n" for line in lines if json.loads(line)["step"] <= step))
