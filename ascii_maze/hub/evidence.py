"""The results of an evaluation and an MRI for one adapter, for its card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..environment.explorers import ALL_BASELINES
from ..errors import UsageError
from ..evaluation.schema import PairedTest, Results, read_results
from ..evaluation.tables import reading_rows, table_rows
from ..files import read_json, sha256_of
from ..models.adapters import WEIGHTS

# Number of examples each of valid and of invalid walks.
SHOWN = 2
SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Example:
    """One answer as an example: the maze with the walk drawn in it, the answer, and the verdict."""

    maze: str
    answer: str
    verdict: str


@dataclass(frozen=True)
class Evidence:
    """The measurements of one model after its training.

    Attributes:
        model: its name in `results` and `mri`.
        results: results.json, with this model, its base and the baselines.
        solved: some of its valid walks.
        failed: some of its invalid walks.
        mri: mri.json.
    """

    model: str = ""
    results: Results | None = None
    solved: list[Example] = field(default_factory=list)
    failed: list[Example] = field(default_factory=list)
    mri: dict[str, Any] | None = None

    @property
    def system_prompt(self) -> str | None:
        """The system prompt of the evaluation, if there was one."""
        return self.results["settings"]["system_prompt"] if self.results else None

    def table(self) -> list[tuple[str, ...]]:
        """The rows of the table of results, under `evaluation.tables.TABLE_HEADER`."""
        return table_rows(self.results) if self.results else []

    def readings(self) -> list[tuple[str, ...]]:
        """The strict and the lenient reading of the answers, under `evaluation.tables.READINGS_HEADER`."""
        return reading_rows(self.results) if self.results else []

    def against(self) -> list[PairedTest]:
        """Paired tests of this model, oriented so that it is `a`: mazes only it solves are `only_a`."""
        paired = self.results["paired"] if self.results else []
        tests = [test for test in paired if self.model in (test["a"], test["b"])]
        return [test if test["a"] == self.model else _turned(test) for test in tests]


def find_evidence(adapter: Path, base: str, folders: Sequence[Path] = ()) -> Evidence:
    """Find and read the results measured for an adapter.

    Args:
        adapter: folder of the run.
        base: the model it was trained on, by its name in the recipe.
        folders: of `ascii-maze evaluate` and `ascii-maze mri`; default: those next to the run, as in a study, if they
            have results of it.

    Raises:
        UsageError: a folder that was named has neither results.json nor mri.json, or no results of this adapter with
            the weights that it has now, or is of step-by-step walks.
    """
    results = mri = None
    model = ""
    for folder in folders or (adapter.parent / "evaluation", adapter.parent / "mri"):
        evaluated, measured = folder / "results.json", folder / "mri.json"
        found: dict[str, Any] = {
            "results": read_results(evaluated) if evaluated.is_file() else None,
            "mri": read_json(measured) if measured.is_file() else None,
        }
        if found["results"] and "stepwise" in found["results"]["settings"]:
            if folders:
                raise UsageError(f"{folder} has step-by-step walks; a card shows whole paths: name a folder of those")
            continue
        if folders and not any(found.values()):
            raise UsageError(
                f"{folder} has no results.json and no mri.json; `ascii-maze evaluate` or `ascii-maze mri` makes them"
            )
        named = {name: _name_of(adapter, base, content) for name, content in found.items() if content}
        if folders and not all(named.values()):
            known = ", ".join(name for content in found.values() if content for name in _locations(content))
            raise UsageError(
                f"{folder} has no results of {adapter} as it is now; it has {known}. If it has changed, evaluate again"
            )
        content, name = found["results"], named.get("results")
        if content and name:
            model, results = name, about(content, name, base)
            solved, failed = pick_walks(folder / "predictions.parquet", model)
        if name := named.get("mri"):
            mri, model = found["mri"], model or name
    if results is None:
        return Evidence(model, mri=mri)
    return Evidence(model, results, solved, failed, mri)


def pick_walks(predictions: Path, model: str) -> tuple[list[Example], list[Example]]:
    """The first valid and the first invalid walks of a model; empty without predictions.parquet."""
    from pyarrow.dataset import dataset, field

    if not predictions.is_file():
        return [], []
    rows, mine = dataset(predictions), field("model") == model
    if "sample" in rows.schema.names:
        mine &= field("sample") == 0
    solved, failed = (rows.head(SHOWN, filter=mine & chosen) for chosen in (field("valid"), ~field("valid")))
    return [_shown(row) for row in solved.to_pylist()], [_shown(row) for row in failed.to_pylist()]


def _shown(row: dict[str, Any]) -> Example:
    from ..evaluation.gallery import said, verdict
    from ..metrics.path_validity.scoring import parse_moves, read_maze
    from ..metrics.path_validity.svg import follow

    maze = read_maze(row["maze"])
    visited = set(follow(maze, parse_moves(row["completion"], maze.start) or "").positions)
    drawn = [
        "".join("•" if (i, j) in visited and symbol == " " else symbol for j, symbol in enumerate(line))
        for i, line in enumerate(maze.rows)
    ]
    answer = " ".join(said(maze, row["completion"])["completion"].split())  # on one line
    cut = answer if len(answer) <= SHOWN_CHARACTERS else answer[:SHOWN_CHARACTERS] + " ..."
    return Example("\n".join(drawn), cut, verdict(row))


def about(results: Results, model: str, base: str) -> Results:
    """The part of results.json that a card shows: this model, its base, and the baselines."""
    locations = _locations(results)
    shown = {model, *ALL_BASELINES}
    kept = [name for name in results["models"] if name in shown or locations.get(name) == base]
    pairs = [test for test in results["paired"] if test["a"] in kept and test["b"] in kept]
    return {**results, "models": {name: results["models"][name] for name in kept}, "paired": pairs}


def _locations(content: Mapping[str, Any]) -> dict[str, str]:
    """Name -> location of each model in results.json or mri.json."""
    settings = content.get("settings", {})
    models = settings.get("models") or settings.get("adapters") or content.get("models", {})
    return models if isinstance(models, dict) else {name: name for name in models}


def _name_of(adapter: Path, base: str, content: Mapping[str, Any]) -> str | None:
    """The name of this adapter there: found by its weights, or by its folder if those were not recorded."""
    settings, weights = content.get("settings", {}), adapter / WEIGHTS
    digest = sha256_of(weights) if weights.is_file() else None
    facts = settings.get("loaded", {}) if "models" in settings else {}
    digests = {name: facts.get(name, {}).get("adapter_sha256") for name in _locations(content)}
    bases = {name: facts.get(name, {}).get("base", settings.get("base")) for name in digests}
    folders = {name: Path(str(location)) for name, location in _locations(content).items()}
    same = [name for name in folders if digest and digests[name] == digest]
    unknown = [name for name in folders if not digests[name] and bases[name] in (base, None)]
    here = adapter.resolve()
    for names in (
        [name for name in same if folders[name].resolve() == here],
        same,
        [name for name in unknown if folders[name].resolve() == here],
        # A folder that has moved.
        [name for name in unknown if folders[name].name == here.name and not folders[name].exists()],
    ):
        if len(names) == 1:
            return names[0]
    return None


def _turned(test: PairedTest) -> PairedTest:
    return {**test, "a": test["b"], "b": test["a"], "only_a": test["only_b"], "only_b": test["only_a"]}
