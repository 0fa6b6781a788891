import json
import os
import subprocess
import sys
import typing

import pyarrow.parquet
import pytest

from ascii_maze import __main__
from ascii_maze.cli import app, main
from ascii_maze.cli.options import finite, named_path
from ascii_maze.mri.options import Options

HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "numba", "numpy", "pyarrow")


def run(*words, stdin=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "ascii_maze", *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["build", "--help"],
        ["train", "--help"],
        ["evaluate", "--help"],
        ["study", "--help"],
        ["push", "--help"],
        ["tokens", "--help"],
        ["prompts", "--help"],
        ["doctor", "--help"],
        ["show", "-h"],
    ],
)
def test_help_imports_nothing_heavy(words):
    program = (
        f"import sys; sys.argv = ['ascii-maze', *{words!r}]\n"
        "from ascii_maze.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    assert done.stdout.rstrip().endswith("heavy: []")
    assert len(words) == 1 or "Example" in done.stdout


@pytest.mark.parametrize(
    "module", ["ascii_maze", "ascii_maze.mazes.generators", "ascii_maze.recipe", "dataset_builder.build"]
)
def test_nothing_imports_torch_before_a_model_is_needed(module):
    program = f"import sys, {module}; print('torch' in sys.modules or 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["build", "dmo"], "no dataset config 'dmo'"),
        (["build", "demo", "--workers", "0"], "--workers must be 1 to "),
        (["build", "demo", "--workers", "100000"], "for each core, not 100000"),
        (["build", "demo", "--limit", "0"], "--limit must be at least 1"),
        (["build", "demo", "--public"], "--public is for --push ORG/NAME"),
        (["build", "demo", "--samples", "4"], "--samples is for --preferences-from MODEL"),
        (["build", "demo", "--thinking"], "--thinking is for --preferences-from MODEL"),
        (["build", "demo", "--preferences-from", "nothing"], "no model 'nothing'"),
        (["build", "demo", "--preferences-from", "nothing", "--dry-run"], "no model 'nothing'"),
        (["build", "demo", "--push", "a b", "--dry-run"], "'a b' is not a repository name"),
        (["train", "recipes/tiny/stf.yaml"], "did you mean 'recipes/tiny/sft.yaml'"),
        (["evaluate", "a=tiny", "a=tiny"], "the name 'a' is taken"),
        (["evaluate", "wall_follower=tiny"], "the name 'wall_follower' is taken"),
        (["evaluate", "tiny", "--samples", "0"], "--samples"),
        (["study", "nothing.yaml"], "no such study file"),
        (["show", "nothing.txt"], "cannot read nothing.txt"),
        (["show", "nothing.parquet"], "cannot read nothing.parquet"),
        (["show", "ORG/mazes", "--answer", "R R"], "--answer is for a text with one maze, and ORG/mazes is not"),
        (["show", "made.parquet", "--marks", "E=G"], "--marks is for a text with one maze"),
        (["show", "--style", "dots"], "--style is for a text with one maze, and ascii-maze is not"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(words, message, tmp_path):
    out = ["--out", tmp_path / "out"] if words[0] in ("build", "evaluate", "study") else []
    done = run(*words, *out)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").glob("*.json"))


@pytest.mark.parametrize(
    ("words", "recipe"),
    [
        (["build", "x" * 5_000], ""),
        (["train", "recipe.yaml", "--dry-run"], "extends: " + "x" * 5_000),
        (["study", "x" * 5_000], ""),
    ],
)
def test_a_name_that_the_system_refuses_is_one_line(words, recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(recipe)
    monkeypatch.setattr("sys.argv", ["ascii-maze", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith("ascii-maze: ")
    assert "File name too long" in said
    assert said.count("\n") == 1
    assert len(said) < 1_100


PATHS = [
    ("build", "--out", ""),
    ("merge", "outputs/sft", "--out", ""),
    ("evaluate", "tiny", "--out", ""),
    ("mri", "--out", " "),
    ("study", "--out", ""),
    ("study", ""),
    ("show", "--html", ""),
    ("prompts", "ascii-maze", "--messages", "--out", ""),
    ("tokens", "tiny", "--maze", " "),
    ("push", "dataset", "", "--repo", "ORG/NAME"),
    ("push", "dataset", "ascii-maze", "--repo", "ORG/NAME", "--results", ""),
]


@pytest.mark.parametrize("words", PATHS)
def test_an_empty_path_is_not_taken_for_the_working_directory(words, tmp_path, monkeypatch, capsys):
    """As `--out "$RESULTS"` gives it where there is no such variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ascii-maze", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("ascii-maze: a path is empty, perhaps of a variable that is not set; ")
    assert not list(tmp_path.iterdir())


def test_every_path_of_every_command_is_read_like_that():
    for command in app.registered_commands:
        for name, hint in typing.get_type_hints(command.callback, include_extras=True).items():
            if "Path" in str(hint):
                option = typing.get_args(hint)[1]
                assert option.parser is named_path, f"{command.callback.__name__}: {name}"


@pytest.mark.parametrize("words", [("annotate", "--bias"), ("evaluate", "tiny", "--temperature")])
@pytest.mark.parametrize("number", ["nan", "inf"])
def test_a_number_is_finite(words, number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ascii-maze", *words, number])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"Invalid value for '{words[-1]}'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_every_number_of_every_command_is_checked_like_that():
    for command in app.registered_commands:
        for name, hint in typing.get_type_hints(command.callback, include_extras=True).items():
            if "float" in str(hint):
                assert typing.get_args(hint)[1].callback is finite, f"{command.callback.__name__}: {name}"


def test_debug_shows_the_traceback():
    assert "Traceback" in run("show", "nothing.txt", "--debug").stderr


def test_show_draws_a_maze_from_stdin_with_its_solution():
    done = run("show", "-", stdin="#####\n#S G#\n#####\n")
    assert done.returncode == 0
    assert "SS••GG" in done.stdout
    assert "optimal        True" in done.stdout


@pytest.mark.parametrize("words", [["show", "-"], ["convert", "-", "--to", "blocks"]])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_that_the_terminal_cannot_show_is_one_line(words, encoding):
    done = run(*words, stdin="#####\n#S G#\n#####\n", PYTHONIOENCODING=encoding)
    assert done.returncode == 1
    assert done.stderr.startswith(r"ascii-maze: the output has '\u2588', which is not in ")
    assert done.stderr.endswith("set PYTHONIOENCODING=utf-8\n")
    assert done.stderr.count("\n") == 1


def test_a_closed_stdin_is_one_line():
    closed = f'exec "{sys.executable}" -m ascii_maze show - <&-'
    done = subprocess.run(["sh", "-c", closed], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (2, "ascii-maze: stdin is closed; name a file\n")


def test_show_refuses_a_bad_maze_with_its_place():
    done = run("show", "-", stdin="S?G")
    assert done.returncode == 2
    assert "row 1, column 2" in done.stderr


def test_build_dry_run_says_what_it_would_build_and_writes_nothing(tmp_path):
    done = run("build", "demo", "--out", tmp_path / "data", "--dry-run", "--json", "--limit", "10")
    plan = json.loads(done.stdout)
    assert sum(quota["count"] for quota in plan if quota["split"] == "train") == 10
    assert not (tmp_path / "data").exists()
    done = run("build", "demo", "--out", tmp_path / "data", "--dry-run")
    assert done.stdout.splitlines()[-1].startswith("total: 9,500 mazes, a row of each in every config: train 6,000, ")
    done = run("build", "demo", "--dry-run", "--preferences-from", "tiny", "--push", "ORG/mazes")
    assert done.stdout.splitlines()[-2:] == [
        "preference: pairs of answers of 'tiny', at most one of a maze",
        "then to ORG/mazes on the Hub, private",
    ]


def test_build_says_whose_answers_the_pairs_of_a_dataset_are(tmp_path):
    run("build", "demo", "--out", tmp_path, "--limit", "2")
    record = json.loads((tmp_path / "build.json").read_text())
    (tmp_path / "build.json").write_text(json.dumps({**record, "preferences_from": {"model": "sft", "samples": 8}}))
    done = run("build", "demo", "--out", tmp_path, "--limit", "2")
    assert done.stdout.splitlines()[0] == "preference holds pairs of 8 answers a maze of 'sft', made before"


def test_a_plan_of_a_study_refuses_the_folder_that_the_study_would(tmp_path):
    (tmp_path / "build.json").write_text("{}")
    done = run("study", "--dry-run", "--out", tmp_path)
    assert done.returncode == 2
    assert "is the folder of a dataset (build.json is in it); name another folder" in done.stderr


def test_build_as_json(tmp_path):
    done = run("build", "demo", "--out", tmp_path / "data", "--limit", "8", "--json")
    assert json.loads(done.stdout)["rows"]["sft/train"] == 8
    assert json.loads((tmp_path / "data" / "build.json").read_text())["seed"] == 0


def test_evaluate_scores_a_file_of_predictions_as_json(dataset, tmp_path):
    rows = pyarrow.parquet.read_table(next((dataset / "prompts").glob("test-*"))).to_pylist()
    answers = "".join(json.dumps({"id": row["id"], "completion": row["solution"]}) + "\n" for row in rows)
    (tmp_path / "made.jsonl").write_text(answers)
    words = ["--dataset", dataset, "--out", tmp_path / "out", "--json"]
    done = run("evaluate", f"made={tmp_path / 'made.jsonl'}", *words)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results == json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["models"]["made"]["test"]["optimal"] == 1
    assert {path.name for path in (tmp_path / "out" / "figures").iterdir()} >= {"validity_by_size.png"}
    refused = run("evaluate", f"made={tmp_path / 'made.jsonl'}", "--split", "test_larger", *words)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "there is no such maze in split 'test_larger'" in refused.stderr


def said_by(monkeypatch, capsys, *words) -> str:
    """What a command prints in this process."""
    monkeypatch.setattr("sys.argv", ["ascii-maze", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (None, 0)
    return capsys.readouterr().out


def test_merge_says_what_the_model_walks_before_and_after(tmp_path, monkeypatch, capsys):
    asked = []

    def merge(*arguments, base, chat):
        asked.append(arguments[:-1])
        return {"mazes": 8, "before": 0.625, "after": 0.75}

    monkeypatch.setattr("ascii_maze.training.merge.merge_adapter", merge)
    words = ("merge", "outputs/sft", "--out", tmp_path, "--dataset", "mazes", "--limit", 8, "--margin", 0.1)
    assert "\x1b" not in said_by(monkeypatch, capsys, *words, "--out", "\x1b[31mred")
    asked.clear()
    told = said_by(monkeypatch, capsys, *words)
    assert told == f"{tmp_path}: 62.5 % valid before merging, 75.0 % after\n"
    assert json.loads(said_by(monkeypatch, capsys, *words, "--json")) == {"mazes": 8, "before": 0.625, "after": 0.75}
    assert asked == [("outputs/sft", tmp_path, ("mazes", "validation", 8), 0.1)] * 2


def test_mri_says_where_each_fine_tune_drifts_most_and_what_is_missing(tmp_path, monkeypatch, capsys):
    results = {
        "models": ["base", "sft"],
        "drift": {"sft": [0.0, 0.5, 0.25]},
        "missing": {"regions": "llm-mri is not installed"},
    }

    def write_report(base, adapters, dataset, split, out, options, on_progress):
        assert (base, adapters, split) == ("tiny", {"sft": "outputs/sft"}, "test")
        assert options == Options(limit=1000, seed=5, cause_mazes=16, maze=None, language="en")
        (out / "mri.json").write_text(json.dumps(results))
        return results

    monkeypatch.setattr("ascii_maze.mri.run.write_report", write_report)
    words = ("mri", "--adapter", "sft=outputs/sft", "--out", tmp_path, "--seed", 5)
    told = said_by(monkeypatch, capsys, *words).splitlines()
    assert told[0] == "sft: layer 1 drifts most, 0.50 of the base's norm"
    assert told[1] == "not in the report: regions: llm-mri is not installed"
    assert str(tmp_path / "report.html") in told[2]
    assert json.loads(said_by(monkeypatch, capsys, *words, "--json")) == results


def test_progress_says_a_line_at_every_tenth_where_there_is_no_terminal(capsys):
    from ascii_maze.terminal import progress

    with progress() as on_progress:
        for done in range(0, 1001, 7):
            on_progress("sft", done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["sft: 0 of 1,000", "sft: 105 of 1,000"]
    assert len(lines) == 10
    with progress(quiet=True) as on_progress:
        on_progress("sft", 1, 1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "place", ["ascii_maze.references.find_reference", "ascii_maze.cli.app", "ascii_maze.cli.main"]
)
def test_an_interrupted_command_says_so_wherever_it_was(place, monkeypatch, capsys):
    """In a command, between them, and while modules are being imported."""

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupt)
    monkeypatch.setattr("ascii_maze.evaluation.show.find_reference", interrupt)
    monkeypatch.setattr("sys.argv", ["ascii-maze", "show", "nothing"])
    with pytest.raises(SystemExit) as stopped:
        __main__.main()
    assert (stopped.value.code, capsys.readouterr().err) == (130, "ascii-maze: interrupted\n")


def test_an_interrupted_training_says_how_to_resume(monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("ascii_maze.launch.train", interrupt)
    monkeypatch.setattr("sys.argv", ["ascii-maze", "train", "recipes/tiny/sft.yaml"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert capsys.readouterr().err.strip().endswith("interrupted; the same command resumes from the last checkpoint")
