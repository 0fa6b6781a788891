"""Measures what each model has lost compared with the model that it started from.

measure_forgetting({"base": "tiny", "sft": "outputs/tiny/sft"}, {}, "hard", ["test"], Path("forgetting"))

Each model answers `limit` hard mazes and a quarter as many with loops, `samples` times each at temperature 1, which is
nearly all of the cost. Answers and figures are kept in parts, and an interrupted run resumes after the last.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from ...errors import UsageError
from ...files import UNFINISHED, is_ours, output_folder, read_json, replacing, sha256_of, write_text
from ...metrics.path_validity.maze import Maze
from ...metrics.path_validity.scoring import parse_moves, score_path
from ...models.generation import Decoding, answer_mazes, tokens_read
from ...models.loading import load_source
from ...models.pins import find_pinned, fingerprint, pin
from ...models.plain_text import TEXTS, encode_texts, perplexity
from ...models.sources import Source, match_bases
from ...packages import versions
from ...terminal import OnProgress
from ..output import remove_work, work_folder
from ..run import check_names
from ..statistics import pass_at
from .divergence import divergences, most_likely
from .questions import Asked, Questions, Said, find_questions
from .schema import (
    ANSWERS,
    DIVERGENCES,
    NAME,
    AskedSettings,
    AskingCost,
    Divergence,
    Forgetting,
    Habit,
    LoopWalks,
    ModelForgetting,
    PassAt,
    PlainText,
    Settings,
    write_forgetting,
)

TEMPERATURE = 1.0
PART = 16  # mazes
COMPARED = 4  # answers per hard maze that are used to compare models with their starts


class Loaded(NamedTuple):
    """A model and its tokenizer."""

    model: Any
    tokenizer: Any


class Answers(NamedTuple):
    """What one model has answered to hard mazes and to those with loops: the samples of each."""

    hard: list[list[str]]
    loops: list[list[str]]
    cost: AskingCost


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
        UsageError: a start that is none of the models, too few samples, or `out` holds something else.
        AsciiMazeError: a model or the dataset cannot be loaded, or another process writes to `out`.
    """
    check_names(dict(models), dataset, splits)
    base = next(iter(models))
    whole = {name: starts.get(name, base) for name in models if name != base}
    check_starts(whole, starts, models, options.samples)
    on_progress = on_progress or (lambda name, done, total: None)
    with output_folder(out):
        check_ours(out)
        questions = find_questions(pin(dataset, "dataset"), splits, options.limit)
        sources = cast(dict[str, Source], match_bases({name: find_pinned(at) for name, at in models.items()}, False))
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


def once(make: Callable[[], Loaded]) -> Callable[[], Loaded]:
    """A model that is loaded at its first use."""
    made: list[Loaded] = []

    def opened() -> Loaded:
        if not made:
            made.append(make())
        return made[0]

    return opened


def ask(
    name: str,
    opened: Callable[[], Loaded],
    questions: Questions,
    settings: Settings,
    folder: Path,
    on_progress: OnProgress,
) -> Answers:
    """A model's answers to all mazes; those already in the parts are not sampled again."""
    cost = AskingCost(answers=0, tokens=0, seconds=0.0)
    total, done = len(questions.hard) + len(questions.loops), 0
    found: dict[str, list[list[str]]] = {"hard": [], "loops": []}
    for kind, mazes in (("hard", questions.hard), ("loops", questions.loops)):
        for start in range(0, len(mazes), PART):
            file = folder / f"{kind}-{start:06}.json"
            chunk = mazes[start : start + PART]
            if not file.is_file():
                write_text(file, json.dumps(asked_now(opened(), chunk, f"{kind}/{start}", settings)))
            part = read_json(file)
            found[kind] += part["answers"]
            cost["answers"] += settings["samples"] * len(chunk)
            cost["tokens"] += part["tokens"]
            cost["seconds"] = round(cost["seconds"] + part["seconds"], 3)
            done += len(chunk)
            on_progress(name, done, total)
    return Answers(found["hard"], found["loops"], cost)


def asked_now(loaded: Loaded, mazes: Sequence[Asked], place: str, settings: Settings) -> dict[str, Any]:
    """Sampled answers to some mazes, and the cost of sampling them."""
    began = time.monotonic()
    rows = [{"prompt": one.prompt, "maze": one.maze} for one in mazes]
    decoding = Decoding(settings["samples"], TEMPERATURE, settings["seed"], settings["batch_size"])
    answers = answer_mazes(*loaded, rows, decoding.for_part(place))
    tokens = tokens_read(loaded.tokenizer, [one.prompt for one in mazes], answers)
    return {"answers": answers, "tokens": tokens, "seconds": round(time.monotonic() - began, 3)}


def said_before(loaded: Loaded, questions: Questions) -> dict[str, Any]:
    """Perplexity of a plain text; for a tokenizer without words, agreement with walks by the old habit instead."""
    habit: Habit | None = None
    plain: PlainText | None = None
    if texts := encode_texts(loaded.tokenizer):
        tokens = sum(len(text) - 1 for text in texts)
        plain = PlainText(tokens=tokens, perplexity=perplexity(loaded.model, texts), sha256=sha256_of(TEXTS))
    elif questions.habits:
        moves, right = most_likely(*loaded, questions.habits)
        habit = Habit(moves=moves, right=right)
    return {"plain_text": plain, "habit": habit}


def apart(
    mine: Loaded, start: Loaded, questions: Questions, answers: Answers, of_start: Answers, settings: Settings
) -> dict[str, list[tuple[float, int]]]:
    """The divergences of a model and its start: on the start's answers, `forward`, and on its own, `reverse`."""

    def said(given: Sequence[Sequence[str]]) -> list[Said]:
        compared = settings["compared"]
        return [Said(one.prompt, text) for one, texts in zip(questions.hard, given) for text in texts[:compared]]

    return {
        "forward": divergences(start.model, mine.model, mine.tokenizer, said(of_start.hard)),
        "reverse": divergences(mine.model, start.model, mine.tokenizer, said(answers.hard)),
    }


def pass_at_of(mazes: Sequence[Asked], answers: Sequence[Sequence[str]]) -> PassAt:
    """How often one of k answers is right; see `evaluation.statistics.pass_at`."""
    scores = [[score_path(one.maze, text) for text in texts] for one, texts in zip(mazes, answers)]
    optimal, valid = (
        np.array([[getattr(score, rate) for score in of_maze] for of_maze in scores]) for rate in ("optimal", "valid")
    )
    return {"mazes": len(mazes), "optimal": pass_at(optimal), "valid": pass_at(valid)}


def loop_walks_of(mazes: Sequence[Asked], answers: Sequence[Sequence[str]]) -> LoopWalks | None:
    """How many different shortest walks are among the answers; None without mazes that have several."""
    if not mazes:
        return None
    found = [len(walks_found(one.maze, texts)) for one, texts in zip(mazes, answers)]
    most = [min(one.walks, len(texts)) for one, texts in zip(mazes, answers)]
    return {
        "mazes": len(mazes),
        "there": float(np.mean([one.walks for one in mazes])),
        "found": float(np.mean(found)),
        "share": float(np.mean(np.array(found) / np.array(most))),
    }


def walks_found(maze: str, answers: Sequence[str]) -> set[str]:
    """The different shortest walks among some answers, in letters."""
    start = Maze.from_ascii(maze).start
    return {str(parse_moves(text, start)) for text in answers if score_path(maze, text).optimal}


def divergence_of(start: str, found: Mapping[str, Sequence]) -> Divergence:
    """Mean divergences of a model and its start, in nats per answer."""
    forward, reverse = (float(np.mean([nats for nats, _ in found[way]])) for way in ("forward", "reverse"))
    return {"start": start, "answers": len(found["reverse"]), "forward": forward, "reverse": reverse}


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
