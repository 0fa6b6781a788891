"""The rows of every config, as Arrow tables made from whole arrays: no Python object per row.

The tables of all configs share the mazes' facts. Chat messages are lists of {role, content}, as TRL takes them.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow
import pyarrow.compute

from ascii_maze.errors import AsciiMazeError
from ascii_maze.mazes import kernels
from ascii_maze.mazes.generators import MazeBatch, mazes_at
from ascii_maze.mazes.planning import decisions_along, rule_names, rules_of
from ascii_maze.mazes.prompts import MOVE_NAMES, PLAIN, PromptStyle, format_answer
from ascii_maze.mazes.rejected import KINDS, reject
from ascii_maze.metrics.path_validity.maze import Facts, MazeError

from .choose import Chosen
from .config import BuildConfig, Kind
from .reasoned import OTHERS, answers, others_of, search, think
from .schema import STEPS
from .styled import draw, show, texts
from .walked import walked

FACTS = ("id", "maze", "solution", "generator", "width", "height", *Facts._fields)
# Additional facts of datasets that are split by layout; those split by maze keep the bytes of older releases.
PLANNING_FACTS = ("solved_by", "decisions", "against_greedy")


def facts_of(config: BuildConfig) -> tuple[str, ...]:
    """The columns that every config of a dataset has."""
    return (*FACTS, *PLANNING_FACTS) if config.split_by == "layout" else FACTS


def tables(config: BuildConfig, kinds: list[Kind], chosen: Chosen) -> Iterator[tuple[str, pyarrow.Table]]:
    """The table of every config for some mazes, in the order of `chosen`, one after the other."""
    groups, places = [], []
    for number, kind in enumerate(kinds):
        here = np.flatnonzero(chosen.kinds == number)
        if len(here):
            groups.append(_columns(config, kind, chosen.indices[here], chosen.fingerprints[here]))
            places.append(here)
    whole = pyarrow.concat_tables(groups).take(np.argsort(np.concatenate(places))).combine_chunks()
    column = {name: whole[name].chunk(0) for name in whole.column_names}
    facts = {name: column[name] for name in facts_of(config)}
    rules = pyarrow.array([style.system_prompt for style in config.prompt_styles])
    rules = rules.take(column["style"]) if len(rules) > 1 else rules
    prompt = _messages(("system", "user"), (rules, column["prompt"]))
    answers = _with_thoughts(config, column)
    right, wrong = (_messages(("assistant",), (answer,)) for answer in answers)
    yield "mazes", pyarrow.table(facts)
    yield "sft", pyarrow.table({"prompt": prompt, "completion": right, **facts})
    pairs = {"prompt": prompt, "chosen": right, "rejected": wrong, "rejected_kind": column["rejected_kind"]}
    yield "preference", pyarrow.table({**pairs, **facts})
    yield "prompts", pyarrow.table({"prompt": prompt, **facts})
    if config.steps:
        names = [list(config.steps)[number] for number in column["walk"].to_pylist()]
        walks = walked(column["maze"].to_pylist(), names, column["walk_key"].to_pylist(), config.turns)
        yield STEPS, pyarrow.table({**walks, **facts})


def _columns(config: BuildConfig, kind: Kind, indices: np.ndarray, fingerprints: np.ndarray) -> pyarrow.Table:
    """Facts, prompt and answers of mazes of one kind, in the order of their indices."""
    style = config.prompt_styles[0]  # the answer does not depend on the maze style
    mazes = mazes_at(kind.generator, kind.width, kind.height, indices, config.seed, kind.braid, kind.endpoints)
    letters, offsets = kernels.solve(mazes.open, mazes.ends)
    maze = _fixed_width(kernels.render(mazes.open, mazes.ends))
    solution = _answers(letters, offsets, mazes, PLAIN)
    # The fault of a rejected answer depends on the maze alone, not on its position in the dataset.
    keys = kernels.item_keys(config.seed, "rejected", kind.width, kind.height, fingerprints)
    worse, worse_offsets, kinds = reject(mazes, letters, offsets, keys, config.rejected)
    count, shown = len(indices), draw(config.shown, "maze style", config.seed, kind, fingerprints)
    reasons = draw(config.reasoning, "reasoning", config.seed, kind, fingerprints)
    columns = {
        "id": _fixed_width(_hexadecimal(fingerprints)),
        "maze": maze,
        "solution": solution,
        "generator": pyarrow.repeat(kind.generator, count),
        "width": pyarrow.repeat(pyarrow.scalar(kind.width, pyarrow.int32()), count),
        "height": pyarrow.repeat(pyarrow.scalar(kind.height, pyarrow.int32()), count),
        **dict(zip(Facts._fields, map(pyarrow.array, kernels.facts(mazes.open, letters, offsets).T))),
        **(_planning(mazes, letters, offsets) if config.split_by == "layout" else {}),
        "prompt": maze if list(config.shown) == ["hash"] else _shown(config, kind, mazes, shown),
        "style": pyarrow.array(shown * len(config.reasoning) + reasons),
        **_thoughts(config, mazes, letters, offsets, reasons),
        "answer": solution if style.answer == "letters" else _answers(letters, offsets, mazes, style),
        "rejected": _answers(worse, worse_offsets, mazes, style),
        "rejected_kind": pyarrow.array(list(KINDS)).take(pyarrow.array(kinds)),
    }
    if config.steps:
        columns["walk"] = pyarrow.array(draw(config.steps, "steps", config.seed, kind, fingerprints))
        keys = kernels.item_keys(config.seed, "walk", kind.width, kind.height, fingerprints)
        columns["walk_key"] = pyarrow.array(keys)
    return pyarrow.table(columns)


def _planning(mazes: MazeBatch, letters: np.ndarray, offsets: np.ndarray) -> dict[str, pyarrow.Array]:
    """`PLANNING_FACTS`: which rules solve each maze, and the decisions on its shortest path."""
    rules = pyarrow.array(rule_names()).take(pyarrow.array(rules_of(mazes.open, mazes.ends)))
    decisions, against = decisions_along(mazes.open, mazes.ends, letters, offsets).T
    return dict(zip(PLANNING_FACTS, (rules, pyarrow.array(decisions), pyarrow.array(against))))


def _thoughts(config: BuildConfig, mazes: MazeBatch, letters, offsets, reasons) -> dict[str, pyarrow.Array]:
    """The thoughts of the rows, if the config has any; with `corrupt` also the searches that other rows take over."""
    columns = {}
    if list(config.reasoning) != ["none"]:
        columns["thought"] = think(mazes, letters, offsets, list(config.reasoning), reasons)
    if OTHERS in config.reasoning:
        columns["search"] = search(mazes)
    return columns


def _with_thoughts(config: BuildConfig, column: dict[str, pyarrow.Array]) -> list[pyarrow.Array]:
    """Right and wrong answers of every row, after the same thought, so that they differ in the path alone."""
    paths = [column["answer"], column["rejected"]]
    if "thought" not in column:
        return paths
    names = np.array(list(config.reasoning))[column["style"].to_numpy() % len(config.reasoning)]
    thought = column["thought"]
    if OTHERS in config.reasoning:
        others = others_of(column["width"].to_numpy(), column["height"].to_numpy())
        thought = pyarrow.compute.if_else(pyarrow.array(names == OTHERS), column["search"].take(others), thought)
    return [answers(path, thought, names != "none") for path in paths]


def _messages(roles: tuple[str, ...], contents: tuple[pyarrow.Array, ...]) -> pyarrow.ListArray:
    """One list of messages per row; a content of length 1 is the same text in every row."""
    count, size = max(map(len, contents)), len(roles)
    starts = np.cumsum([0, *map(len, contents)])
    # Indices into the concatenated texts, row by row.
    order = [start + np.minimum(np.arange(count), len(content) - 1) for start, content in zip(starts, contents)]
    content = pyarrow.concat_arrays(contents).take(pyarrow.array(np.stack(order, axis=1).ravel()))
    role = pyarrow.array(roles).take(pyarrow.array(np.tile(np.arange(size), count)))
    message = pyarrow.StructArray.from_arrays([role, content], ["role", "content"])
    return pyarrow.ListArray.from_arrays(pyarrow.array(np.arange(count + 1, dtype=np.int32) * size), message)


def _fixed_width(codes: np.ndarray) -> pyarrow.StringArray:
    """Strings of one length from uint8 (n, length)."""
    count, length = codes.shape
    return texts(codes, np.arange(count + 1) * length)


def _hexadecimal(fingerprints: np.ndarray) -> np.ndarray:
    """The 16 hexadecimal digits of each of uint64 (n,), as ASCII codes, uint8 (n, 16)."""
    octets = fingerprints.astype(">u8").view(np.uint8).reshape(-1, 8)
    digits = np.stack([octets >> 4, octets & 15], axis=2).reshape(-1, 16)
    return np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[digits]


def _answers(letters: np.ndarray, offsets: np.ndarray, mazes: MazeBatch, style: PromptStyle) -> pyarrow.StringArray:
    """Concatenated moves as answers in a style; an answer that is not moves is left unchanged."""
    if style.answer == "coordinates":
        text, columns = letters.tobytes().decode("ascii"), mazes.open.shape[2]
        paths = [text[start:end] for start, end in pairwise(offsets.tolist())]
        starts = [divmod(start, columns) for start in mazes.ends[:, 0].tolist()]
        return pyarrow.array(
            [path if path.strip("UDLR") else format_answer(path, style, start) for path, start in zip(paths, starts)],
            pyarrow.string(),
        )
    names = [name.encode() for name in MOVE_NAMES[style.answer, style.language]]
    table = np.frombuffer(b"".join(names), dtype=np.uint8)
    return texts(*kernels.spell(letters, offsets, table, np.cumsum([0, *map(len, names)])))


def _shown(config: BuildConfig, kind: Kind, mazes: MazeBatch, drawn: np.ndarray) -> pyarrow.StringArray:
    try:
        return show(mazes, list(config.shown), drawn)
    except MazeError as error:
        raise AsciiMazeError(f"{kind}: {error}; leave out the style or '{kind.generator}'") from error
