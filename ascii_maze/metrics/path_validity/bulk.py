"""Batched `score_path` with NumPy, several times as fast.

The common case, small maps of one shape in the style `hash` with answers in letters, is scored in chunks of a few
thousand: all walks advance in step, and one search over all maps at once gives every place's distance to the goal.
Everything else, from arrows and large maps to text that is not a maze, goes to `score_path` one by one.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from .lenient import score_lenient
from .maze import LARGE, MOVES, NOWHERE, MazeError
from .scoring import FIELDS, PathScore, score_path

CHUNK = 2048  # so many maps fit into the cache of a core
SEARCHED = 2**30  # maps times places squared: most bits of a search; winding paths fill half of them
LONGEST = 1000  # moves; longer answers are scored one by one, so as not to delay the rest

Columns = dict[str, np.ndarray]

_SEPARATORS = b" \n\r\t,"
_OTHER = len(MOVES)
_LETTERS = np.full(256, _OTHER, np.uint8)
_LETTERS[[ord(move) for move in MOVES]] = range(len(MOVES))
_MAP = np.zeros(256, bool)
_MAP[[ord(symbol) for symbol in "# SG"]] = True
_shared = lru_cache(maxsize=4096)(PathScore)


def score_paths(mazes: Sequence[str], completions: Sequence[str]) -> list[PathScore]:
    """`score_path` of each maze and completion.

    Raises:
        MazeError: a text is not a maze; the error has its index.
    """
    return [_shared(*row) for row in rows_of(score_columns(mazes, completions))]


def rows_of(columns: Columns) -> Iterator[tuple]:
    """The fields of each score, in order."""
    excess = [None if moves == NOWHERE else moves for moves in columns["excess_moves"].tolist()]
    return zip(*(excess if name == "excess_moves" else columns[name].tolist() for name in FIELDS))


def score_columns(mazes: Sequence[str], completions: Sequence[str]) -> Columns:
    """The fields of `PathScore` as arrays (n,) of bool, int64 or float64; `excess_moves` is -1 where it is None.

    Raises:
        MazeError: a text is not a maze; the error has its index.
    """
    columns = {
        name: np.zeros(len(mazes), {"bool": bool, "float": np.float64}.get(getattr(kind, "__name__", ""), np.int64))
        for name, kind in PathScore.__annotations__.items()
    }
    columns["excess_moves"] -= 1
    shapes: dict[tuple[int, int], list[int]] = defaultdict(list)
    single = []
    for index, (text, completion) in enumerate(zip(mazes, completions)):
        if type(text) is type(completion) is str:
            shapes[len(text) + 1, text.find("\n") + 1 or len(text) + 1].append(index)
        else:
            single.append(index)
    for (size, width), members in shapes.items():
        many = 1 if size > LARGE else min(CHUNK, SEARCHED // size**2 // 8 * 8)
        for start in range(0, len(members), many):
            chunk = np.array(members[start : start + many])
            known = np.zeros(len(chunk), bool)
            if size % width == 0 and size <= LARGE:
                known, found = _score_chunk([mazes[i] for i in chunk], [completions[i] for i in chunk], size, width)
                for name in FIELDS:
                    columns[name][chunk[known]] = found[name]
            single += chunk[~known].tolist()
    for index in sorted(single):
        try:
            score = score_path(mazes[index], completions[index])
        except MazeError as error:
            error.index = index
            raise
        for name, value in score.to_dict().items():
            columns[name][index] = NOWHERE if value is None else value
    return columns


def lenient_columns(mazes: Sequence[str], completions: Sequence[object], strict: Columns) -> Columns:
    """The fields of `Lenient` as bool (n,): the result of `score_lenient` for each maze and completion.

    Args:
        strict: the result of `score_columns`; only answers that it could not parse are read again.
    """
    columns = {"parsed_lenient": strict["parsed"].copy(), "valid_lenient": strict["valid"].copy()}
    for index in np.flatnonzero(~strict["parsed"]).tolist():
        for name, value in score_lenient(mazes[index], completions[index])._asdict().items():
            columns[name][index] = value
    return columns


def _score_chunk(mazes: list[str], completions: list[str], size: int, width: int) -> tuple[np.ndarray, Columns]:
    """Which answers could be scored here, and the columns for these.

    Args:
        size: characters of each maze, with a line break after every row.
        width: characters of a row, with its line break.
    """
    numbers = {text: number for number, text in enumerate(dict.fromkeys(mazes))}
    which = np.array([numbers[text] for text in mazes])
    whole, codes = _read_maps(list(numbers), size, width)
    letters, firsts, lengths = _read_moves(completions)
    known = whole[which] & (lengths <= LONGEST) & (lengths >= 0)
    # Places are those of `Maze.ground`: a row of walls before the map and one after it.
    start, goal = (width + (codes == ord(end)).argmax(axis=1) for end in "SG")
    wall = np.ones((len(codes), size + 2 * width), bool)
    wall[:, width:-width] = (codes == ord("#")) | (codes == ord("\n"))
    order = np.flatnonzero(known)
    order = order[np.argsort(-lengths[order], kind="stable")]  # the walks still active then come first
    mine, count = which[order], lengths[order]
    steps = np.array([down * width + right for down, right in MOVES.values()])
    here, stopped, prefix, hits, again = _walk(letters, firsts[order], count, steps, wall, mine, start[mine])
    rings = _flood(~wall, goal, width)
    shortest = _distance(rings, np.arange(len(codes)), start)[mine]
    left = _distance(rings, mine, stopped)
    parsed, legal, arrives = count > 0, (hits == 0) & (count > 0), here == goal[mine]
    valid = legal & arrives
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(parsed, prefix / count, 0.0)
    found = {
        "parsed": parsed,
        "legal": legal,
        "reaches_goal": arrives & parsed,
        "valid": valid,
        "optimal": valid & (count == shortest),
        "excess_moves": np.where(valid, count - shortest, NOWHERE),
        "legal_prefix": share,
        "progress": np.where(parsed & (shortest > 0), np.maximum(0.0, 1 - left / shortest), 0.0),
        "wall_hits": hits,
        "revisits": again,
    }
    back = np.argsort(order)
    return known, {name: column[back] for name, column in found.items()}


def _read_maps(texts: list[str], size: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Which texts are mazes in the style `hash`, bool (n,), and their characters, uint8 (n, size)."""
    joined = "\n".join([*texts, ""]).encode("ascii", "replace")
    codes = np.frombuffer(joined, np.uint8).reshape(-1, size)
    rows = codes.reshape(len(texts), -1, width)
    whole = _MAP[rows[:, :, :-1]].all(axis=(1, 2)) & (rows[:, :, -1] == ord("\n")).all(axis=1)
    for end in "SG":
        whole &= np.count_nonzero(codes == ord(end), axis=1) == 1
    return whole, codes


def _read_moves(completions: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All letters, concatenated, as indices into `MOVES`; each answer's offset and length, -1 for other text."""
    joined = "\0".join([*completions, ""]).encode("ascii", "replace").translate(None, _SEPARATORS)
    codes = np.frombuffer(joined, np.uint8)
    ends = np.flatnonzero(codes == 0)
    if len(ends) != len(completions):  # an answer contains the separator
        return codes, np.zeros(len(completions), np.int64), np.full(len(completions), NOWHERE)
    firsts = np.concatenate([[0], ends[:-1] + 1])
    letters = _LETTERS[codes]
    lengths = ends - firsts
    others = np.flatnonzero((letters == _OTHER) & (codes != 0))
    lengths[np.searchsorted(ends, others)] = NOWHERE
    return letters, firsts, lengths


def _walk(letters, firsts, lengths, steps, wall, maps, starts) -> tuple[np.ndarray, ...]:
    """Advance all walks in step, longest first; a blocked move leaves the walker where it is.

    Returns:
        int (n,) each: where the walk ends, where its legal prefix ends, that prefix's moves, moves against walls, and
        steps onto places visited before.
    """
    here, stopped, prefix = starts.copy(), starts.copy(), lengths.copy()
    hits, again = np.zeros_like(lengths), np.zeros_like(lengths)
    seen = np.zeros((len(lengths), wall.shape[1]), bool)
    rows, blocked_at, seen_at = np.arange(len(lengths)), wall.ravel(), seen.ravel()
    map_bases, seen_bases = maps * wall.shape[1], rows * wall.shape[1]
    seen_at[seen_bases + here] = True
    walking = len(lengths) - np.searchsorted(lengths[::-1], np.arange(lengths[0] if len(lengths) else 0), "right")
    for move, still in enumerate(walking.tolist()):
        there = here[:still] + steps[letters[firsts[:still] + move]]
        blocked = blocked_at[map_bases[:still] + there]
        if blocked.any():
            first = np.flatnonzero(blocked & (hits[:still] == 0))
            prefix[first], stopped[first] = move, here[first]
            hits[:still] += blocked
            there = np.where(blocked, here[:still], there)
        places = seen_bases[:still] + there
        again[:still] += seen_at[places] & ~blocked
        seen_at[places] = True
        here[:still] = there
    unhurt = hits == 0
    stopped[unhurt] = here[unhurt]
    return here, stopped, prefix, hits, again


def _flood(ground: np.ndarray, goals: np.ndarray, width: int) -> np.ndarray:
    """Breadth-first search from every goal at once, eight maps per byte, so that a step takes few machine words.

    Args:
        ground: bool (maps, places), true for open ground.

    Returns:
        uint8 (moves, places, bytes): the frontier after each number of moves, one bit per map.
    """
    source = np.zeros_like(ground)
    source[np.arange(len(goals)), goals] = True
    ring, unvisited = (np.packbits(bits.T, axis=1) for bits in (source, ground & ~source))
    rings = [ring]
    while True:
        near = np.zeros_like(ring)
        near[1:] = ring[:-1]
        near[:-1] |= ring[1:]
        near[width:] |= ring[:-width]
        near[:-width] |= ring[width:]
        ring = near & unvisited
        if not ring.any():
            return np.stack(rings)
        unvisited ^= ring
        rings.append(ring)


def _distance(rings: np.ndarray, maps: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Moves from places to the goals of their maps, int (n,); -1: no path."""
    reached = rings[:, places, maps >> 3] & (128 >> (maps & 7)).astype(np.uint8)
    moves = (reached != 0).argmax(axis=0)
    return np.where(reached[moves, np.arange(len(places))] != 0, moves, NOWHERE)
