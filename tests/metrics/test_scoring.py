import random
from functools import lru_cache

import networkx
import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascii_maze import Maze, MazeError, generate_mazes, score_path
from ascii_maze.mazes.failures import failure_of
from ascii_maze.mazes.prompts import ANSWER_STYLES, LANGUAGES, PromptStyle, format_answer, prompt_messages, style_of
from ascii_maze.metrics.path_validity.bulk import score_paths
from ascii_maze.metrics.path_validity.maze import STYLES
from ascii_maze.metrics.path_validity.scoring import (
    THOUGHTS,
    UNPARSED,
    completion_text,
    extract_answer,
    opened_thought,
    parse_moves,
)
from ascii_maze.training.rewards import judge

from .test_maze import maps

OPEN = "#####\n#S  #\n# # #\n#  G#\n#####"  # a square loop of eight


@lru_cache(maxsize=8)
def graph_of(text: str):
    """A networkx graph of the open positions, the start, the goal, and how far every position is from the goal."""
    lines = text.split("\n")
    free = {(r, c): symbol for r, line in enumerate(lines) for c, symbol in enumerate(line) if symbol != "#"}
    graph = networkx.Graph()
    graph.add_nodes_from(free)
    graph.add_edges_from(((r, c), (r + 1, c)) for r, c in free if (r + 1, c) in free)
    graph.add_edges_from(((r, c), (r, c + 1)) for r, c in free if (r, c + 1) in free)
    start = next(place for place, symbol in free.items() if symbol == "S")
    goal = next(place for place, symbol in free.items() if symbol == "G")
    return graph, start, goal, networkx.single_source_shortest_path_length(graph, goal)


def independent_score(text: str, moves: str) -> dict:
    """The same facts, from a networkx graph of the map and a naive walk; shares no code with the scorer."""
    graph, start, goal, to_goal = graph_of(text)
    here, trail, hits, legal_until, legal_place = start, [start], 0, None, start
    for k, move in enumerate(moves):
        there = (here[0] + {"U": -1, "D": 1}.get(move, 0), here[1] + {"L": -1, "R": 1}.get(move, 0))
        if graph.has_edge(here, there):
            here = there
            trail.append(here)
        else:
            hits += 1
            if legal_until is None:
                legal_until, legal_place = k, here
    if legal_until is None:
        legal_until, legal_place = len(moves), here
    valid = hits == 0 and here == goal
    reachable = start in to_goal
    return {
        "parsed": True,
        "legal": hits == 0,
        "reaches_goal": here == goal,
        "valid": valid,
        "optimal": valid and len(moves) == to_goal[start],
        "excess_moves": len(moves) - to_goal[start] if valid else None,
        "legal_prefix": legal_until / len(moves),
        "progress": max(0.0, 1 - to_goal[legal_place] / to_goal[start]) if reachable else 0.0,
        "wall_hits": hits,
        "revisits": len(trail) - len(set(trail)),
    }


def moves_for(maze: Maze, rng: random.Random) -> str:
    """Walks of every kind: right, right but spoiled, extended, random."""
    solution = maze.solve() or "RD"
    kind = rng.randrange(5)
    if kind == 0:
        return solution
    if kind == 1:
        return solution[: rng.randrange(1, len(solution) + 1)]
    if kind == 2:
        cut = rng.randrange(len(solution))
        return solution[:cut] + rng.choice(["UD", "DU", "LR", "RL", "U", "R"]) + solution[cut:]
    if kind == 3:
        return "".join(rng.choice("UDLR") for _ in range(rng.randrange(1, 40)))
    walk, here = "", maze.start
    for _ in range(rng.randrange(1, 60)):
        ways = maze.neighbours(*here)
        if not ways:
            break
        move, here = rng.choice(ways)
        walk += move
    return walk or "U"


def written(moves: str, rng: random.Random) -> str:
    """Moves as models write them."""
    arrows, words = dict(zip("UDLR", "↑↓←→")), dict(zip("UDLR", ("up", "DOWN", "Left", "right")))
    forms = [
        moves,
        " ".join(moves),
        ", ".join(moves),
        " ".join(map(arrows.get, moves)),
        " ".join(map(words.get, moves)),
    ]
    return rng.choice(["{}", "{}", "First <answer>U</answer>, no: <answer> {} </answer>."]).format(rng.choice(forms))


def hostile(moves: str, rng: random.Random) -> str:
    """Answers that are not paths, most of them nearly one."""
    place = rng.randrange(len(moves) + 1)
    spoiled = moves[:place] + rng.choice("urdl!X0;\x00\ud800→→👣\uff32") + "é" + moves[place:]
    tags = rng.choice(["<answer>", "</answer>", "<answer></answer>", "<answer>" * 99]) + moves
    return rng.choice([spoiled, tags, "", " \n", "<script>alert(1)</script>", "right rihgt", "(0,0)", "(0,0) (9,9)"])


def random_map(rng: random.Random) -> str:
    """A map that is no lattice: random walls, loops, open borders, often no way."""
    rows, columns = rng.randrange(1, 9), rng.randrange(2, 9)
    symbols = [rng.choice("#   ") for _ in range(rows * columns)]
    start, goal = rng.sample(range(rows * columns), 2)
    symbols[start], symbols[goal] = "S", "G"
    return "\n".join("".join(symbols[r * columns : (r + 1) * columns]) for r in range(rows))


def random_pairs(count: int, rng: random.Random):
    """(map, answer, its moves or None where it is not a path): five of every map, of lattices and of any map."""
    each = count // 40
    lattices = [text for n in (2, 3, 4, 5) for text in generate_mazes("depth_first", n, n, each, n).to_ascii()]
    lattices += generate_mazes("percolation", 5, 5, each, 0).to_ascii()
    for text in lattices + [random_map(rng) for _ in range(count // 5 - len(lattices))]:
        maze = Maze.from_ascii(text)
        for _ in range(5):
            moves = moves_for(maze, rng)
            if rng.random() < 0.1:
                yield text, hostile(moves, rng), None
            else:
                yield text, written(moves, rng), moves


@pytest.mark.parametrize(("count", "least"), [(4_000, 100), pytest.param(100_000, 4_000, marks=pytest.mark.slow)])
def test_agrees_with_an_independent_checker_on_many_pairs(count, least):
    """One by one and in bulk, on maps with loops, without a way, and with answers that are none."""
    pairs = list(random_pairs(count, random.Random(0)))
    together = score_paths([text for text, _, _ in pairs], [answer for _, answer, _ in pairs])
    kinds, loops, no_way, junk = set(), 0, 0, 0
    for (text, answer, moves), in_bulk in zip(pairs, together, strict=True):
        score = score_path(text, answer)
        assert in_bulk == score, (text, answer)
        if moves is None:
            assert score == UNPARSED, (text, answer)
            junk += 1
            continue
        expected = independent_score(text, moves)
        assert score.to_dict() == expected, (text, answer)
        kinds.add((expected["legal"], expected["reaches_goal"], expected["optimal"]))
        graph, start, _, to_goal = graph_of(text)
        loops += graph.number_of_edges() >= graph.number_of_nodes()
        no_way += start not in to_goal
    assert len(pairs) == count
    assert len(kinds) == 5  # every combination that can be
    assert min(loops, no_way, junk) > least


def test_large_maps_agree_too():
    rng = random.Random(1)
    for text in generate_mazes("percolation", 20, 20, 20, 0).to_ascii():
        maze = Maze.from_ascii(text)
        for moves in (maze.solve() or "U", moves_for(maze, rng), moves_for(maze, rng)):
            assert score_path(maze, moves).to_dict() == independent_score(text, moves)


@settings(max_examples=300)
@given(maps(), st.text("UDLR", min_size=1, max_size=40))
def test_agrees_with_an_independent_checker_on_any_map(text, moves):
    assert score_path(text, moves).to_dict() == independent_score(text, moves)


@given(st.text())
def test_never_raises_on_a_completion(completion):
    score = score_path(OPEN, completion)
    assert score.parsed == (parse_moves(completion) is not None)


@pytest.mark.parametrize(
    "junk",
    [
        "",
        " \n\t ",
        "no idea",
        "x" * 1_000_000,
        "<answer>" * 100_000,
        "</answer>" * 100_000,
        "R R D D!",
        "\uff32\uff32\uff24",
        "→ → ↓ x",
        "right right nowhere",
        "(1,1)",
        "(1,1) (1,3)",
        "(1,2) (1,1)",
        "(1,1) (1,2) and on",
        "(" * 100_000,
        "(1,1) " * 100_000,
        "\x00",
        "\ud800",
        "🧭" * 1000,
        "R R <answer>R",
        "rrdd",
    ],
)
def test_junk_is_unparsed(junk):
    assert score_path(OPEN, junk) == UNPARSED


@pytest.mark.parametrize(
    "completion", [None, 7, b"R R", ["R", "D"], [["R"]], [7], [], {}, {"content": 7}, float("nan")]
)
def test_what_is_no_text_is_unparsed(completion):
    assert score_path(OPEN, completion) == UNPARSED


def test_ten_thousand_moves():
    score = score_path(OPEN, "R L " * 5000)
    assert score.legal
    assert not score.valid
    assert score.revisits == 9999


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("R R D D", "R R D D"),
        ("I think <answer>R R D D</answer> is right", "R R D D"),
        ("<answer>U</answer> no: <answer>R R D D</answer>", "R R D D"),
        ("<answer><answer>R R D D</answer></answer>", "R R D D"),
        ("<answer>R R D D</answer> or <answer>U U", "R R D D"),
        ("<answer></answer>", ""),
        ("</answer>R<answer>", "</answer>R<answer>"),
    ],
)
def test_the_last_closed_answer_counts(completion, answer):
    assert extract_answer(completion) == answer


RIGHT = "R R D D"


@pytest.mark.parametrize(
    "completion",
    [
        [{"role": "assistant", "content": RIGHT}],
        [{"role": "user", "content": "maze"}, {"role": "assistant", "content": RIGHT}],
        {"role": "assistant", "content": RIGHT},
        [{"role": "assistant", "content": RIGHT, "reasoning_content": "perhaps D D D"}],
        [{"role": "assistant", "content": [{"type": "text", "text": "R R"}, {"type": "text", "text": " D D"}]}],
        ({"role": "assistant", "content": f"<think>D D D</think>{RIGHT}"},),
        [{"content": RIGHT}],
        [RIGHT],
        (RIGHT,),
        np.array([RIGHT]),
        np.array([{"role": "assistant", "content": RIGHT}]),
        pandas.Series([RIGHT]),
    ],
)
def test_a_completion_counts_in_every_form_in_which_datasets_and_trainers_hold_one(completion):
    assert completion_text(completion).endswith(RIGHT)
    assert score_path(OPEN, completion).optimal
    assert score_paths([OPEN], [completion]) == [score_path(OPEN, completion)]
    assert judge(OPEN, completion).validity == 1
    assert failure_of(Maze.from_ascii(OPEN), completion) is None


@pytest.mark.parametrize(
    "completion",
    [
        [{"role": "assistant", "content": RIGHT}, {"role": "user", "content": RIGHT}],
        [{"role": "tool", "content": RIGHT}],
        {"role": "user", "content": RIGHT},
        [{"role": "assistant", "content": None}],
        [{"role": "assistant", "content": [{"type": "image"}]}],
        [{"role": "assistant", "content": [RIGHT, {"text": RIGHT}]}],
        [RIGHT, RIGHT],
    ],
)
def test_what_the_assistant_did_not_say_is_no_completion(completion):
    assert completion_text(completion) is None
    assert score_path(OPEN, completion) == UNPARSED


@pytest.mark.parametrize(
    ("completion", "moves"),
    [
        ("<think>First idea: <answer>R R D D</answer>. But no,", None),
        ("<think>R R D D", None),
        ("<think>\n\n</think>\n\nR R D D", "RRDD"),
        ("<think>maybe <answer>D D D</answer></think>\n\nR R D D", "RRDD"),
        ("maybe <answer>D D D</answer></think>R R D D", "RRDD"),  # the prompt had opened the thought
        ("<think>U</think>L<think>D</think> <answer>R R</answer>", "RR"),
        ("<think>U</think> <answer>R R</answer> <think>or D", None),
        ("<answer>R R</answer></think>", None),
        ("<think>R R</think>", None),
        ("<think>R R</think> the way is D", None),
        ("<thinking><answer>U</answer></thinking>R R", "RR"),
        *((f"{opened}<answer>U</answer>{closed}R R", "RR") for opened, closed in THOUGHTS),
        *((f"{opened}<answer>U</answer>", None) for opened, _ in THOUGHTS),
        ("<thinking><answer>U</answer>", None),
        ("<|channel|>analysis<|message|>U<|end|><|start|>assistant<|channel|>final<|message|>R R", "RR"),
        ("<|channel|>final<|message|>R R", "RR"),
        ("<|channel|>analysis<|message|>R R", None),
        ("<|channel>thought\nU\n<channel|>R R", "RR"),
        ("<|channel>thought\nR R", None),
        (" to=self<|message|>U<|eom|><|start|>assistant to=user<|message|>R R", "RR"),
        (" to=self<|message|>R R", None),
        ("[THINK]<answer>U</answer>[/THINK]R R", "RR"),
        ("[THINK]<answer>U</answer>", None),
        ("<Think><answer>U</answer>", None),
        ("<THINK>U</Think>R R", "RR"),
        ("<answer>U</answer> <Thought>: up is open", "U"),
        ("[Think] <answer>U</answer>", "U"),
        ("</think>R R", "RR"),
    ],
)
def test_a_thought_does_not_count_and_one_that_is_open_leaves_nothing(completion, moves):
    assert parse_moves(completion) == moves


@pytest.mark.parametrize(
    ("prompt", "mark"),
    [
        ("<|assistant|>\n", ""),
        ("<|im_start|>assistant\n<think>\n", "<think>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", ""),
        ("Put your thought into <think> and </think>.\nAssistant:", ""),
        ("[THINK]", "[THINK]"),
        ("<|im_start|>assistant\n<Think>\n", "<think>"),
    ],
)
def test_a_thought_that_the_prompt_has_opened_is_read_as_one(prompt, mark):
    assert opened_thought(prompt) == mark
    assert parse_moves(opened_thought(prompt) + "R R") == (None if mark else "RR")


@pytest.mark.parametrize(
    ("completion", "moves"),
    [
        ("R → R → R", "RRR"),
        ("R→D→L", "RDL"),
        ("→ → ↓", "RRD"),
        ("R R → D D", None),
        ("→ R", None),
        ("R →", None),
        ("R → → D", None),
        ("R ↓ D", None),
        ("R ← D", None),
        ("↓ D", None),
        ("R ↓", None),
        ("<answer>R → D</answer>", "RD"),
    ],
)
def test_an_arrow_between_letters_is_a_separator_and_other_mixtures_are_no_path(completion, moves):
    assert parse_moves(completion) == moves
    score = score_path("S    G", "R → R → R")
    assert (score.parsed, score.valid, score.legal_prefix) == (True, False, 1.0)


def test_letters_may_be_separated_or_not():
    assert {parse_moves(text) for text in ("RRDD", "R R D D", "R,R,D,D", " R\nR\tD D \n", "R, R, D, D")} == {"RRDD"}


def test_a_right_detour_is_valid_and_not_optimal():
    score = score_path(OPEN, "R L R R D D")
    assert (score.valid, score.optimal, score.excess_moves, score.revisits) == (True, False, 2, 2)


def test_passing_over_the_goal_is_not_arriving():
    assert not score_path("S G ", "R R R").valid


def test_an_illegal_walk_may_end_on_the_goal():
    score = score_path("S G", "U R R")
    assert (score.legal, score.reaches_goal, score.valid, score.wall_hits) == (False, True, False, 1)
    assert (score.legal_prefix, score.progress) == (0.0, 0.0)


def test_progress_is_where_the_legal_prefix_ends():
    score = score_path("S   G", "R R U R R")
    assert (score.progress, score.legal_prefix) == (0.5, 0.4)


def test_a_map_without_a_way():
    score = score_path("S #G", "R L")
    assert (score.legal, score.valid, score.progress) == (True, False, 0.0)


def test_a_bad_maze_raises():
    with pytest.raises(MazeError):
        score_path("S", "R")


@given(
    st.integers(0, 2**32), st.sampled_from(LANGUAGES), st.sampled_from(ANSWER_STYLES), st.sampled_from(sorted(STYLES))
)
def test_every_style_of_answer_is_understood(seed, language, answer, style):
    maze = generate_mazes("wilson", 4, 3, 1, seed)[0]
    form = PromptStyle(language, style, answer)
    text = format_answer(maze.solve(), form, maze.start)
    assert parse_moves(text, maze.start) == maze.solve()
    assert score_path(maze, f"So: <answer> {text} </answer>").optimal
    assert style_of(prompt_messages(maze, form)) == form
    assert Maze.from_text(prompt_messages(maze, form)[1]["content"], style) == maze


def test_words_are_understood_in_any_case_and_coordinates_only_from_the_start():
    assert parse_moves("Right, DOWN, cima") == "RDU"
    assert parse_moves("(1, 1), (1, 2)\n(2,2)", (1, 1)) == "RD"
    assert parse_moves("(1,1) (1,2)", (2, 1)) is None
