"""The seeds of the study for a paper that have been run, kept in this repository: its answers and costs, no weights.

    python benchmarks/seeds.py store outputs/paper     # each finished seed to benchmarks/paper/seed-N.zip
    python benchmarks/seeds.py read outputs/stored     # all stored seeds as the folder of a study, with its report

The seeds of a study are independent, so they can be run on different machines, and its tables and tests computed again
from what they answered. `benchmarks/methods.py outputs/stored` then writes METHODS.md.
"""

import argparse
import re
import sys
import zipfile
from pathlib import Path

from ascii_maze.files import read_json, replacing
from ascii_maze.study.plan import plan
from ascii_maze.study.report import write_report
from ascii_maze.study.results import gather
from ascii_maze.study.runner import Progress
from ascii_maze.study.settings import load_study

STUDY = "recipes/tiny/paper.yaml"
STORED = Path(__file__).parent / "paper"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # so that the same files make the same bytes


def files_of(study: Path, seed: int) -> list[Path]:
    """The files from which the tables of a study are computed, of one seed and of the dataset."""
    folder = study / f"seed-{seed}"
    return [
        *sorted(study.glob("*/build.json")),
        *sorted((study / "stages").glob(f"*-{seed}.json")),
        *sorted(folder.glob("*/metrics.json")),
        *sorted(folder.glob("evaluation/predictions.parquet")),
        *sorted(folder.glob("*/results.json")),
        *sorted(folder.glob("*/forgetting.json")),
    ]


def store(study: Path, stored: Path) -> list[int]:
    """Store the seeds of a study that have been evaluated; returns them."""
    done = [
        int(path.parents[1].name.removeprefix("seed-"))
        for path in study.glob("seed-*/evaluation/results.json")
        if re.fullmatch(r"seed-\d+", path.parents[1].name)
    ]
    stored.mkdir(exist_ok=True)
    for seed in sorted(done):
        with (
            replacing(stored / f"seed-{seed}.zip") as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_LZMA) as archive,
        ):
            for path in files_of(study, seed):
                info = zipfile.ZipInfo(path.relative_to(study).as_posix(), LONG_AGO)
                info.compress_type = zipfile.ZIP_LZMA
                archive.writestr(info, path.read_bytes())
    return sorted(done)


def read(stored: Path, out: Path, study_file: str = STUDY) -> None:
    """Write all stored seeds, and what a study writes at its end, into a new folder."""
    out.mkdir(parents=True)
    for path in sorted(stored.glob("seed-*.zip")):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(out)
    study = load_study(Path(study_file))
    progress = []
    for stage in plan(study, out):
        record = out / "stages" / f"{stage.name}.json"
        made = (out / stage.product).is_file()
        seconds = read_json(record)["seconds"] if record.is_file() else 0.0
        progress.append(Progress(stage, "kept" if made else "waiting", seconds))
    write_report(gather(study, progress, out), study, out)


def main() -> None:
    """Store or read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("store", "read"))
    parser.add_argument("folder", type=Path, help="the study's folder; `read` makes it")
    parser.add_argument("--stored", type=Path, default=STORED, help="folder of the stored seeds")
    parser.add_argument("--study", default=STUDY, help="the study's file")
    options = parser.parse_args()
    if options.what == "store":
        seeds = store(options.folder, options.stored)
        print(f"stored: {', '.join(map(str, seeds)) or 'no seed; none has been evaluated'}")
    elif options.folder.exists():
        sys.exit(f"{options.folder} exists; name a new folder")
    else:
        read(options.stored, options.folder, options.study)
        print(options.folder / "report.html")


if __name__ == "__main__":
    main()
