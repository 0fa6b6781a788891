"""Steps of `MazeEnv` per second of CPU time, without a model; random episodes checked by `score_path` and a replay.

    python benchmarks/environment.py                            # a million steps per observation
    python benchmarks/environment.py --check 100000             # then checks that many random episodes

One process, 5x5 depth-first mazes, episodes of random single moves until they end. `steps only` makes the moves and
builds every observation; `with the result` also parses the maze from text and scores the episode.
"""

import argparse
import platform
import random
import time

from ascii_maze import generate_mazes, score_path
from ascii_maze.environment.env import MazeEnv
from ascii_maze.mazes.generators import GENERATORS

OBSERVATIONS = ("full", "window:2", "window:2+goal", "local", "none")
JUNK = (("move", {"direction": "north"}), ("move", {"direction": "U", "steps": 2.5}), ("fly", {}), ("look", {}))


def walk(env: MazeEnv, letters: str) -> int:
    """Make single moves until the episode ends; returns their number."""
    move = env.move
    for count, letter in enumerate(letters, 1):
        move(letter)
        if env.ended:
            return count
    return len(letters)


def rate(observation: str, texts: list[str], letters: list[str], scored: bool) -> float:
    """Steps per second, over one episode in each maze."""
    steps, seconds = 0, 0.0
    for text, chosen in zip(texts, letters):
        began = time.process_time()
        env = MazeEnv(text, observation)
        if not scored:
            began = time.process_time()
        steps += walk(env, chosen)
        if scored:
            env.result()
        seconds += time.process_time() - began
    return steps / seconds


def replay(text: str, moves: str) -> tuple[tuple[int, int], int]:
    """Final (row, column) and number of wall hits of the moves; shares no code with the environment."""
    lines = text.split("\n")
    row, column = next((r, line.index("S")) for r, line in enumerate(lines) if "S" in line)
    bumps = 0
    for move in moves:
        down, right = {"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)}[move]
        if lines[row + down][column + right] == "#":
            bumps += 1
        else:
            row, column = row + down, column + right
    return (row, column), bumps


def check(count: int) -> int:
    """Errors in random episodes of calls, text and malformed input, over all generators and observations."""
    rng, wrong = random.Random(0), 0
    names = sorted(GENERATORS)
    each = count // len(names) + 1
    mazes = [text for name in names for text in generate_mazes(name, 4, 4, each, 0).to_ascii()]
    for number in range(count):
        text = mazes[number * 7919 % len(mazes)]
        env = MazeEnv(text, rng.choice(OBSERVATIONS), rng.choice((None, 5, 20)))
        while not env.ended and rng.random() > 0.01:
            draw = rng.random()
            if draw < 0.05:
                env.call(*rng.choice(JUNK))
            elif draw < 0.3:
                env.turn(" ".join(rng.choices("UDLR", k=rng.randint(1, 5))))
            else:
                env.call("move", {"direction": rng.choice("UDLR"), "steps": rng.randint(1, 3)})
        result = env.result()
        place, bumps = replay(text, result.moves)
        arrived = text.split("\n")[place[0]][place[1]] == "G"
        wrong += (
            result.score != score_path(text, result.moves)
            or result.score.wall_hits != bumps
            or result.score.reaches_goal != arrived
            or (result.ended == "goal") != arrived
        )
    return wrong


def main() -> None:
    """Print a Markdown table and the result of the check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="episodes per observation")
    parser.add_argument("--check", type=int, default=0, help="random episodes to check")
    options = parser.parse_args()
    texts = generate_mazes("depth_first", 5, 5, options.count, 0).to_ascii()
    rng = random.Random(0)
    letters = ["".join(rng.choices("UDLR", k=100)) for _ in texts]
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    print("| observation | steps/s, steps only | steps/s, with the result |\n|---|---|---|")
    for observation in OBSERVATIONS:
        rates = [rate(observation, texts, letters, scored) for scored in (False, True)]
        print(f"| {observation} | {rates[0]:,.0f} | {rates[1]:,.0f} |")
    if options.check:
        began = time.process_time()
        wrong = check(options.check)
        print(f"\n{options.check:,} random episodes, {wrong} errors, {time.process_time() - began:.0f} s")


if __name__ == "__main__":
    main()
