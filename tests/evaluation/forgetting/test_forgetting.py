"""What was lost: every figure of forgetting.json, once more from what was written beside it, by other code."""

import json
import math
import subprocess
import sys
from collections import deque

import numpy as np
import pyarrow.parquet
import pytest
import torch

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.evaluation.forgetting import asking
from ascii_maze.evaluation.forgetting.divergence import divergences, most_likely
from ascii_maze.evaluation.forgetting.questions import (
    HABITS,
    Said,
    are_choices,
    even_shares,
    find_questions,
    habits,
    mazes_with_loops,
    shortest_walks,
)
from ascii_maze.evaluation.forgetting.run import Options, measure_forgetting, starts_first
from ascii_maze.evaluation.forgetting.tables import HEADER, cells
from ascii_maze.mazes.prompts import PLAIN, prompt_messages, style_of
from ascii_maze.metrics.path_validity.maze import Maze
from ascii_maze.models.loading import load_model
from dataset_builder.build import build
from dataset_builder.config import BuildConfig

STEPS = {"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)}
SAMPLES, LIMIT = 5, 4


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    """A dataset whose test mazes no rule solves."""
    out = tmp_path_factory.mktemp("hard") / "data"
    values = {"sizes": {"4x4": 1}, "generators": {"wilson": 1}, "splits": {"train": 4, "test": LIMIT}}
    build(BuildConfig(name="hard", split_by="layout", difficulty={"hard": 1}, **values), out)
    return out


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The embedded model with a little noise on its weights, as a folder."""
    out = tmp_path_factory.mktemp("other") / "model"
    model, tokenizer = load_model("tiny")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * weight.std() * torch.randn(weight.shape, generator=generator)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


@pytest.fixture(scope="module")
def measured(hard, other, tmp_path_factory):
    """The folder, its results, its answers and its divergences."""
    out = tmp_path_factory.mktemp("measured") / "out"
    models = {"base": "tiny", "other": str(other)}
    results = measure_forgetting(models, {}, str(hard), ["test"], out, Options(LIMIT, SAMPLES, batch_size=256))
    answers, apart = (pyarrow.parquet.read_table(out / f"{name}.parquet").to_pylist()
                      for name in ("answers", "divergences"))  # fmt: skip
    assert results == json.loads((out / "forgetting.json").read_text())
    return out, results, answers, apart


def grid_of(maze: str) -> tuple[list[str], tuple[int, int], tuple[int, int]]:
    rows = maze.split("\n")
    places = {symbol: (r, c) for r, row in enumerate(rows) for c, symbol in enumerate(row) if symbol in "SG"}
    return rows, places["S"], places["G"]


def distances_to_goal(maze: str) -> dict[tuple[int, int], int]:
    rows, _, goal = grid_of(maze)
    seen, queue = {goal: 0}, deque([goal])
    while queue:
        r, c = queue.popleft()
        for dr, dc in STEPS.values():
            there = r + dr, c + dc
            if rows[there[0]][there[1]] != "#" and there not in seen:
                seen[there] = seen[r, c] + 1
                queue.append(there)
    return seen


def distance(maze: str) -> int:
    return distances_to_goal(maze)[grid_of(maze)[1]]


def walk_of(maze: str, text: str) -> str | None:
    """The moves of an answer that arrives without touching a wall; None for any other."""
    moves = text.split()
    if any(move not in STEPS for move in moves):
        return None
    rows, (r, c), goal = grid_of(maze)
    for move in moves:
        r, c = r + STEPS[move][0], c + STEPS[move][1]
        if rows[r][c] == "#":
            return None
    return "".join(moves) if (r, c) == goal else None


def all_shortest(maze: str) -> set[str]:
    """Every shortest walk, each written out."""
    left, walks = distances_to_goal(maze), {(grid_of(maze)[1], "")}
    for remain in reversed(range(distance(maze))):
        walks = {
            ((r + dr, c + dc), walk + move)
            for (r, c), walk in walks
            for move, (dr, dc) in STEPS.items()
            if left.get((r + dr, c + dc)) == remain
        }
    return {walk for _, walk in walks}


def by_maze(answers: list[dict], name: str, kind: str) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for row in answers:
        if (row["model"], row["kind"]) == (name, kind):
            found.setdefault(row["id"], []).append(row)
    return found


def test_pass_at_k_and_the_walks_found(measured):
    _, results, answers, _ = measured
    for row in answers:
        walk = walk_of(row["maze"], row["completion"])
        assert row["valid"] == (walk is not None)
        assert row["optimal"] == (walk is not None and len(walk) == distance(row["maze"]))
    for name, found in results["models"].items():
        mazes = by_maze(answers, name, "hard")
        assert found["pass_at"]["mazes"] == len(mazes) == LIMIT
        for rate in ("optimal", "valid"):
            right = [sum(row[rate] for row in rows) for rows in mazes.values()]
            assert set(found["pass_at"][rate]) == {"1", "2", "4", "5"}
            for k, share in found["pass_at"][rate].items():
                expected = [1 - math.comb(SAMPLES - c, int(k)) / math.comb(SAMPLES, int(k)) for c in right]
                assert share == pytest.approx(np.mean(expected))
        loops = by_maze(answers, name, "loops")
        there = [len(all_shortest(rows[0]["maze"])) for rows in loops.values()]
        walks = [len({walk_of(row["maze"], row["completion"]) for row in rows if row["optimal"]})
                 for rows in loops.values()]  # fmt: skip
        assert len(loops) == LIMIT // 4
        assert min(there) > 1
        assert found["loops"] == {
            "mazes": len(loops),
            "there": pytest.approx(np.mean(there)),
            "found": pytest.approx(np.mean(walks)),
            "share": pytest.approx(np.mean([n / min(all_, SAMPLES) for n, all_ in zip(walks, there)])),
        }
        assert found["cost"]["answers"] == SAMPLES * (LIMIT + LIMIT // 4) == len(answers) / 2
        assert found["cost"]["tokens"] > 0


def test_divergences_both_ways(measured, other):
    """Token by token, one answer at a time, of the whole distributions."""
    _, results, answers, apart = measured
    models = {"base": load_model("tiny"), "other": load_model(str(other))}
    tokenizer = models["base"][1]
    assert len(apart) == 2 * 4 * LIMIT
    texts = {(row["model"], row["id"], row["sample"]): row for row in answers if row["kind"] == "hard"}
    for row in apart:
        one, two = ("base", "other") if row["way"] == "forward" else ("other", "base")
        said = texts[one, row["id"], row["sample"]]
        talk = prompt_messages(Maze.from_ascii(said["maze"]))
        prompt = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
        begin, ids = (len(tokenizer(text)["input_ids"]) for text in (prompt, prompt + said["completion"]))
        whole = torch.tensor([tokenizer(prompt + said["completion"])["input_ids"]])
        with torch.no_grad():
            p, q = (
                models[name][0](input_ids=whole).logits[0, begin - 1 :].double().softmax(-1) for name in (one, two)
            )
        assert row["tokens"] == ids - begin + 1
        assert row["nats"] == pytest.approx(float((p * (p / q).log()).sum()), rel=1e-3, abs=1e-4)
    found = results["models"]["other"]["divergence"]
    for way in ("forward", "reverse"):
        nats = [row["nats"] for row in apart if row["way"] == way]
        assert found[way] == pytest.approx(np.mean(nats))
        assert found[way] > 0
    assert (found["start"], found["answers"]) == ("base", 4 * LIMIT)
    assert results["models"]["base"]["divergence"] is None


def test_a_model_is_no_way_from_itself():
    model, tokenizer = load_model("tiny")
    talk = prompt_messages(Maze.from_ascii("#####\n#S G#\n#####"))
    assert divergences(model, model, tokenizer, [Said(talk, "R R")]) == [(pytest.approx(0, abs=1e-6), 3)]


def test_the_habit_goes_straight_on_else_right_left_and_back():
    said = habits(4, 4, HABITS, PLAIN)
    assert len({one.prompt[1]["content"] for one in said}) > 50
    clockwise = "URDL"
    for one in said:
        rows, (r, c), _ = grid_of(one.prompt[1]["content"])
        before, moves = None, one.answer.split()
        assert len(one.chosen) == len(moves)
        for chosen, move in zip(one.chosen, moves):
            ahead = clockwise.index(before or "U")
            order = [clockwise[(ahead + turn) % 4] for turn in ((0, 1, 2, 3) if before is None else (0, 1, 3, 2))]
            ways = [way for way in order if rows[r + STEPS[way][0]][c + STEPS[way][1]] != "#"]
            assert move == ways[0]
            assert chosen == (len([way for way in ways if before is None or way != order[3]]) > 1)
            r, c, before = r + STEPS[move][0], c + STEPS[move][1], move


def test_what_the_embedded_model_still_does_by_habit(measured):
    _, results, _, _ = measured
    model, tokenizer = load_model("tiny")
    right = []
    for one in habits(4, 4, 12, PLAIN):
        prompt = tokenizer.apply_chat_template(one.prompt, tokenize=False, add_generation_prompt=True)
        begin, whole = len(tokenizer(prompt)["input_ids"]), tokenizer(prompt + one.answer)["input_ids"]
        with torch.no_grad():
            likely = model(input_ids=torch.tensor([whole])).logits[0, begin - 1 : -1].argmax(-1).tolist()
        right += [a == b for a, b, chosen in zip(likely, whole[begin:], one.chosen) if chosen]
    assert most_likely(model, tokenizer, habits(4, 4, 12, PLAIN)) == (len(right), pytest.approx(np.mean(right)))
    for found in results["models"].values():
        assert found["plain_text"] is None
        assert found["habit"]["moves"] == sum(sum(one.chosen) for one in habits(4, 4, HABITS, PLAIN))


def test_mazes_with_loops_have_several_shortest_walks():
    found = mazes_with_loops(4, 4, 10, PLAIN)
    assert len(found) == 10
    assert [one.walks for one in found] == [len(all_shortest(one.maze)) for one in found]
    assert shortest_walks(Maze.from_ascii("#####\n#S#G#\n#####")) == 0
    assert mazes_with_loops(2, 1, 10, PLAIN) == []


def test_loops_and_habits_have_the_sizes_of_the_hard_mazes(tmp_path):
    kinds = {"sizes": {"4x4": 1, "5x5": 1}, "generators": {"wilson": 1}, "splits": {"train": 4, "test": 12}}
    build(BuildConfig(name="sizes", split_by="layout", difficulty={"hard": 1}, **kinds), tmp_path / "data")
    asked = find_questions(str(tmp_path / "data"), ["test"], 12)
    assert [one.id.split("-")[1] for one in asked.loops] == ["4x4", "4x4", "5x5"]
    assert [one.prompt for one in asked.habits] == [
        one.prompt for size in (4, 5) for one in habits(size, size, HABITS // 2, style_of(asked.hard[0].prompt))
    ]
    assert even_shares(11, 3) == [4, 4, 3]


def test_choices_are_where_two_ways_do_not_turn_back():
    maze = Maze.from_ascii("#####\n#S  #\n# ###\n#G  #\n#####")
    assert list(are_choices(maze, "RRLL")) == [True, False, False, False]
    assert list(are_choices(maze, "DDR")) == [True, False, False]


def test_an_interrupted_one_asks_what_is_missing_and_ends_with_the_same_figures(
    measured, hard, other, tmp_path, monkeypatch
):
    _, results, answers, _ = measured
    asked, ask = [], asking.asked_now
    words = ({"base": "tiny", "other": str(other)}, {}, str(hard), ["test"], tmp_path / "out")
    options = Options(LIMIT, SAMPLES, batch_size=256)

    def interrupted(loaded, mazes, place, settings):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(place)
        return ask(loaded, mazes, place, settings)

    with monkeypatch.context() as patch:
        patch.setattr(asking, "asked_now", interrupted)
        with pytest.raises(KeyboardInterrupt):
            measure_forgetting(*words, options)
    assert not (tmp_path / "out" / "forgetting.json").exists()
    monkeypatch.setattr(asking, "asked_now", lambda *these: asked.append(these[2]) or ask(*these))
    again = measure_forgetting(*words, options)
    assert asked == ["hard/0", "loops/0"] * 2
    for name, found in again["models"].items():
        assert {**found, "cost": 0} == {**results["models"][name], "cost": 0}
    assert pyarrow.parquet.read_table(tmp_path / "out" / "answers.parquet").to_pylist() == answers


def test_a_model_may_be_named_before_its_start():
    assert starts_first({"grpo": "sft", "sft": "base"}) == ["base", "sft", "grpo"]


def test_an_adapter_that_is_named_before_its_base_is_refused(hard, tmp_path):
    config = {"peft_type": "LORA", "base_model_name_or_path": "tiny", "r": 4, "task_type": "CAUSAL_LM"}
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match=r"'tiny' is the base of the adapter 'sft', .*; name the base first"):
        measure_forgetting({"sft": str(tmp_path / "sft"), "tiny": "tiny"}, {}, str(hard), ["test"], tmp_path / "out")


def test_what_cannot_be_measured_is_one_line(hard, dataset, tmp_path):
    for starts in ({"sft": "nobody"}, {"sft": "sft"}, {"nobody": "base"}):
        with pytest.raises(UsageError, match="expected the names of two of the models"):
            measure_forgetting({"base": "tiny", "sft": "tiny"}, starts, str(hard), ["test"], tmp_path / "out")
    models = {"base": "tiny", "sft": "tiny", "grpo": "tiny"}
    with pytest.raises(UsageError, match=r"--start: (sft|grpo) started from (sft|grpo) started from "):
        measure_forgetting(models, {"sft": "grpo", "grpo": "sft"}, str(hard), ["test"], tmp_path / "out")
    with pytest.raises(UsageError, match=r"splits 'test' and .* share rows of 'test'"):
        measure_forgetting({"base": "tiny"}, {}, str(hard), ["test", "test[:100%]"], tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "forgetting.json").write_text("{}")
    with pytest.raises(UsageError, match=r"forgetting\.json was not written by ascii-maze and would be lost"):
        measure_forgetting({"base": "tiny"}, {}, str(hard), ["test"], tmp_path / "mine")
    values = {"sizes": {"3x3": 1}, "generators": {"prim": 1}, "splits": {"train": 2, "test": 1}}
    build(BuildConfig(name="easy", difficulty={"easy": 1}, **values), tmp_path / "easy")
    with pytest.raises(AsciiMazeError, match=r"no maze of test of '.*' is hard: a rule that plans nothing walks each"):
        measure_forgetting({"base": "tiny"}, {}, str(tmp_path / "easy"), ["test"], tmp_path / "out")


def test_the_table_and_the_command(measured, hard, tmp_path):
    _, results, _, _ = measured
    for name, found in results["models"].items():
        assert len(cells(name, found)) == len(HEADER)
    words = ["base=tiny", "sft=tiny", "--start", "sft"]
    done = subprocess.run(
        [sys.executable, "-m", "ascii_maze", "forgetting", *words, "--dataset", str(hard), "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 2
    assert done.stderr == "ascii-maze: --start sft: expected NAME=NAME\n"
