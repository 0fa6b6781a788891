"""METHODS.md and methods.json: every method and control on the embedded model, from the study for a paper.

    ascii-maze study recipes/tiny/paper.yaml --out outputs/paper --jobs 2     # hours; the same command resumes
    python benchmarks/methods.py outputs/paper      # or of stored seeds, see benchmarks/seeds.py

Also of a study that is not finished: the tables have what there is. methods.json is results.json without the
exploratory contrasts.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from pages import markdown, write_page

from ascii_maze.evaluation.forgetting.tables import HEADER as LOST
from ascii_maze.evaluation.forgetting.tables import WORDS as LOST_WORDS
from ascii_maze.evaluation.forgetting.tables import cells as lost_cells
from ascii_maze.files import write_text
from ascii_maze.hub.local_paths import without_local_paths
from ascii_maze.mazes.baselines import BASELINES
from ascii_maze.study.report import CONTRASTS, HEADER, contrast_rows, lost_seeds, per_cent, table_of
from ascii_maze.study.schema import StudyResults, read_results
from ascii_maze.study.tuning import Tuning

HERE = Path(__file__).parent
SETTINGS = ("run", "swept recipe", "settings", "trials", "budget of each", "best, %")


def page(results: StudyResults) -> Iterator[str]:
    """The lines of METHODS.md, except those written by hand."""
    study, machine = results["settings"]["study"], results["settings"]["machine"]
    models = {name: of for name, of in results["models"].items() if name not in BASELINES}
    split = study["splits"][0]
    yield "# Every method on the embedded model"
    yield ""
    yield "`ascii-maze study recipes/tiny/paper.yaml --out outputs/paper`, and `benchmarks/methods.py outputs/paper`."
    yield "Its report is [docs/paper.html](../docs/paper.html), to be opened in a browser."
    yield "Its answers and costs are in `benchmarks/paper`; `benchmarks/seeds.py` makes the same tables of them:"
    yield f"seeds {', '.join(map(str, study['seeds']))}; {machine}."
    stages = results["stages"]
    if unfinished := [stage for stage in stages if stage["state"] not in ("done", "kept")]:
        measured = {seed for of in models.values() for cell in of.values() for seed in cell["seeds"]}
        of_seeds = ", ".join(sorted(measured, key=int)) or "none"
        yield f"{len(unfinished)} of {len(stages)} stages are not finished; there are rates of seeds: {of_seeds}."
    yield from ("", "## Findings", "", *(f"- {sentence}" for sentence in results["findings"]))
    yield from ("", "## Rates", "", *markdown(HEADER, (row["cells"] for row in table_of(results))), "")
    yield "Tokens are those that a model is trained on, and the time is that of training, without evaluations. Both"
    yield "include those of the runs that a run starts from, and of its reward model; mazes are its own, distinct."
    yield "[How to compare methods](../docs/howto/compare.md) explains the findings."
    yield from ("", f"Shortest paths of each seed on {split}, in per cent:", "")
    seeds = [str(seed) for seed in study["seeds"]]
    by_seed = (
        (name, *(per_cent(of[split]["seeds"].get(seed, {}).get("optimal")) for seed in seeds))
        for name, of in models.items()
        if split in of
    )
    yield from markdown(("model", *seeds), by_seed)
    yield from ("", "## Planned contrasts", "")
    yield from markdown(CONTRASTS, (row["cells"] for row in contrast_rows(results) if row["planned"]))
    if lost := results["forgetting"]:
        yield from ("", "## What was lost", "")
        yield from markdown(LOST, (lost_cells(name, found["mean"]) for name, found in lost.items()))
        yield from ("", f"Means over the seeds numbered {', '.join(lost_seeds(results))}. {LOST_WORDS}")
    yield from ("", "## Settings", "")
    tuned = {name: costs[0]["tuning"] for name, costs in results["training"].items() if costs}
    yield from markdown(SETTINGS, (settings_of(name, tuning) for name, tuning in tuned.items()))
    yield ""
    yield "By `benchmarks/sweeps.py`; every trial is in `recipes/tiny/sweeps`. The best of several is partly lucky;"
    yield "the tables are of another split."
    versions = ", ".join(f"{name} {version}" for name, version in results["settings"]["versions"].items())
    yield from ("", f"Versions: {versions}.")


def settings_of(name: str, tuning: Tuning | None) -> tuple[str, ...]:
    """A row of `SETTINGS`."""
    if tuning is None:
        return (name, "by hand", "", "", "", "")
    of = tuning["recipe"] + ("" if tuning["holds"] else ", since changed")
    best = f"{per_cent(tuning['reached'])} on {tuning['selected_on']}"
    return (name, of, str(tuning["settings"]), str(tuning["trials"]), tuning["budget"], best)


def main() -> None:
    """Write the page and the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="folder of the study")
    parser.add_argument("--page", type=Path, default=HERE / "METHODS.md")
    arguments = parser.parse_args()
    if not (arguments.study / "results.json").is_file():
        sys.exit(f"{arguments.study} holds no results.json; run `ascii-maze study recipes/tiny/paper.yaml` first")
    results = read_results(arguments.study)
    write_page(arguments.page, "\n".join(page(results)))
    # The several hundred exploratory contrasts can be computed again from the study's answers.
    record = {**results, "contrasts": [one for one in results["contrasts"] if one["planned"]]}
    record = without_local_paths(record, arguments.study)
    write_text(arguments.page.with_name("methods.json"), json.dumps(record, indent=1) + "\n")
    print(arguments.page)


if __name__ == "__main__":
    main()
