"""Models x splits -> validity rates with intervals, paired tests, predictions.

evaluate({"base": "tiny", "sft": "outputs/tiny/sft"}, "ascii-maze", ["test"], out=Path("outputs/evaluation"))

Answers are written in parts as they come, of a thousand mazes or so, and only their small columns are read again: more
mazes take more time, not more memory. An interrupted evaluation resumes after its last part, and ends with the same
bytes as one that was not interrupted. The folder of the parts is named by a hash of everything that they depend on.
"""

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from dataset_builder.load import limited_first, load_splits

from ..errors import UsageError
from ..files import UNFINISHED, output_folder
from ..mazes.baselines import BASELINES
from ..models.generation import Decoding
from ..models.pins import find_pinned, fingerprint, pin, revision_of
from ..models.sources import match_bases, settle_name
from ..packages import versions
from ..terminal import OnProgress
from .answers import Respondent, answer_all
from .external import Predictions, is_predictions, open_predictions
from .measure import measure
from .options import Options
from .output import check_replaceable, remove_work, work_folder, write_all
from .questions import COLUMNS, Questions, survey
from .schema import Results
from .stepwise import STEP_BASELINES, Stepwise, check_stepwise

DEFAULTS = Options()


def evaluate(
    models: dict[str, str],
    dataset: str,
    splits: Sequence[str],
    out: Path,
    options: Options = DEFAULTS,
    on_progress: OnProgress | None = None,
) -> Results:
    """Score every model, and the baselines, on the same mazes; write results.json, predictions.parquet, report.md.

    Args:
        models: name in the tables -> folder, Hub id, `tiny`, or a file of predictions made elsewhere.
        dataset: folder or Hub id of a dataset with a config `prompts`.
        out: folder that is new, empty or holds an evaluation, which is replaced.
        on_progress: called with the model's name, the mazes done and the mazes in all.

    Raises:
        AsciiMazeError: a model, the dataset or a split cannot be loaded, or another process writes to `out`.
        UsageError: several greedy samples, splits that share rows, a baseline's name, predictions that do not go
            with the mazes, options of decoding for nothing but files, or files in `out` that are not an evaluation's.
    """
    check_names(models, dataset, splits)
    decoding = options.decoding()
    steps = check_stepwise(options.stepwise, options.max_moves, list(models))
    on_progress = on_progress or (lambda name, done, total: None)
    with output_folder(out, kind="evaluation"):
        check_replaceable(out)
        questions, asked = ask(dataset, splits, options, decoding, steps)
        models, respondents = find_respondents(models, questions, options)
        from_files = [isinstance(respondent, Predictions) for respondent in respondents.values()]
        if from_files and all(from_files):
            options.check_for_files()
        settings = {"models": models, **asked, **settings_of(questions, options, from_files)}
        prints = {name: fingerprint_of(respondent) for name, respondent in respondents.items()}
        # The folders of the models' parts are numbered in their order.
        depends_on = [settings, list(models), options.max_new_tokens, options.baselines, prints]
        with output_folder(out / UNFINISHED):
            work = work_folder(out / UNFINISHED, depends_on)
            if options.baselines:
                respondents |= dict.fromkeys(STEP_BASELINES if steps else BASELINES)
            parts, facts = answer_everything(respondents, questions, work, on_progress)
            settings |= {"system_prompt": questions.system_prompt, "prompt": questions.prompt, "loaded": facts}
            results = cast(Results, {**measure(parts, list(models), splits), "settings": settings})
            files = [file for name in parts for split in splits for file in parts[name][split]]
            write_all(out, work, files, results, options.pages)
        remove_work(out / UNFINISHED)
    return results


def check_names(models: dict[str, str], dataset: str, splits: Sequence[str]) -> None:
    """Refuse ambiguous names, and names that cannot be written to a file.

    Raises:
        UsageError: a split is named twice, a model is named as a baseline is, or a name is not UTF-8.
    """
    if twice := next((split for split in splits if list(splits).count(split) > 1), None):
        raise UsageError(f"split '{twice}' is named twice; name each split once")
    for name in (*models, *models.values(), dataset, *splits):
        if name.encode(errors="replace").decode() != name:
            raise UsageError(f"the name '{name}' is not UTF-8; rename that file or folder")
    if taken := next((name for name in models if name in BASELINES), None):
        raise UsageError(f"the name '{taken}' is taken by a baseline; give this model another: NAME=MODEL")


def ask(
    dataset: str, splits: Sequence[str], options: Options, decoding: Decoding, steps: Stepwise | None
) -> tuple[Questions, dict[str, Any]]:
    """What every model is asked, checked, and the dataset's part of the settings in results.json.

    Raises:
        AsciiMazeError: a split cannot be loaded, or a row of it cannot be asked.
        UsageError: two splits share rows.
    """
    pinned = pin(dataset, "dataset")
    loaded = load_splits(pinned, splits, COLUMNS)
    rows = {split: limited_first(of_split, options.limit) for split, of_split in loaded.items()}
    known = survey(dataset, rows)
    asked = {
        "dataset": dataset,
        "dataset_revision": revision_of(pinned),
        "dataset_sha256": known.mazes_sha256,
        "asked_sha256": known.asked_sha256,
    }
    return Questions(rows, known.largest, known.styles, decoding, options.max_new_tokens, steps), asked


def settings_of(questions: Questions, options: Options, from_files: list[bool]) -> dict[str, Any]:
    """How the models are asked, for results.json, with the versions of packages that can change an answer.

    Args:
        from_files: of each model, whether its answers are in a file; how these were drawn is not known.
    """
    decoding, only_files = questions.decoding, bool(from_files) and all(from_files)
    in_words = f"{decoding}; files of answers as they are" if any(from_files) else str(decoding)
    if only_files:
        in_words = "answers from files" if decoding.samples == 1 else f"{decoding.samples} answers a maze, from files"
    return {
        "splits": {split: count for split, (_, count) in questions.splits.items()},
        "limit": options.limit,
        "decoding": in_words,
        **decoding._asdict(),
        **({"temperature": None, "seed": None} if only_files else {}),
        "chat": options.chat._asdict(),
        **({"stepwise": questions.stepwise._asdict()} if questions.stepwise else {}),
        "versions": {"python": platform.python_version(), **versions()},
    }


def find_respondents(
    models: dict[str, str], questions: Questions, options: Options
) -> tuple[dict[str, str], dict[str, Respondent]]:
    """The location and the respondent of each name; a base is loaded as its adapters were trained, see `match_bases`.

    Raises:
        UsageError: a file of answers in a step-by-step evaluation, or models that cannot be evaluated together.
    """
    settled = {name: settle_name(location) for name, location in models.items()}
    found = {name: find_respondent(location, questions, options) for name, location in settled.items()}
    respondents = match_bases(found, options.unquantised_base)
    return {name: settled.get(name) or one.name for name, one in respondents.items()}, respondents


def find_respondent(location: str, questions: Questions, options: Options) -> Respondent:
    """The file of answers, or the model, pinned and not yet loaded, that a MODEL of the command line names.

    Raises:
        UsageError: a file of answers in a step-by-step evaluation.
    """
    if is_predictions(location):
        if questions.stepwise:
            raise UsageError(f"{location}: a file of answers cannot walk step by step; name a model")
        return open_predictions(Path(location), questions.splits, questions.decoding.samples)
    return find_pinned(location, options.base, options.chat)


def fingerprint_of(respondent: Respondent) -> dict[str, Any]:
    """What identifies a file or a model."""
    if isinstance(respondent, Predictions):
        return {"sha256": respondent.sha256}
    return fingerprint(respondent)


def answer_everything(
    respondents: dict[str, Respondent], questions: Questions, work: Path, on_progress: OnProgress
) -> tuple[dict[str, dict[str, list[Path]]], dict[str, dict]]:
    """Model -> split -> parts; and how each model that is not a baseline was loaded."""
    parts, facts = {}, {}
    for number, (name, respondent) in enumerate(respondents.items()):
        folder = work / f"{number:03}"
        parts[name] = answer_all(name, respondent, questions, folder, on_progress)
        if respondent is not None:
            facts[name] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return parts, facts
