"""One maze from inside: each layer's next move at every step, where heads attend, what probes read on the map."""

from collections.abc import Sequence
from contextlib import contextmanager

import numpy as np

from ..errors import UsageError
from ..mazes.heuristics import are_decisions
from ..metrics.path_validity.maze import MOVES, WALL, Maze
from .activations import Activations
from .labels import cell_labels
from .lens import read_out
from .models import Models, watching
from .places import fit_places, place_labels
from .positions import TokenisedWalk, locate_walks, map_tokens, move_tokens
from .schema.causes import Components
from .schema.maze import HeadView, OneMaze

# Heads whose attention is shown, and layers that are.
HEADS, LAYERS = 3, 6


def choose_maze(rows: Sequence[dict], solved: dict[str, np.ndarray], wanted: str | None) -> dict:
    """The maze that is shown: the one asked for, or the longest of those on which the models differ, or of all.

    Args:
        solved: model -> bool (n,), of its own answers.
        wanted: an id.

    Raises:
        UsageError: there is no maze of that id.
    """
    if wanted is not None:
        return find_maze(rows, wanted)
    table = np.array(list(solved.values()))
    differ = np.flatnonzero((table != table[0]).any(axis=0)).tolist()
    return rows[max(differ or range(len(rows)), key=lambda index: len(rows[index]["solution"]))]


def find_maze(rows: Sequence[dict], wanted: str) -> dict:
    """The row with an id.

    Raises:
        UsageError: there is none.
    """
    found = next((row for row in rows if row.get("id") == wanted), None)
    if found is None:
        some = ", ".join(str(row.get("id")) for row in rows[:3])
        raise UsageError(f"--maze {wanted}: none of the {len(rows)} mazes that are read has that id; there are {some}")
    return found


def look_at(
    models: Models,
    names: Sequence[str],
    row: dict,
    rows: Sequence[dict],
    walks: Sequence[TokenisedWalk],
    activations: Activations,
    components: Sequence[Components],
    seed: int,
) -> OneMaze:
    """Everything that is shown of one maze.

    Args:
        names: of the models.
        row: the maze.
        rows: on which probes are trained, without that maze; `walks` and `activations` are theirs.
        components: of `component_effects`, which say whose attention is shown.
        seed: of the cells that are read.
    """
    (walk,) = locate_walks([row], models.tokenizer, seed)
    maze, moves = Maze.from_ascii(row["maze"]), move_tokens(row, walk, models.tokenizer)
    tokens, decisions = map_tokens(row, models.tokenizer), np.array(are_decisions(maze, walk.path))
    steps = np.flatnonzero(decisions) if decisions.any() else np.arange(len(walk.path))
    layers = np.unique(np.linspace(1, len(models.layers), LAYERS).round().astype(int)).tolist()
    states, looks = {}, {}
    for name in names:
        models.switch(name)
        states[name], looks[name] = _read(models, walk, walk.moves[steps])
    chosen = loudest_heads(components) or busiest_heads(next(iter(looks.values())), tokens)
    return OneMaze(
        id=str(row.get("id")),
        maze=list(maze.rows),
        places=places_of(maze, walk.path),
        path=walk.path,
        decisions=decisions.tolist(),
        layers=layers,
        moves={name: _chances(models, name, [states[name][layer] for layer in layers], walk, moves) for name in names},
        heads=[
            HeadView(
                layer=layer, head=head, maps={name: _on_map(looks[name][layer - 1][head], tokens) for name in names}
            )
            for layer, head in chosen
        ],
        walls={name: _walls(states[name], layers, tokens, maze, rows, walks, activations, name) for name in names},
        route={name: _route(states[name], layers, walk, row, rows, activations, name) for name in names},
    )


def places_of(maze: Maze, path: str) -> list[list[int]]:
    """Row and column of the walker before each move of a path."""
    here, found = maze.start, []
    for move in path:
        found.append(list(here))
        here = here[0] + MOVES[move][0], here[1] + MOVES[move][1]
    return found


def loudest_heads(components: Sequence[Components]) -> list[tuple[int, int]]:
    """Layer and index of the heads with the largest effects when patched, over all fine-tunes."""
    sums: dict[tuple[int, int], float] = {}
    for of in components:
        for part in of["parts"]:
            if part["head"] is not None:
                exact = part["into"]["exact"]
                size = abs(part["into"]["estimate"] if exact is None else exact)
                key = part["layer"], part["head"]
                sums[key] = sums.get(key, 0.0) + size
    return sorted(sums, key=lambda key: -sums[key])[:HEADS] if any(sums.values()) else []


def busiest_heads(looks: Sequence[np.ndarray], tokens: np.ndarray) -> list[tuple[int, int]]:
    """Layer and index of the heads with the most attention on the map.

    Args:
        looks: by layer the attention of each head, (heads, tokens), the mean over steps.
    """
    shares = np.array([look[:, np.unique(tokens)].sum(axis=1) for look in looks])
    order = np.argsort(-shares, axis=None, kind="stable")[:HEADS]
    return [(int(at // shares.shape[1]) + 1, int(at % shares.shape[1])) for at in order]


def _read(models: Models, walk: TokenisedWalk, places: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """States of all layers, (tokens, width); and for each decoder layer the attention of its heads, mean over some
    tokens, (heads, tokens).
    """
    import torch

    states: list[np.ndarray] = []

    def visit(site: str, layer: int, hidden) -> None:
        states.append(hidden[0].float().cpu().numpy())

    ids = torch.from_numpy(walk.ids)[None].to(models.model.device)
    with _eager(models), watching(models, visit), torch.inference_mode():
        given = models.model(input_ids=ids, output_attentions=True, use_cache=False, logits_to_keep=1).attentions
    at = torch.from_numpy(places)
    return states, [layer[0, :, at].float().mean(1).cpu().numpy() for layer in given]


@contextmanager
def _eager(models: Models):
    """Within the block attention is computed by the eager implementation, which returns its weights."""
    model = models.model.get_base_model() if hasattr(models.model, "get_base_model") else models.model
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _chances(
    models: Models, name: str, states: Sequence[np.ndarray], walk: TokenisedWalk, moves: np.ndarray
) -> list[list[list[float]]]:
    """Layer x step x move: the probability of U, D, L and R if the layer were the last."""
    models.switch(name)
    found = []
    for of_layer in states:
        logits = np.concatenate([part.softmax(-1).cpu().numpy() for _, part in read_out(models, of_layer[walk.moves])])
        found.append(np.take_along_axis(logits, moves, axis=1).astype(float).tolist())
    return found


def _on_map(look: np.ndarray, tokens: np.ndarray) -> list[list[float]]:
    """Attention (tokens,) spread over the places that share a token, float (rows, columns)."""
    shared = np.bincount(tokens.ravel(), minlength=len(look))
    return (look[tokens] / shared[tokens]).astype(float).tolist()


def _walls(
    states: Sequence[np.ndarray],
    layers: Sequence[int],
    tokens: np.ndarray,
    maze: Maze,
    rows: Sequence[dict],
    walks: Sequence[TokenisedWalk],
    activations: Activations,
    name: str,
) -> list[list[list[float | None]]] | None:
    """Layer x row x column: a probe's probability of a wall to the north of each open place; None elsewhere."""
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    labels = cell_labels(rows, walks)
    others = np.array([rows[index]["maze"].split("\n") != list(maze.rows) for index in labels["maze"]])
    wall = labels["wall_north"][others].astype(float)
    if len(np.unique(wall)) < 2:
        return None
    opened = np.array([[symbol != WALL for symbol in line] for line in maze.rows])
    found = []
    for layer in layers:
        x = activations.read(name, layer, "cells")[others]
        scaler = StandardScaler().fit(x)
        guess = (
            Ridge(alpha=10.0).fit(scaler.transform(x), wall).predict(scaler.transform(states[layer][tokens.ravel()]))
        )
        found.append(_masked(guess.reshape(tokens.shape), opened))
    return found


def _route(
    states: Sequence[np.ndarray],
    layers: Sequence[int],
    walk: TokenisedWalk,
    row: dict,
    rows: Sequence[dict],
    activations: Activations,
    name: str,
) -> list[list[list[float | None]]] | None:
    """Layer x row x column: the probability that the place is on the solution, read at the prompt's last token."""
    alike, table, shape = place_labels(rows, like=row)
    if table is None:
        return None
    opened = np.array([[symbol != WALL for symbol in line] for line in Maze.from_ascii(row["maze"]).rows])
    found = []
    for layer in layers:
        predict = fit_places(activations.read(name, layer, "last_prompt")[alike], table)
        found.append(_masked(predict(states[layer][walk.last_prompt][None])[0].reshape(shape), opened))
    return found


def _masked(values: np.ndarray, where: np.ndarray) -> list[list[float | None]]:
    """Values 0-1 where a mask holds, None elsewhere."""
    return [
        [float(np.clip(value, 0, 1)) if shown else None for value, shown in zip(*line)] for line in zip(values, where)
    ]
