"""Checkpoints: which one a run can go on from, and what is left of them when it is done."""

import json
import shutil
import zipfile
from pathlib import Path

from ..errors import reason


def newest_intact(out: Path) -> Path | None:
    """The newest checkpoint of a run that is whole; says which newer ones are not. None where there is none."""
    folders = [folder for folder in out.glob("checkpoint-*") if folder.name.split("-")[-1].isdecimal()]
    for folder in sorted(folders, key=lambda folder: -int(folder.name.split("-")[-1])):
        problem = what_is_broken(folder)
        if problem is None:
            return folder
        print(f"{folder} is skipped: {problem}", flush=True)
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
    """Remove all checkpoints of a run; the optimizer in them is three times the size of what was trained."""
    for folder in out.glob("checkpoint-*"):
        shutil.rmtree(folder)


def cut_log(log: Path, step: int) -> None:
    """Drop the lines after a step: a run that goes on from there writes them again."""
    if log.is_file():
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
