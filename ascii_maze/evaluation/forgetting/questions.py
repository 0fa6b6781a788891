"""What is asked: hard mazes of a dataset, mazes with several shortest walks, and walks by habit.

All but the first are the same for all datasets whose mazes have the same sizes; none is of a training split.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from dataset_builder.load import load_splits

from ...errors import AsciiMazeError
from ...mazes import kernels
from ...mazes.generators import MazeBatch, mazes_at
from ...mazes.heuristics import solved_by
from ...mazes.prompts import Message, PromptStyle, format_answer, prompt_messages, style_of
from ...mazes.splits import marks_of, split_of
from ...metrics.path_validity.maze import MOVES, WALL, Maze
from ...tiny.pretraining.walks import habitual_walks

SEED = 20_250_107  # of the mazes that are made here
BLOCK, BLOCKS = 256, 64  # mazes looked at for one with loops: this many at a time, this often
BRAID = 0.5
HABITS = 200  # walks
LETTERS = "UDLR"
BACK = {"U": "D", "D": "U", "L": "R", "R": "L"}
# As the embedded model saw them in its pre-training: cells after which a walker gives up, and moves at most.
PATIENCE, MOST_MOVES = (4, 5), 16


class Asked(NamedTuple):
    """A maze, the prompt for it, and the number of its shortest walks, where that is needed."""

    id: str
    maze: str
    prompt: list[Message]
    walks: int = 1


class Said(NamedTuple):
    """A prompt, a given answer to it, and for each move whether there was a choice, where that is known."""

    prompt: list[Message]
    answer: str
    chosen: tuple[bool, ...] = ()


class Questions(NamedTuple):
    """All questions; `loops` and `habits` are empty if the dataset's mazes have no size in cells."""

    hard: list[Asked]
    loops: list[Asked]
    habits: list[Said]


def find_questions(dataset: str, splits: Sequence[str], limit: int) -> Questions:
    """The first `limit` hard mazes of some splits, a quarter as many mazes with loops, and walks by habit.

    The latter two have the sizes of the hard mazes, equally often.

    Raises:
        AsciiMazeError: a split cannot be loaded, or none of its mazes is hard.
        UsageError: two splits share rows.
    """
    rows = list(hard_rows(dataset, splits, limit))
    if not rows:
        raise AsciiMazeError(
            f"no maze of {', '.join(splits)} of '{dataset}' is hard: a rule that plans nothing walks each by a "
            "shortest path; name other splits, or build a dataset with `difficulty` in its config, as `hard` has it"
        )
    hard = [Asked(row["id"], row["maze"], row["prompt"]) for row in rows]
    sizes = sorted({(row["width"], row["height"]) for row in rows if row.get("width") and row.get("height")})
    if not sizes:
        return Questions(hard, [], [])
    style = style_of(rows[0]["prompt"])
    loops = zip(sizes, even_shares(max(1, limit // 4), len(sizes)))
    walks = zip(sizes, even_shares(HABITS, len(sizes)))
    return Questions(
        hard,
        [one for size, count in loops for one in mazes_with_loops(*size, count, style)],
        [one for size, count in walks for one in habits(*size, count, style)],
    )


def even_shares(total: int, parts: int) -> list[int]:
    """A total in parts that differ by one at most, the larger ones first."""
    return [total // parts + (part < total % parts) for part in range(parts)]


def hard_rows(dataset: str, splits: Sequence[str], limit: int) -> Iterator[dict[str, Any]]:
    """Rows of mazes that no rule walks by a shortest path, the first `limit` in the order of the splits."""
    found = 0
    for rows in load_splits(dataset, splits, ("id", "prompt", "maze")).values():
        for row in rows:
            rules = row.get("solved_by")
            if found < limit and (not solved_by(Maze.from_ascii(row["maze"])) if rules is None else rules == ""):
                found += 1
                yield row


def held_out(width: int, height: int, start: int, braid: float = 0.0) -> tuple[MazeBatch, np.ndarray]:
    """Mazes of test layouts from one block of a sequence that no dataset uses, and their indices in it."""
    indices = np.arange(start, start + BLOCK)
    mazes = mazes_at("depth_first", width, height, indices, SEED, braid)
    kept = np.array([split_of(int(mark), "layout") == "test" for mark in marks_of(mazes.open, mazes.ends, "layout")])
    return MazeBatch(mazes.open[kept], mazes.ends[kept]), indices[kept]


def mazes_with_loops(width: int, height: int, limit: int, style: PromptStyle) -> list[Asked]:
    """At most `limit` mazes with two shortest walks or more."""
    found: list[Asked] = []
    for block in range(BLOCKS):
        mazes, indices = held_out(width, height, block * BLOCK, BRAID)
        for maze, index in zip(mazes, indices.tolist()):
            if len(found) < limit and (walks := shortest_walks(maze)) > 1:
                found.append(Asked(f"loops-{width}x{height}-{index}", str(maze), prompt_messages(maze, style), walks))
        if len(found) == limit:
            break
    return found


def shortest_walks(maze: Maze) -> int:
    """How many shortest walks there are from S to G; 0 where there is none."""
    left, walks = maze.distances, {maze.goal: 1}
    for here in sorted(left, key=left.__getitem__)[1:]:
        onward = ((here[0] + down, here[1] + right) for down, right in MOVES.values())
        walks[here] = sum(walks[there] for there in onward if left.get(there) == left[here] - 1)
    return walks.get(maze.start, 0)


def habits(width: int, height: int, limit: int, style: PromptStyle) -> list[Said]:
    """At most `limit` walks by the embedded model's habit: straight on, else right, left or back, giving up early."""
    said: list[Said] = []
    for block in range(BLOCKS):
        mazes, indices = held_out(width, height, block * BLOCK)
        keys = kernels.item_keys(SEED, "habit", width, height, indices)
        moves, _ = habitual_walks(mazes.open, mazes.ends, keys, MOST_MOVES, 0.0, *PATIENCE)
        for maze, walk in zip(mazes, moves):
            letters = "".join(LETTERS[move] for move in walk if move >= 0)
            answer = format_answer(letters, style, maze.start)
            said.append(Said(prompt_messages(maze, style), answer, tuple(are_choices(maze, letters))))
        if len(said) >= limit:
            break
    return said[:limit]


def are_choices(maze: Maze, walk: str) -> Iterator[bool]:
    """For each move of a legal walk, whether there were two ways or more, not counting the way back."""
    (row, column), before = maze.start, ""
    for move in walk:
        ways = [way for way, (down, right) in MOVES.items() if maze.rows[row + down][column + right] != WALL]
        yield len([way for way in ways if way != BACK.get(before)]) > 1
        row, column, before = row + MOVES[move][0], column + MOVES[move][1], move
