"""The results of a sweep: sweep.json with every trial, and a figure of the outcome over each setting."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from ...files import write_text
from ...plots import COLOURS, GREY, SETTINGS, svg_of
from ...recipe import override_words


class TrialRecord(TypedDict):
    """A trial.

    Attributes:
        settings: of those that the sweep varies.
        outcome: 0-1 on validation, at the end of the run; None where it has not ended, or failed.
        state: `complete`, `fail`, `running` or `waiting`, as Optuna names them.
        tokens: read in sampling and training.
        note: why it failed.
    """

    number: int
    settings: dict[str, Any]
    outcome: float | None
    state: str
    tokens: int
    seconds: float
    note: str


class SweepRecord(TypedDict):
    """What sweep.json holds.

    Attributes:
        words: overrides of all trials.
        space: setting -> its values, or from, to, and whether its logarithm is drawn.
        outcome: the quantity maximised; `split` and `mazes` are what it was measured on.
        jobs: how many trials were proposed together and ran at once.
        best: number of the trial with the largest outcome, the first of several; None while there is none.
    """

    recipe: str
    method: str
    words: list[str]
    space: dict[str, list[Any]]
    budget: str
    outcome: str
    split: str
    mazes: int | None
    seed: int
    jobs: int
    trials: list[TrialRecord]
    best: int | None


def write_report(record: SweepRecord, out: Path) -> None:
    """Write sweep.json and sweep.svg."""
    write_text(out / "sweep.json", json.dumps(record, indent=2))
    write_text(out / "sweep.svg", svg_of(draw(record)))


def draw(record: SweepRecord):
    """A panel for each setting: a dot for each trial, the best one in colour."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    done = [trial for trial in record["trials"] if trial["outcome"] is not None]
    names = list(record["space"])
    with rc_context(SETTINGS):
        figure = Figure(figsize=(2.4 * len(names), 2.4), layout="constrained")
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, names):
            values = [trial["settings"][name] for trial in done]
            log = _is_log(record["space"][name])
            # Values to choose among stand side by side; a range is an axis.
            if _is_range(record["space"][name]):
                places: Sequence[float] = values
                panel.set_xscale("log" if log else "linear")
            else:
                places = [record["space"][name].index(value) for value in values]
                panel.set_xticks(range(len(record["space"][name])), map(str, record["space"][name]))
            colours = [COLOURS[0] if trial["number"] == record["best"] else GREY for trial in done]
            panel.scatter(places, [100 * (trial["outcome"] or 0.0) for trial in done], c=colours, s=18, zorder=2)
            panel.set_xlabel(name)
            panel.margins(0.15)
        panels[0].set_ylabel(f"{record['outcome']} on {record['split']}, per cent")
    return figure


def _is_range(space: list[Any]) -> bool:
    return len(space) == 3 and isinstance(space[2], bool) and not isinstance(space[0], bool | str)


def _is_log(space: list[Any]) -> bool:
    return _is_range(space) and bool(space[2])


def command_of(record: SweepRecord) -> str:
    """The command that trains with the best trial's settings; empty while there is none."""
    best = next((trial for trial in record["trials"] if trial["number"] == record["best"]), None)
    if best is None:
        return ""
    return shlex.join(["ascii-maze", "train", record["recipe"], *record["words"], *override_words(best["settings"])])
