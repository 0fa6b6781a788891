"""Measures what each model has lost compared with the model that it started from.

measure_forgetting({"base": "tiny", "sft": "outputs/tiny/sft"}, {}, "hard", ["test"], Path("forgetting"))

Each model answers `limit` hard mazes and a quarter as many with loops, `samples` times each at temperature 1, which is
nearly all of the cost. Answers and figures are kept in parts, and an interrupted run resumes after the last.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, cast

from ...errors import UsageError
from ...files import UNFINISHED, is_ours, output_folder, read_json, replacing, write_text
from ...metrics.path_validity.scoring import score_path
from ...models.loading import load_source
from ...models.pins import find_pinned, fingerprint, pin
from ...models.sources import Source, find_on, is_base_of, match_bases
from ...packages import versions
from ...terminal import OnProgress
from ..output import remove_work, work_folder
from ..run import check_names
from .asking import PART, TEMPERATURE, Answers, Loaded, ask, once
from .figures import apart, divergence_of, loop_walks_of, pass_at_of, said_before
from .questions import Questions, find_questions
from .schema import (
    ANSWERS,
    DIVERGENCES,
    NAME,
    AskedSettings,
    Forgetting,
    ModelForgetting,
    Settings,
    write_forgetting,
)

COMPARED = 4  # answers per hard maze that are used to compare models with their starts


@dataclass(frozen=True)
class Options:
    """How much is asked.

    Attributes:
        limit: most hard mazes.
        samples: answers to each maze.
        seed: of the samples.
        batch_size: answers generated at once.
    """

    limit: int = 100
    samples: int = 64
    seed: int = 0
    batch_size: int = 64


DEFAULTS = Options()


def measure_forgetting(
    models: Mapping[str, str],
    starts: Mapping[str, str],
    dataset: str,
    splits: Sequence[str],
    out: Path,
    options: Options = DEFAULTS,
    on_progress: OnProgress | None = None,
) -> Forgetting:
    """Measure every model; write forgetting.json, answers.parquet and divergences.parquet.

    Args:
        models: name -> folder, Hub id or `tiny`; the first is the base.
        starts: name -> the model among these that it started from; by default the base.
        splits: whose hard mazes are asked, in this order.
        on_progress: called with what is being done, steps done and steps in all.

    Raises:
        UsageError: a start that is none of the models, a base as a fine-tune of its adapter, too few samples, or `out`
            holds something else.
        AsciiMazeError: a model or the dataset cannot be loaded, or another process writes to `out`.
    """
    check_names(dict(models), dataset, splits)
    base = next(iter(models))
    whole = {name: starts.get(name, base) for name in models if name != base}
    check_starts(whole, starts, models, options.samples)
    on_progress = on_progress or (lambda name, done, total: None)
    with output_folder(out, kind="measurement of forgetting"):
        check_ours(out)
        questions = find_questions(pin(dataset, "dataset"), splits, options.limit)
        found = {name: find_on(models[base], partial(find_pinned, at)) for name, at in models.items()}
        sources = cast(dict[str, Source], match_bases(found, False))
        check_order(whole, sources)
        settings: Settings = {
            "models": dict(models),
            "starts": whole,
            "dataset": dataset,
            "splits": list(splits),
            **settings_of(questions, options),
        }
        prints = {name: fingerprint(source) for name, source in sources.items()}
        with output_folder(out / UNFINISHED):
            work = work_folder(out / UNFINISHED, [settings, list(models), prints])
            results = measure_all(sources, whole, questions, settings, work, on_progress)
            write_tables(out, results, questions, work, list(models))
            write_forgetting(out, results)
        remove_work(out / UNFINISHED)
    return results


def settings_of(questions: Questions, options: Options) -> AskedSettings:
    """What is asked and how, for forgetting.json, with the versions of packages that can change an answer."""
    return {
        "asked_sha256": digest_of(questions),
        "hard_mazes": len(questions.hard),
        "loop_mazes": len(questions.loops),
        "samples": options.samples,
        "compared": min(options.samples, COMPARED),
        "temperature": TEMPERATURE,
        "seed": options.seed,
        "batch_size": options.batch_size,
        "versions": versions(),
    }


def check_starts(whole: Mapping[str, str], starts: Mapping[str, str], models: Mapping[str, str], samples: int) -> None:
    """Check that every start is a model that is measured.

    Raises:
        UsageError: one is not, or a model is its own, directly or through others; or there are no samples.
    """
    for name, start in {**starts, **whole}.items():
        if name not in whole or start not in models or name == start:
            raise UsageError(
                f"--start {name}={start}: expected the names of two of the models, the first not the base's"
            )
    try:
        starts_first(whole)
    except CycleError as error:
        raise UsageError(f"--start: {' started from '.join(error.args[1])}; leave one of these out") from error
    if samples < 1:
        raise UsageError(f"--samples is {samples}; expected 1 or more")


def check_order(whole: Mapping[str, str], sources: Mapping[str, Source]) -> None:
    """Check that no base is said to have started from an adapter of it, as where the adapter is named first.

    Raises:
        UsageError: one is.
    """
    for name, start in whole.items():
        if sources[start].adapter is not None and is_base_of(sources[name], sources[start]):
            raise UsageError(
                f"'{name}' is the base of the adapter '{start}', not a fine-tune of it; name the base first"
            )


def starts_first(starts: Mapping[str, str]) -> list[str]:
    """The models in an order in which each comes after its start."""
    return list(TopologicalSorter({name: [start] for name, start in starts.items()}).static_order())


def check_ours(out: Path) -> None:
    """Check that nothing is overwritten that this program did not make.

    Raises:
        UsageError: something would be.
    """
    found = [name for name in (NAME, ANSWERS, DIVERGENCES) if (out / name).exists()]
    if found and not is_ours(out):
        raise UsageError(f"{out / found[0]} was not written by ascii-maze and would be lost; give another --out")


def measure_all(
    sources: Mapping[str, Source],
    starts: Mapping[str, str],
    questions: Questions,
    settings: Settings,
    work: Path,
    on_progress: OnProgress,
) -> Forgetting:
    """The figures of all models, from the parts on disk; missing ones are made."""
    numbers = {name: number for number, name in enumerate(sources)}
    answers: dict[str, Answers] = {}
    models: dict[str, ModelForgetting] = {}
    for name in starts_first(starts) or sources:
        source = sources[name]
        opened = once(lambda source=source: Loaded(*load_source(source)))  # type: ignore[misc]
        folder = work / f"{numbers[name]:03}"
        answers[name] = ask(name, opened, questions, settings, folder, on_progress)
        start = starts.get(name)
        if not (folder / "figures.json").is_file():
            figures: dict[str, Any] = said_before(opened(), questions)
            if start:
                began = Loaded(*load_source(sources[start]))
                figures["divergences"] = apart(opened(), began, questions, answers[name], answers[start], settings)
                del began
            write_text(folder / "figures.json", json.dumps(figures))
        figures = read_json(folder / "figures.json")
        models[name] = ModelForgetting(
            pass_at=pass_at_of(questions.hard, answers[name].hard),
            loops=loop_walks_of(questions.loops, answers[name].loops),
            divergence=divergence_of(start, figures["divergences"]) if start else None,
            habit=figures["habit"],
            plain_text=figures["plain_text"],
            cost=answers[name].cost,
        )
    return {"models": {name: models[name] for name in sources}, "settings": settings}


def digest_of(questions: Questions) -> str:
    """The sha256 of all that is asked."""
    return hashlib.sha256(json.dumps(questions).encode()).hexdigest()


def write_tables(out: Path, results: Forgetting, questions: Questions, work: Path, names: Sequence[str]) -> None:
    """Write all answers, scored, and the divergence of each that was compared, so that every figure can be checked."""
    import pyarrow
    import pyarrow.parquet

    answers: list[dict[str, Any]] = []
    apart: list[dict[str, Any]] = []
    compared = results["settings"]["compared"]
    for number, name in enumerate(names):
        folder = work / f"{number:03}"
        for kind, mazes in (("hard", questions.hard), ("loops", questions.loops)):
            files = [folder / f"{kind}-{start:06}.json" for start in range(0, len(mazes), PART)]
            given = [texts for file in files for texts in read_json(file)["answers"]]
            answers += [
                {"model": name, "kind": kind, "id": one.id, "maze": one.maze, "sample": sample, "completion": text}
                | {rate: getattr(score_path(one.maze, text), rate) for rate in ("optimal", "valid")}
                for one, texts in zip(mazes, given)
                for sample, text in enumerate(texts)
            ]
        for way, found in read_json(folder / "figures.json").get("divergences", {}).items():
            apart += [
                {"model": name, "start": results["settings"]["starts"][name], "way": way}
                | {"id": questions.hard[place // compared].id, "sample": place % compared}
                | {"nats": nats, "tokens": tokens}
                for place, (nats, tokens) in enumerate(found)
            ]
    for file, rows in ((ANSWERS, answers), (DIVERGENCES, apart)):
        with replacing(out / file) as temporary:
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), temporary, compression="zstd")
