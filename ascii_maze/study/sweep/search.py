"""Search the settings of one recipe: Optuna proposes, a trial trains, validation decides.

The proposals are by the tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011) after `RANDOM` random ones;
the unchanged recipe is the first. The search's random numbers are derived for each trial from the seed and its number,
so an interrupted or killed sweep proposes what an uninterrupted one would have, and trials that run at once are
proposed in rounds. No settings are tried twice. Trials are kept in Optuna's SQLite file; one that was running resumes
from its checkpoint with the same settings. One whose own process was ended by a signal, as when memory runs out, has
failed.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AsciiMazeError, UsageError
from ...files import output_folder
from ...models.loading import SHAPE
from ...recipe import Budget, Recipe, check_recipe, load_recipe, override_words
from ...recipe.methods import METHODS
from ...recipe.run_metrics import RunMetrics, read_metrics
from ..inputs import digest_of
from ..plan import OUT, RECIPE, Stage, outside
from ..runner import Progress, run_stages
from .report import SweepRecord, TrialRecord, write_report
from .spaces import Range, Space, holds

if TYPE_CHECKING:
    import optuna

SEARCH, STORAGE = "search", "trials.db"  # a folder, and in it Optuna's file
RANDOM = 5  # trials before the estimator proposes
ATTEMPTS = 20  # at settings that have not been tried
# Keys that no trial may change, and why.
FIXED = {
    "output_dir": "each trial has a folder of its own",
    "push_to_hub": "a sweep publishes nothing",
    "hub_model_id": "a sweep publishes nothing",
    "method": "a sweep is of one method",
    "budget": "trials must cost the same",
    "dataset_test_split": "trials are compared on one split",
    "eval_limit": "trials are compared on the same mazes",
    "eval_strategy": "trials are compared by their evaluations",
    "stepwise": "trials are compared by the same task",
    "random_reward": "it is another experiment, not a setting",
}
OnProgress = Callable[[list[Progress]], None]
SETTINGS, JOBS = "settings", "jobs"  # of the sweep, in Optuna's storage


@dataclass(frozen=True)
class Sweep:
    """What is searched, and how.

    Attributes:
        recipe: its path, as given.
        words: overrides of all trials, `--key value`.
        space: what varies.
        trials: how many.
        budget: of each, as `tokens=200000`.
        outcome: the quantity to maximise, as the training logs it after `eval_`, at the end of a run.
        seed: of the search; each trial has the recipe's own.
        jobs: trials that run at once, and are proposed together.
    """

    recipe: str
    words: tuple[str, ...]
    space: Space
    trials: int
    budget: str
    outcome: str
    seed: int = 0
    jobs: int = 1

    def load(self) -> Recipe:
        """The recipe with the overrides and the budget."""
        return load_recipe(self.recipe, [*self.words, "--budget", self.budget])


def outcome_of(method: str) -> str:
    """The quantity to maximise: the share of shortest paths, or of a reward model the accuracy on pairs."""
    return "pair_accuracy" if METHODS[method].scores else "optimal"


def check_sweep(sweep: Sweep) -> None:
    """Check that all trials can run, before the first one does.

    Raises:
        UsageError: no budget, too few trials, a setting that the recipe does not have, that all trials are given, that
            the adapter keeps which the recipe starts from, or that must be the same for all; something to publish; no
            evaluation in training, or one on a test split.
    """
    recipe = sweep.load()
    try:
        Budget.parse(sweep.budget)
    except ValueError as error:
        raise UsageError(f"--budget: {error}") from error
    if fixed := sorted(sweep.space.keys() & FIXED.keys()):
        raise UsageError(f"'{fixed[0]}' cannot be varied: {FIXED[fixed[0]]}")
    if str(recipe.values.get("push_to_hub", False)).lower() not in ("false", "no", "f", "n", "0"):
        raise UsageError("a sweep publishes nothing; leave out --push_to_hub, and push the trial that you choose")
    if sweep.jobs < 1:
        raise UsageError(f"--jobs is {sweep.jobs}; expected 1 or more")
    if sweep.trials < 2:
        raise UsageError(f"--trials is {sweep.trials}; a sweep compares two or more")
    given = {word.lstrip("-").partition("=")[0] for word in sweep.words if word.startswith("--")}
    if both := sorted(given & sweep.space.keys()):
        raise UsageError(f"'{both[0]}' is varied, and cannot be set for all trials too; leave out --{both[0]}")
    if recipe.values.get("adapter_name_or_path") and (kept := sorted(SHAPE.keys() & sweep.space.keys())):
        raise UsageError(f"'{kept[0]}' cannot be varied: the recipe starts from an adapter, which keeps its own")
    split = split_of(recipe)
    if split.startswith("test"):
        raise UsageError(f"settings are not chosen on '{split}'; set dataset_test_split to validation")
    if str(recipe.values.get("eval_strategy", "no")) == "no":
        raise UsageError("the recipe does not evaluate (eval_strategy: no), so trials cannot be compared")
    choices = {key: allowed[:2] if isinstance(allowed, Range) else allowed for key, allowed in sweep.space.items()}
    for place in range(max(map(len, choices.values()))):
        values = {key: given[place % len(given)] for key, given in choices.items()}
        check_recipe(load_recipe(sweep.recipe, [*sweep.words, *override_words(values)]))


def split_of(recipe: Recipe) -> str:
    """The split on which a recipe's trials are compared; TRL's default is `test`."""
    return str(recipe.values.get("dataset_test_split") or "test")


def search(sweep: Sweep, out: Path, on_progress: OnProgress | None = None) -> SweepRecord:
    """Run the trials that have not been run; sweep.json and its figure are written after each.

    Raises:
        UsageError: see `check_sweep`; or the folder holds another sweep.
        AsciiMazeError: a trial has failed before any has succeeded; Optuna is not installed; another sweep runs there.
    """
    if find_spec("optuna") is None:
        raise AsciiMazeError("optuna must be installed for a sweep: pip install 'ascii-maze[sweep]'")
    check_sweep(sweep)
    if (out / "sweep.json").exists() and not (out / SEARCH / STORAGE).is_file():
        raise UsageError(f"{out / 'sweep.json'} is of no sweep in that folder and would be lost; give another --out")
    with output_folder(out):  # marks the folder as this program's
        pass
    with output_folder(out / SEARCH):  # one search at a time; the trials lock the whole folder
        return _search(sweep, out, on_progress)


def _search(sweep: Sweep, out: Path, on_progress: OnProgress | None) -> SweepRecord:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study, recipe = _open(sweep, out), sweep.load()
    progress: list[Progress] = []
    for first in range(0, sweep.trials, sweep.jobs):
        numbers = range(first, min(first + sweep.jobs, sweep.trials))
        # All trials of a round are proposed before any is run, so that they do not depend on timing.
        stages = [stage_of(sweep, recipe, out, number, _settings_of(study, sweep, number)) for number in numbers]
        trials = {stage.name: study.trials[number] for number, stage in zip(numbers, stages, strict=True)}
        for stage in stages:
            if (known := trials[stage.name]).state.is_finished():
                progress.append(Progress(stage, "kept", known.user_attrs["seconds"], known.user_attrs["note"]))
        left = [stage for stage in stages if not trials[stage.name].state.is_finished()]
        ran = run_stages(left, out, on_progress=_after(progress, on_progress), jobs=sweep.jobs) if left else []
        for mine in ran:
            progress.append(mine)
            _tell(study, trials[mine.stage.name], mine, out, sweep.outcome)
        record = record_of(sweep, recipe, study)
        write_report(record, out)
        if ran and record["best"] is None:  # earlier failures have been reported already
            failed = record["trials"][numbers[stages.index(ran[0].stage)]]
            name = ran[0].stage.name
            raise AsciiMazeError(f"{name} failed: {failed['note']}; see {out}/stages/{name}.log")
    return record


def _after(earlier: list[Progress], on_progress: OnProgress | None) -> OnProgress | None:
    """The progress callback of one trial, which also reports those before it."""
    before = [*earlier]
    return on_progress and (lambda running: on_progress([*before, *running]))


def stage_of(sweep: Sweep, recipe: Recipe, out: Path, number: int, settings: dict[str, Any]) -> Stage:
    """A trial as a stage: `ascii-maze train RECIPE`, in a folder of its own."""
    words = [
        *sweep.words,
        "--budget",
        sweep.budget,
        *override_words(settings),
        "--output_dir",
        f"{OUT}/trial-{number}",
    ]
    return Stage(
        name=f"trial-{number}",
        command=("train", RECIPE, *words),
        product=Path(f"trial-{number}", "metrics.json"),
        names={OUT: str(out), RECIPE: sweep.recipe},
        inputs=(recipe.to_yaml(),),
        reads=tuple(outside(recipe.values)),
        modules=("ascii_maze.launch", f"ascii_maze.training.{recipe.method}"),
        keeps_names=True,
        note=", ".join(f"{key} {value}" for key, value in settings.items()),
    )


def _open(sweep: Sweep, out: Path) -> "optuna.Study":
    """The search in Optuna's storage, new or resumed."""
    import optuna

    recipe = sweep.load()
    reads = {name: digest_of(name) for name in outside(recipe.values)}
    parts = [recipe.to_yaml(), repr(sweep.space), sweep.outcome, sweep.seed, reads]
    file = out / SEARCH / STORAGE
    identity = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
        study = optuna.create_study(storage=storage, study_name="sweep", direction="maximize", load_if_exists=True)
    except Exception as error:  # SQLAlchemy's, of a file that is not a database or cannot be written
        raise AsciiMazeError(f"{file} cannot be used: {' '.join(str(error).split())[:120]}") from error
    if study.user_attrs.setdefault(SETTINGS, identity) != identity:
        raise UsageError(f"{out} holds a sweep of another recipe, space, budget, seed or dataset; give another --out")
    if (jobs := study.user_attrs.setdefault(JOBS, sweep.jobs)) != sweep.jobs:
        raise UsageError(f"{out} holds a sweep with --jobs {jobs}, by which trials are proposed; give --jobs {jobs}")
    study.set_user_attr(SETTINGS, identity)
    study.set_user_attr(JOBS, sweep.jobs)
    if not study.trials and holds(sweep.space, recipe.values):
        study.enqueue_trial({key: recipe.values[key] for key in sweep.space})
    return study


def _settings_of(study: "optuna.Study", sweep: Sweep, number: int) -> dict[str, Any]:
    """The settings of a trial: those it started with, else newly proposed ones.

    A proposal is stored whole, as one to be tried; Optuna then stores its settings one by one, and goes on with the
    missing ones if it was killed between two of them.
    """
    from optuna.trial import Trial, TrialState

    space = {key: _distribution(allowed) for key, allowed in sweep.space.items()}
    if number == len(study.trials):
        study.enqueue_trial(_proposed(study.trials, sweep, number, space))
    if study.trials[number].state == TrialState.WAITING:
        study.ask(space)
    known = study.trials[number]
    if not known.state.is_finished() and (missing := space.keys() - known.params.keys()):
        begun = Trial(study, known._trial_id)
        for key in sorted(missing):
            begun._suggest(key, space[key])
    return dict(study.trials[number].params)


def _proposed(trials: list, sweep: Sweep, number: int, space: dict[str, Any]) -> dict[str, Any]:
    """New settings, which none of the trials has, if the space has more."""
    import optuna

    tried = [trial.params for trial in trials]
    for attempt in range(ATTEMPTS):
        words = f"{sweep.seed}:{number}" + f":{attempt}" * (attempt > 0)
        derived = int.from_bytes(hashlib.sha256(words.encode()).digest()[:4])
        sampler = optuna.samplers.TPESampler(seed=derived, n_startup_trials=RANDOM, constant_liar=sweep.jobs > 1)
        aside = optuna.create_study(sampler=sampler, direction="maximize")
        aside.add_trials(trials)
        settings = dict(aside.ask(space).params)
        if settings not in tried:
            break
    return settings


def _distribution(allowed: Range | tuple) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(allowed, Range):
        return CategoricalDistribution(allowed)
    if allowed.is_whole:
        return IntDistribution(int(allowed.low), int(allowed.high), log=allowed.log)
    return FloatDistribution(allowed.low, allowed.high, log=allowed.log)


def _tell(study: "optuna.Study", trial, mine: Progress, out: Path, outcome: str) -> None:
    """Record the outcome of a trial."""
    from optuna.trial import Trial, TrialState

    value, tokens, note = None, 0, mine.note
    if mine.finished:
        metrics = read_metrics(out / mine.stage.product.parent)
        value, tokens, note = last_outcome(metrics, outcome), metrics["tokens"], ""
        if not math.isfinite(value):
            value, note = None, f"its {outcome} is {value}"
    running = Trial(study, trial._trial_id)
    for key, figure in {"tokens": tokens, "seconds": round(mine.seconds, 3), "note": note}.items():
        running.set_user_attr(key, figure)
    study.tell(trial.number, value, TrialState.FAIL if value is None else TrialState.COMPLETE)


def last_outcome(metrics: RunMetrics, outcome: str) -> float:
    """The outcome at the end of a run.

    Raises:
        UsageError: the run has not logged it.
    """
    key = f"eval_{outcome}"
    found = [line[key] for line in metrics["history"] if key in line]
    if not found:
        known = sorted({name for line in metrics["history"] for name in line if name.startswith("eval_")})
        raise UsageError(f"the training logged no {key}; give one of {', '.join(known)}")
    return float(found[-1])


def record_of(sweep: Sweep, recipe: Recipe, study: "optuna.Study") -> SweepRecord:
    """The content of sweep.json."""
    trials = [
        TrialRecord(
            number=trial.number,
            settings=dict(trial.params),
            outcome=trial.value,
            state=trial.state.name.lower(),
            tokens=trial.user_attrs.get("tokens", 0),
            seconds=trial.user_attrs.get("seconds", 0.0),
            note=trial.user_attrs.get("note", ""),
        )
        for trial in study.trials[: sweep.trials]
    ]
    done = [trial for trial in trials if trial["outcome"] is not None]
    best = max(done, key=lambda trial: (trial["outcome"], -trial["number"]), default=None)
    return SweepRecord(
        recipe=sweep.recipe,
        method=recipe.method,
        words=list(sweep.words),
        space={key: list(allowed) for key, allowed in sweep.space.items()},
        budget=sweep.budget,
        outcome=sweep.outcome,
        split=split_of(recipe),
        mazes=recipe.values.get("eval_limit"),
        seed=sweep.seed,
        jobs=sweep.jobs,
        trials=trials,
        best=best and best["number"],
    )
