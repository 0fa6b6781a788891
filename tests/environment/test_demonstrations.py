"""Walks to learn from: they arrive, by the walker's own rule, and show no more than what was in sight."""

import random

import pytest

from ascii_maze import generate_mazes, score_path
from ascii_maze.environment.demonstrations import FORMS, WALKERS, demonstrate, parse_kind
from ascii_maze.environment.env import MazeEnv
from ascii_maze.environment.explorers import EXPLORERS
from ascii_maze.environment.observations import Observation
from ascii_maze.environment.prompts import TOOLS, step_prompt
from ascii_maze.environment.walks import TURN, walk_all
from ascii_maze.errors import UsageError

OBSERVATIONS = ("full", "window:1", "window:2", "window:2+goal", "local", "local+goal", "none", "none+goal")
MAZES = [maze for name in ("depth_first", "wilson", "percolation") for maze in generate_mazes(name, 4, 4, 12, 0, 0.3)]
STEPS = {"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)}


def turns_of(shown) -> list[str]:
    """The moves of each turn, whatever form it has."""
    turns = []
    for message in shown.completion:
        if message["role"] == "assistant":
            calls = [call["function"]["arguments"] for call in message.get("tool_calls", ())]
            turns.append(calls[0]["direction"] * calls[0]["steps"] if calls else message["content"].replace(" ", ""))
    return turns


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("walker", WALKERS)
@pytest.mark.parametrize("name", OBSERVATIONS)
def test_a_walk_arrives_and_is_the_conversation_of_an_evaluation(name, walker, form):
    for number, maze in enumerate(MAZES):
        shown = demonstrate(maze, Observation.parse(name), walker, random.Random(number), form)
        env = MazeEnv(maze, name)
        assert shown.prompt == step_prompt(env, tools=form == "tools")
        said = [env.move(turn[0], len(turn)) if form == "tools" else env.turn(turn) for turn in turns_of(shown)]
        assert env.ended == "goal"
        assert [message["content"] for message in shown.completion[1::2]] == said[:-1]  # the last word is nobody's
        assert {message["role"] for message in shown.completion[1::2]} <= {"tool" if form == "tools" else "user"}
        assert max(map(len, turns_of(shown))) <= TURN
        if form == "tools":
            assert all(len(set(turn)) == 1 for turn in turns_of(shown))
        if shown.walker == "shortest_path":
            assert score_path(maze, "".join(turns_of(shown))).optimal
        else:
            assert score_path(maze, "".join(turns_of(shown))).reaches_goal


@pytest.mark.parametrize("walker", ["wall_follower", "depth_first"])
def test_a_turn_of_many_moves_is_what_single_moves_come_to(walker):
    """In sight of every place around, the explorer would have gone the same way a step at a time."""
    for number, maze in enumerate(generate_mazes("depth_first", 5, 5, 30, 1)):
        shown, env = demonstrate(maze, Observation("local"), walker, random.Random(number)), MazeEnv(maze, "local")
        single = EXPLORERS[walker](random.Random(number))
        walk_all([env], lambda talks, turn, walks=single: [walks.turn(talks[0][-1]["content"])], lambda done: None)
        assert "".join(turns_of(shown)) == env.result().moves


@pytest.mark.parametrize("form", FORMS)
def test_with_the_goal_in_sight_the_next_turn_leads_to_it(form):
    """Along the way that the newest window shows, if it shows one."""
    checked = 0
    for number, maze in enumerate(generate_mazes("wilson", 4, 4, 300, 2)):
        shown = demonstrate(maze, Observation("window", 3), "depth_first", random.Random(number), form)
        answered = (shown.prompt[-1], *shown.completion[1::2])
        for turn, message in zip(turns_of(shown), answered, strict=True):
            lines = message["content"].split("\n")
            first = first_moves([line for line in lines if line and set(line) <= set("# SG@")])
            assert not first or turn[0] in first
            checked += bool(first)
    assert checked > 100


def first_moves(picture: list[str]) -> set[str]:
    """The moves with which the shortest ways from @ to G begin, of those that a window shows."""
    open_ = {(row, column) for row, line in enumerate(picture) for column, sign in enumerate(line) if sign != "#"}
    at = {sign: (row, column) for row, line in enumerate(picture) for column, sign in enumerate(line) if sign in "@G"}
    if "G" not in at:
        return set()
    left, border = {at["G"]: 0}, [at["G"]]
    for row, column in border:
        for down, right in STEPS.values():
            there = row + down, column + right
            if there in open_ and there not in left:
                left[there] = left[row, column] + 1
                border.append(there)
    row, column = at["@"]
    near = {move: left.get((row + down, column + right)) for move, (down, right) in STEPS.items()}
    return {move for move, far in near.items() if far is not None and far + 1 == left.get(at["@"])}


def test_walkers_who_see_track_back_in_one_turn():
    shown = [demonstrate(maze, Observation("window", 2), "depth_first", random.Random(0)) for maze in MAZES]
    assert max(len(turn) for one in shown for turn in turns_of(one)) > 2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name in OBSERVATIONS if name != "full"])
def test_every_message_is_what_was_in_sight_and_nothing_else(name, form):
    """Each message is put together here, from the map and the places that the moves came to, by other code."""
    kind, radius, tells = Observation.parse(name).kind, Observation.parse(name).radius, name.endswith("+goal")
    rules = set()
    for number, maze in enumerate(MAZES):
        lines = maze.to_ascii().split("\n")
        goal = next((row, line.index("G")) for row, line in enumerate(lines) if "G" in line)
        here = next((row, line.index("S")) for row, line in enumerate(lines) if "S" in line)

        def around(row, column, lines=lines):
            inside = 0 <= row < len(lines) and 0 <= column < len(lines[0])
            return lines[row][column] if inside else "#"

        def seen(trail, goal=goal, around=around):
            row, column = trail[-1]
            parts, reach = [], range(-radius, radius + 1)
            if kind == "window":
                parts = [
                    "".join("@" if not (down or right) else around(row + down, column + right) for right in reach)
                    for down in reach
                ]
            if kind == "local":
                for r, c in trail:
                    open_ = [move for move, (down, right) in STEPS.items() if around(r + down, c + right) != "#"]
                    parts.append(f"open: {' '.join(open_)}")
            if tells:
                down, right = goal[0] - row, goal[1] - column
                far = [f"{abs(down)} {'down' if down > 0 else 'up'}"] if down else []
                far += [f"{abs(right)} {'right' if right > 0 else 'left'}"] if right else []
                parts.append(f"goal: {', '.join(far)}")
            return parts

        for walker in WALKERS:
            shown = demonstrate(maze, Observation.parse(name), walker, random.Random(number), form)
            rules.add(shown.prompt[0]["content"])
            read = [shown.prompt[1]["content"], *(message["content"] for message in shown.completion[1::2])]
            place, expected = here, ["\n".join(seen([here])) or "start"]
            for turn in turns_of(shown)[:-1]:
                trail = []
                for move in turn:
                    there = place[0] + STEPS[move][0], place[1] + STEPS[move][1]
                    if around(*there) != "#":
                        place = there
                        trail.append(place)
                said = [f"moved {len(trail)}" if trail else ""] * bool(trail) + ["wall"] * (len(trail) < len(turn))
                expected.append("\n".join([", ".join(said), *seen(trail or [place])]))
            assert read == expected
            assert not any(maze.to_ascii() in message for message in read)
    assert len(rules) == 1  # they tell nothing of a maze


def test_the_tools_are_those_of_the_environment():
    from transformers.utils import get_json_schema

    env = MazeEnv(MAZES[0])
    for tool in TOOLS:
        ours, theirs = tool["function"], get_json_schema(getattr(env, tool["function"]["name"]))["function"]
        assert ours["parameters"]["properties"].keys() == theirs["parameters"]["properties"].keys()
        assert ours["parameters"]["required"] == theirs["parameters"].get("required", [])
        assert theirs["description"].startswith(ours["description"].removesuffix("."))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("window:2", "must be an observation and a walker"),
        ("window:2 depht_first", "did you mean 'depth_first'"),
        ("all depth_first", "no observation 'all'"),
    ],
)
def test_what_nobody_can_walk_is_refused(name, said):
    with pytest.raises(UsageError, match=said):
        parse_kind(name, "demo.yaml")
