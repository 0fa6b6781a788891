"""A maze with a walk through it as SVG. The only model output in it is moves parsed by the scorer."""

from dataclasses import dataclass

from .maze import MOVES, WALL, Maze


@dataclass(frozen=True)
class Trace:
    """The positions of a walk's legal prefix, and where its first illegal step would have led."""

    positions: list[tuple[int, int]]
    crash: tuple[int, int] | None


def follow(maze: Maze, moves: str) -> Trace:
    """Follow moves (letters without spaces) until they end or leave open ground."""
    positions = [maze.start]
    for move in moves:
        row, column = positions[-1]
        there = row + MOVES[move][0], column + MOVES[move][1]
        if not maze.is_open(*there):
            return Trace(positions, there)
        positions.append(there)
    return Trace(positions, None)


def to_svg(maze: Maze, moves: str = "", scale: int = 12) -> str:
    """The maze as a self-contained SVG whose colours are CSS classes: wall, path, crash, start, goal.

    Nothing in it needs escaping.
    """
    walk = follow(maze, moves)
    rows, columns = maze.shape
    centre = scale / 2

    def at(position: tuple[int, int]) -> str:
        return f"{position[1] * scale + centre:g},{position[0] * scale + centre:g}"

    walls = "".join(
        f"M{column * scale} {row * scale}h{scale}v{scale}h-{scale}z"
        for row, line in enumerate(maze.rows)
        for column, symbol in enumerate(line)
        if symbol == WALL
    )
    arrives = walk.crash is None and walk.positions[-1] == maze.goal
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * scale} {rows * scale}" role="img" '
        f'aria-label="maze of {rows} by {columns} characters">',
        f'<path class="wall" d="{walls}"/>',
        f'<polyline class="path {"arrives" if arrives else "fails"}" points="{" ".join(map(at, walk.positions))}"/>',
    ]
    for kind, position in (("start", maze.start), ("goal", maze.goal)):
        x, y = at(position).split(",")
        parts.append(f'<circle class="{kind}" cx="{x}" cy="{y}" r="{scale * 0.42:g}"/>')
        parts.append(
            f'<text class="letter" x="{x}" y="{y}" dy=".35em" font-size="{scale * 0.6:g}">{kind[0].upper()}</text>'
        )
    if walk.crash:
        left, top = walk.crash[1] * scale, walk.crash[0] * scale
        arm = scale - 4
        parts.append(f'<path class="crash" d="M{left + 2} {top + 2}l{arm} {arm}m0 -{arm}l-{arm} {arm}"/>')
    return "".join(parts) + "</svg>"


# Legible on light and dark pages.
STYLE = (
    ":root{color-scheme:light dark;--text:#5c6670;--wall:#3b4650;--good:#16803c;--bad:#c2410c}"
    "@media(prefers-color-scheme:dark){:root{--text:#9aa4ae;--wall:#8d98a3;--good:#4ade80;--bad:#fb923c}}"
    ".wall{fill:var(--wall)}.path{fill:none;stroke-width:3.2;stroke-linejoin:round;stroke-linecap:round}"
    ".arrives{stroke:var(--good)}.fails,.crash{stroke:var(--bad)}.start{fill:#2563eb}.goal{fill:#a21caf}"
    ".letter{fill:#fff;text-anchor:middle;font-weight:700}text{font-family:system-ui,sans-serif}"
    ".caption{fill:var(--text);font-size:11px;text-anchor:middle}"
)
