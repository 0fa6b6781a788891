"""The searches of `ascii_maze.mazes.thoughts` done again in another way, to compare their traces with."""

import random

from ascii_maze import Maze, generate_mazes
from ascii_maze.mazes.generators import GENERATORS
from ascii_maze.metrics.path_validity.maze import MOVES


def some_mazes(count, seed=0):
    """Lattices of every generator with and without loops, maps without a frame, and goals that cannot be reached."""
    rng = random.Random(seed)
    each = count // 32 + 1
    mazes = [
        maze
        for generator in GENERATORS
        for braid in (0, 0.5)
        for maze in generate_mazes(generator, rng.randint(2, 7), rng.randint(2, 7), each, seed, braid)
    ]
    while len(mazes) < count:
        rows, columns = rng.randint(1, 9), rng.randint(2, 9)
        symbols = rng.choices("# ", [rng.random(), 1], k=rows * columns)
        start, goal = rng.sample(range(rows * columns), 2)
        symbols[start], symbols[goal] = "S", "G"
        lines = ["".join(symbols[row * columns : (row + 1) * columns]) for row in range(rows)]
        mazes.append(Maze.from_ascii("\n".join(lines)))
    return mazes


def sides(maze, place):
    return "".join(move for move, _ in maze.neighbours(*place)) or "-"


def named(place):
    return "{},{}".format(*place)


def replay_dfs(maze):
    """Depth first, by recursion over places; stretches are cut from the walk afterwards."""
    lines, visited = [f"{named(maze.start)} {sides(maze, maze.start)}"], {maze.start}

    def is_junction(place):
        return place == maze.start or len(maze.neighbours(*place)) != 2

    def leave(place):
        """Whether the goal is found by the sides of a junction, in their order."""
        for move, there in maze.neighbours(*place):
            if there in visited:
                continue
            moves, before, here = [move], place, there
            while here not in visited and here != maze.goal and not is_junction(here):
                visited.add(here)
                ((move, onward),) = [(m, p) for m, p in maze.neighbours(*here) if p != before]
                moves, before, here = [*moves, move], here, onward
            end = "*" if here in visited else "G" if here == maze.goal else sides(maze, here)
            lines.append(f"{named(place)} {' '.join(moves)} {named(here)} {end}")
            visited.add(here)
            if end == "G" or (end != "*" and leave(here)):
                return True
        return False

    leave(maze.start)
    return "\n".join(lines)


def replay_bfs(maze):
    """Breadth first, a set of places for each distance."""
    lines, ring, visited = [f"{named(maze.start)} S"], [maze.start], {maze.start}
    while ring:
        found = {}
        for place in ring:
            for move, there in maze.neighbours(*place):
                if there not in visited and maze.goal not in found:
                    visited.add(there)
                    found[there] = move + named(there)
        lines += [" ".join(found.values())] if found else []
        if maze.goal in found:
            return "\n".join([*lines, f"{named(maze.goal)} G"])
        ring = list(found)
    return "\n".join(lines)


def replay_steps(maze):
    lines, here = [], maze.start
    for move in maze.solve() or "":
        lines.append(f"{named(here)} {sides(maze, here)} {move}")
        here = (here[0] + MOVES[move][0], here[1] + MOVES[move][1])
    return "\n".join([*lines, f"{named(here)} {'G' if lines else sides(maze, here)}"])


REPLAYS = {"steps": replay_steps, "search_dfs": replay_dfs, "search_bfs": replay_bfs}
