"""Evaluation of walks step by step: batches, memory, figures, pictures, and what becomes of an interrupted one."""

import json
import signal
import subprocess
import sys
from xml.etree import ElementTree

import pyarrow
import pyarrow.parquet
import pytest

from ascii_maze import score_path
from ascii_maze.environment.env import WRONG_TEXT, MazeEnv
from ascii_maze.environment.episode import ENDS
from ascii_maze.environment.explorers import ALL_BASELINES
from ascii_maze.environment.prompts import step_rules
from ascii_maze.environment.walks import walk_all
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.evaluation import stepwise
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.output import WRITTEN
from ascii_maze.evaluation.run import evaluate
from ascii_maze.evaluation.schema import read_results
from ascii_maze.evaluation.show import from_predictions
from ascii_maze.evaluation.stepwise import STEP_BASELINES
from ascii_maze.evaluation.walks import STEP_COLUMNS, failure_of_walk, seen_in, walk_svg, without_bumps
from ascii_maze.hub.evidence import find_evidence
from ascii_maze.metrics.path_validity.scoring import FIELDS, parse_moves
from ascii_maze.models.engines import Engine
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.models.turns import within_context

MAP = "#######\n#S    #\n# ### #\n# #G  #\n#######"
KILLED = """
import os, signal, sys
from pathlib import Path
import ascii_maze.evaluation.stepwise
from ascii_maze.evaluation import answers
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
dataset, out, name = sys.argv[1:]
replace = os.replace
def watched(source, target):
    replace(source, target)
    if Path(target).name == name:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = watched
answers.STEPWISE_BATCHES_PER_PART = 1
options = Options(limit=6, batch_size=3, stepwise="window:1", max_moves=4, temperature=1.0)
evaluate({"tiny": "tiny"}, dataset, ["test"], Path(out), options)
"""


class Scripted:
    """An engine whose model answers by a rule, and remembers what it was asked."""

    def __init__(self, rule, context=None):
        self.rule, self.asked, self.seeds = rule, [], []
        self.engine = Engine(load_tokenizer("tiny"), self.complete, {"engine": "scripted"}, context)

    def complete(self, prompts, budget, decoding, on_progress):
        self.asked.append([list(prompt) for prompt in prompts])
        self.seeds.append(decoding.seed)
        return [[self.rule(prompt)] for prompt in prompts]


def rows_of(out):
    return pyarrow.parquet.read_table(out / "predictions.parquet").to_pylist()


@pytest.fixture(scope="module")
def walked(dataset, tmp_path_factory):
    """An evaluation of a model that goes right until a wall, then down, then says nonsense; and of the baselines."""

    def rule(prompt):
        said = sum(message["role"] == "assistant" for message in prompt)
        return "R R R" if said == 0 else "D D" if said == 1 else "the goal is near"

    out, scripted = tmp_path_factory.mktemp("walked"), Scripted(rule)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stepwise, "load_engine", lambda respondent: scripted.engine)
        results = evaluate(
            {"model": "tiny"},
            str(dataset),
            ["test"],
            out,
            Options(limit=12, batch_size=2, pages=True, stepwise="window:1+goal"),
        )
    return out, results, scripted


def test_all_episodes_of_a_part_take_their_turn_together(walked):
    _, _, scripted = walked
    sizes = [len(prompts) for prompts in scripted.asked]
    assert sizes[0] == 8  # four batches of two
    assert len(sizes) <= 2 * 5  # two parts, and at most five turns of each: three errors in a row are the end
    first = scripted.asked[0][0]
    assert [message["role"] for message in first] == ["system", "user"]
    assert [message["role"] for message in scripted.asked[1][0]] == ["system", "user", "assistant", "user"]
    assert scripted.asked[3][0][-1]["content"] == WRONG_TEXT


def test_the_figures_are_those_of_the_walks(walked):
    out, results, _ = walked
    assert results == read_results(out / "results.json")
    assert results["settings"]["stepwise"] == {"observation": "window:1+goal", "max_moves": None}
    assert results["settings"]["system_prompt"] == step_rules(MazeEnv(MAP, "window:1+goal").observation)
    assert list(results["models"]) == ["model", *STEP_BASELINES]
    for name, by_split in results["models"].items():
        rows = [row for row in rows_of(out) if row["model"] == name]
        figures, n = by_split["test"]["stepwise"], len(rows)
        assert (by_split["test"]["n"], n) == (12, 12)
        assert figures["success"] == pytest.approx(sum(row["reaches_goal"] for row in rows) / n)
        assert figures["spl"] == pytest.approx(sum(row["spl"] for row in rows) / n)
        assert figures["bumps"] == pytest.approx(sum(row["wall_hits"] for row in rows) / n)
        assert figures["turns"] == pytest.approx(sum(row["turns"] for row in rows) / n)
        assert figures["loop_rate"] == pytest.approx(sum(row["loops"] / max(1, row["moves"]) for row in rows) / n)
        low, high = figures["success_ci"]
        assert low - 1e-9 <= figures["success"] <= high + 1e-9
        assert sum(figures["ended"].values()) == pytest.approx(1)
        assert set(figures["ended"]) <= set(ENDS)
        assert set(by_split["test"]["by_size"]["4x4"]["stepwise"]) == set(figures)
    best = results["models"]["shortest_path"]["test"]
    assert (best["stepwise"]["spl"], best["stepwise"]["turns"], best["valid"]) == (1.0, 1.0, 1.0)
    assert results["models"]["depth_first"]["test"]["stepwise"]["success"] == 1.0
    assert results["models"]["model"]["test"]["stepwise"]["errors"] > 0


def test_a_row_is_a_walk_that_can_be_made_again(walked):
    out, _, _ = walked
    for row in rows_of(out):
        env = MazeEnv(row["maze"], row["observation"])
        talk = json.loads(row["talk"])
        said = [env.first]
        for role, content in talk:
            if role == "assistant":
                said.append(env.turn(content))
        assert [content for role, content in talk if role == "user"] == said
        found = env.result()
        assert (row["ended"], row["turns"], row["errors"]) == (found.ended, found.turns, found.errors)
        assert (row["loops"], row["spl"], row["reward"]) == (found.loops, found.spl, found.reward)
        assert {name: row[name] for name in FIELDS} == score_path(row["maze"], row["completion"]).to_dict()
        assert (parse_moves(row["completion"]) or "") == found.moves


def test_the_tables_and_the_page_show_them(walked):
    out, results, _ = walked
    report, page = (out / "report.md").read_text(), (out / "gallery.html").read_text()
    rate = f"{100 * results['models']['wall_follower']['test']['stepwise']['success']:.1f}"
    assert f"| test | all | wall_follower | {rate} |" in report
    assert "with window:1+goal in sight" in report
    assert "Step by step, with window:1+goal in sight" in page
    assert 'class="unseen"' in page
    assert "errors after" in page
    drawings = from_predictions(out / "predictions.parquet", 3)
    assert [len(group) for group in drawings] == [1, 1, 1]  # of the model alone


@pytest.mark.parametrize(
    ("turns", "failure"),
    [
        (["R R R R D D L L"], None),
        (["R R R D", "R D D L L"], "loops"),  # it arrives: what it hit on the way is allowed
        (["R R", "L L", "R R R R D D L L"], "loops"),
        (["D D", "stop"], "dead_end"),
        (["R R U", "stop"], "stops_short"),
        (["stop"], "garbage"),
    ],
)
def test_a_walk_fails_by_what_it_does_beside_hitting_walls(turns, failure):
    env = MazeEnv(MAP, "none")
    for turn in turns:
        env.turn(turn)
    assert failure_of_walk(env.maze, env.result()) == failure


def test_no_walk_that_arrives_is_among_those_that_run_into_a_wall(walked):
    out, _, _ = walked
    rows = rows_of(out)
    assert {row["failure"] for row in rows if row["reaches_goal"]} == {None, "loops"}
    assert "wall" not in {row["failure"] for row in rows}


def test_a_row_that_lacks_something_is_shown_as_any_answer(walked, tmp_path):
    out, _, _ = walked
    table = pyarrow.parquet.read_table(out / "predictions.parquet")
    for name in STEP_COLUMNS[:5]:
        place = table.column_names.index(name)
        pyarrow.parquet.write_table(
            table.set_column(place, table.field(name), pyarrow.nulls(len(table), table.field(name).type)),
            tmp_path / "predictions.parquet",
        )
        assert len(from_predictions(tmp_path / "predictions.parquet", 3)) == 3


def test_without_steps_nothing_is_said_of_them(dataset, tmp_path):
    results = evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=2))
    assert "stepwise" not in results["settings"]
    assert "stepwise" not in results["models"]["greedy"]["test"]
    assert {row["turns"] for row in rows_of(tmp_path)} == {None}
    assert "step by step" not in (tmp_path / "report.md").read_text()


def test_several_samples_are_walks_of_their_own(dataset, tmp_path, monkeypatch):
    answers = iter("LRUD" * 1_000)
    scripted = Scripted(lambda prompt: next(answers))
    monkeypatch.setattr(stepwise, "load_engine", lambda respondent: scripted.engine)
    results = evaluate(
        {"m": "tiny"},
        str(dataset),
        ["test"],
        tmp_path,
        Options(limit=2, batch_size=4, baselines=False, samples=3, stepwise="none", max_moves=3),
    )
    assert len(scripted.asked[0]) == 6
    assert len(set(scripted.seeds)) == len(scripted.seeds)  # a turn does not draw what the last one drew
    assert [row["sample"] for row in rows_of(tmp_path)] == [0, 1, 2, 0, 1, 2]
    assert results["models"]["m"]["test"]["samples"] == 3


def test_the_oldest_exchanges_are_forgotten_first():
    tokenizer = load_tokenizer("tiny")
    talk = [{"role": "system", "content": "rules"}, {"role": "user", "content": "#@ #"}]
    for number in range(9):
        talk += [{"role": "assistant", "content": "R " * (number + 1)}, {"role": "user", "content": "#" * 5}]
    kept = within_context(tokenizer, 60, talk, 10)
    assert kept[0] == talk[0]
    assert kept[1:] == talk[-len(kept) + 1 :]
    assert kept[1]["role"] == "user"
    assert 4 <= len(kept) < len(talk)
    assert within_context(tokenizer, None, talk, 10) == talk
    with pytest.raises(AsciiMazeError, match="no observation fits in addition to a turn of 59"):
        within_context(tokenizer, 60, talk, 59)


def test_walks_of_different_lengths_end_each_in_its_turn():
    envs, done, asked = [MazeEnv(MAP, "none") for _ in range(3)], [], []

    def ask(talks, turn):
        asked.append(len(talks))
        return [["stop", "R", "R R R R D D L L"][len(talk) // 2 % 3] for talk in talks]

    walks = walk_all(envs[:1], ask, done.append)
    said = ["start", "R", "moved 1", "R R R R D D L L", "moved 3, wall", "stop", "stopped"]
    assert [message["content"] for message in walks[0].talk] == said
    assert (asked, done) == ([1, 1, 1], [0, 0, 1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stepwise": "window:0"}, "no observation 'window:0'"),
        ({"stepwise": "full", "max_moves": 0}, "max_moves is 0"),
        ({"max_moves": 5}, "--max-moves is for walks step by step"),
    ],
)
def test_what_cannot_be_walked_is_refused(dataset, tmp_path, given, said):
    with pytest.raises(UsageError, match=said):
        evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=2, **given))


def test_names_and_files_that_cannot_walk_are_refused(dataset, tmp_path):
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"id": "x", "completion": "R"}\n')
    with pytest.raises(UsageError, match="'depth_first' is taken by a baseline"):
        evaluate({"depth_first": "tiny"}, str(dataset), ["test"], tmp_path / "a", Options(limit=2, stepwise="none"))
    with pytest.raises(UsageError, match="cannot walk step by step"):
        evaluate({"file": str(answers)}, str(dataset), ["test"], tmp_path / "b", Options(limit=2, stepwise="none"))
    assert set(STEP_BASELINES) <= ALL_BASELINES


def test_a_card_shows_whole_paths(walked, tmp_path):
    out, _, _ = walked
    with pytest.raises(UsageError, match="has step-by-step walks"):
        find_evidence(tmp_path, "tiny", [out])


def test_after_kill_9_a_model_ends_with_the_same_figures(dataset, tmp_path, monkeypatch):
    """Sampled, so that a resumed walk must draw what an uninterrupted one draws."""
    from ascii_maze.evaluation import answers

    monkeypatch.setattr(answers, "STEPWISE_BATCHES_PER_PART", 1)

    def run(out):
        evaluate(
            {"tiny": "tiny"},
            str(dataset),
            ["test"],
            out,
            Options(limit=6, batch_size=3, stepwise="window:1", max_moves=4, temperature=1.0),
        )
        return {name: (out / name).read_bytes() for name in WRITTEN if (out / name).is_file()}

    words = [sys.executable, "-c", KILLED, str(dataset), str(tmp_path / "killed"), "000-000000000.parquet"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "killed" / "results.json").exists()
    part, kept, load = next((tmp_path / "killed").rglob("000-000000000.parquet")), [], stepwise.load_engine
    written = part.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr(stepwise, "load_engine", lambda model: kept.append(part.stat().st_mtime_ns) or load(model))
        resumed = run(tmp_path / "killed")
    assert kept == [written]
    assert resumed == run(tmp_path / "whole")
    assert len(json.loads(rows_of(tmp_path / "whole")[0]["talk"])) >= 3


def test_a_picture_shows_what_was_seen():
    row = {"maze": MAP, "completion": "R R U", "observation": "window:1", "moves": 3, "turns": 2, "ended": "stopped"}
    row["talk"] = json.dumps([["user", "x"], ["assistant", "R R"], ["user", "y"], ["assistant", "U"]])
    svg = ElementTree.fromstring(walk_svg(row))
    classes = [part.get("class") for part in svg]
    assert classes.count("unseen") == classes.count("crash") == 1
    veiled = next(part for part in svg if part.get("class") == "unseen").get("d").count("z")
    seen = {(row, column) for row in (0, 1, 2) for column in range(5)}
    assert seen_in(MazeEnv(MAP).maze, "window:1", ["R R", "U"]) == seen
    assert veiled == 5 * 7 - len(seen)
    assert len(seen_in(MazeEnv(MAP).maze, "full", [])) == 35
    assert seen_in(MazeEnv(MAP).maze, "none", ["R R", "no", "U"]) == {(1, 1), (1, 2), (1, 3)}
    assert seen_in(MazeEnv(MAP).maze, "local", []) == {(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)}
    assert seen_in(MazeEnv(MAP).maze, "local", ["R", "R R"], 2) == {
        (0, 1),
        (1, 0),
        (2, 1),
        *((1, x) for x in (1, 2, 3)),
    } | {(0, 2), (2, 2)}
    assert without_bumps(MazeEnv(MAP).maze, "URRUD") == ("RR", [(0, 1), (0, 3), (2, 3)])
