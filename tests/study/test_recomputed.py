"""Every figure of a study's results.json, once more from predictions.parquet and metrics.json, by NumPy alone."""

import itertools
import json
import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from ascii_maze.study.plan import plan
from ascii_maze.study.report import write_report
from ascii_maze.study.results import gather
from ascii_maze.study.runner import Progress
from ascii_maze.study.schema import read_results

from .answered import OWN_ANSWERS, SKILL, SPLITS, STUDY, answer_study, lost

PAIRS = [("sft", "base"), ("dpo", "sft"), ("grpo", "sft"), ("grpo", "dpo")]
RATES = ("valid", "optimal", "reaches_goal", "legal", "parsed", "parsed_lenient", "valid_lenient")
GRID = np.linspace(-25, 25, 200_001)
POINTS = np.sinh(GRID)


@pytest.fixture(scope="module")
def studied(dataset, tmp_path_factory):
    """The study's results.json and the rows of all its predictions.parquet, with their seeds."""
    out = answer_study(dataset, tmp_path_factory.mktemp("answered"))
    write_report(gather(STUDY, [], out), STUDY, out)
    rows = []
    for seed in STUDY.seeds:
        file = out / f"seed-{seed}" / "evaluation" / "predictions.parquet"
        rows += [{**row, "seed": seed} for row in pyarrow.parquet.read_table(file).to_pylist()]
    return json.loads((out / "results.json").read_text()), rows, out


@pytest.mark.parametrize("stage", ["evaluate-1", "train-sft-0"])
def test_what_would_have_to_be_run_again_is_not_among_the_results(studied, stage):
    results, _, out = studied
    stages = plan(STUDY, out)
    progress = [Progress(one, "waiting" if one.name == stage else "kept") for one in stages]
    found = gather(STUDY, progress, out)
    seeds = {seed for of in found["models"].values() for cell in of.values() for seed in cell["seeds"]}
    costs = {(name, row["seed"]) for name, rows in found["training"].items() for row in rows}
    before = {(name, row["seed"]) for name, rows in results["training"].items() for row in rows}
    if stage == "evaluate-1":
        assert seeds == {"0"}
        assert costs == before
    else:
        assert before - costs == {("sft", 0)}
        assert all(row["chain_tokens"] is None for row in found["training"]["dpo"] if row["seed"] == 0)


def column(rows, name, split, seed, rate) -> np.ndarray:
    found = [row for row in rows if (row["model"], row["split"], row["seed"]) == (name, split, seed)]
    return np.array([row[rate] for row in sorted(found, key=lambda row: row["id"])], dtype=float)


def both(rows, name, split, rate) -> np.ndarray:
    return np.stack([column(rows, name, split, seed, rate) for seed in STUDY.seeds])


def student(df: float) -> np.ndarray:
    """Student's distribution function at `POINTS`."""
    density = np.exp(-(df + 1) / 2 * np.log1p(POINTS**2 / df)) * np.cosh(GRID)
    whole = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return whole / whole[-1]


def above(t: float, df: float) -> float:
    """How often Student's t is above `t`."""
    return 1 - float(np.interp(math.asinh(t), GRID, student(df)))


def quantile(share: float, df: float) -> float:
    return math.sinh(float(np.interp(share, student(df), GRID)))


def wilson(rate: float, n: int) -> list[float]:
    z = 1.959964
    centre, spread = rate + z**2 / (2 * n), z * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return [(centre - spread) / (1 + z**2 / n), (centre + spread) / (1 + z**2 / n)]


def squares(d: np.ndarray) -> tuple[float, float, float]:
    seeds, mazes = d.shape
    rows, columns = d.mean(1, keepdims=True), d.mean(0, keepdims=True)
    rest = d - rows - columns + d.mean()
    return (
        mazes * float(((rows - d.mean()) ** 2).sum()) / (seeds - 1),
        seeds * float(((columns - d.mean()) ** 2).sum()) / (mazes - 1),
        float((rest**2).sum()) / ((seeds - 1) * (mazes - 1)),
    )


def error_and_df(of_seeds, of_mazes, of_both, seeds, mazes, df_seeds) -> tuple[float, float]:
    of_seeds, of_mazes = max(of_seeds, of_both), max(of_mazes, of_both)
    total = of_seeds + of_mazes - of_both
    df = total**2 / (of_seeds**2 / df_seeds + of_mazes**2 / (mazes - 1) + of_both**2 / ((seeds - 1) * (mazes - 1)))
    return max(math.sqrt(total / (seeds * mazes)), 1 / mazes), df


def expected_contrasts(rows, split, rate) -> list[dict]:
    """The contrasts of one split and outcome, uncorrected and corrected."""
    d = [both(rows, a, split, rate) - both(rows, b, split, rate) for a, b in PAIRS]
    found = [squares(one) for one in d]
    seeds, mazes = d[0].shape
    pooled = max(0.0, float(np.mean([(s - e) / mazes for s, _, e in found])))
    names = sorted({name for pair in PAIRS for name in pair})
    signs = np.array([[(name == a) - (name == b) for name in names] for a, b in PAIRS]) / math.sqrt(2)
    in_effect = len(PAIRS) ** 2 / float(((signs @ signs.T) ** 2).sum())
    contrasts = []
    for one, (s, m, e) in zip(d, found):
        estimates = [
            error_and_df(s, m, e, seeds, mazes, seeds - 1),
            error_and_df(max(s, e + mazes * pooled), m, e, seeds, mazes, (seeds - 1) * in_effect),
        ]
        mean = float(one.mean())
        p_own, p_shared = (2 * above(abs(mean) / error, df) for error, df in estimates)
        alike_own, alike_shared = (above((STUDY.margin - abs(mean)) / error, df) for error, df in estimates)
        half, half90 = (max(quantile(q, df) * error for error, df in estimates) for q in (0.975, 0.95))
        contrasts.append(
            {
                "difference": mean,
                "ci": [max(-1.0, mean - half), min(1.0, mean + half)],
                "ci90": [max(-1.0, mean - half90), min(1.0, mean + half90)],
                "p": max(p_own, p_shared),
                "p_equivalent": max(alike_own, alike_shared),
                "of_p": (p_own, p_shared),
                "of_equivalent": (alike_own, alike_shared),
                "variance": {"seeds": max(s - e, 0) / mazes, "mazes": max(m - e, 0) / seeds,
                             "both": e, "pooled": pooled},
            }
        )  # fmt: skip
    for key, of in (("p_holm", "of_p"), ("p_equivalent_holm", "of_equivalent")):
        least = 0.0
        for place, index in enumerate(np.argsort([one[of][1] for one in contrasts])):
            least = max(least, min(1.0, contrasts[index][of][1] * (len(PAIRS) - place)))
            contrasts[index][key] = max(contrasts[index][of][0], least)
    return contrasts


def test_rates_and_their_intervals(studied):
    results, rows, _ = studied
    assert {row["model"] for row in rows} == set(results["models"])
    for name, by_split in results["models"].items():
        for split, cell in by_split.items():
            for rate in RATES:
                values = both(rows, name, split, rate)
                assert cell[rate] == pytest.approx(values.mean())
                for place, seed in enumerate(STUDY.seeds):
                    assert cell["seeds"][str(seed)][rate] == pytest.approx(values[place].mean())
            for rate in ("valid", "optimal"):
                values = both(rows, name, split, rate)
                assert cell["n"] == values.shape[1]
                expected = wilson(values[0].mean(), values.shape[1])
                if (values[0] != values[1]).any():
                    error, df = error_and_df(*squares(values), *values.shape, 1)
                    half = quantile(0.975, df) * error
                    expected = [max(0.0, values.mean() - half), min(1.0, values.mean() + half)]
                assert cell[f"{rate}_ci"] == pytest.approx(expected, abs=1e-5)


def test_rates_by_size_and_rules_and_at_decisions(studied):
    results, rows, _ = studied
    for name, by_split in results["models"].items():
        for split, cell in by_split.items():
            mine = [row for row in rows if (row["model"], row["split"]) == (name, split)]
            for size, of_size in cell["by_size"].items():
                values = [row["valid"] for row in mine if row["size"] == size]
                width, height = map(int, size.split("x"))
                shown = {"width": width, "height": height, "n": len(values) / 2}
                assert of_size == {**shown, "valid": pytest.approx(np.mean(values))}
            for part in ("easy", "hard"):
                found = [row for row in mine if (row["solved_by"] == "") == (part == "hard")]
                if not found:
                    assert part not in cell["by_rules"]
                    continue
                rates = {rate: pytest.approx(np.mean([row[rate] for row in found])) for rate in ("optimal", "valid")}
                assert cell["by_rules"][part] == {"n": len(found) / 2, **rates}
            n, right, against, right_against = (
                int(np.sum([row[f"decisions{key}"] for row in mine]))
                for key in ("", "_right", "_against_greedy", "_right_against_greedy")
            )
            for part, made, good in (
                (cell["decisions"], n, right),
                (cell["decisions"]["greedy_right"], n - against, right - right_against),
                (cell["decisions"]["greedy_wrong"], against, right_against),
            ):
                assert (part["n"], part["right"]) == (made, pytest.approx(good / made))


def test_contrasts(studied):
    results, rows, _ = studied
    assert len(results["contrasts"]) == len(PAIRS) * len(SPLITS) * 2
    for split in SPLITS:
        for rate in ("optimal", "valid"):
            found = [one for one in results["contrasts"] if (one["split"], one["outcome"]) == (split, rate)]
            assert [(one["a"], one["b"]) for one in found] == PAIRS
            planned = (split, rate) == ("test", "optimal")
            for one, expected in zip(found, expected_contrasts(rows, split, rate), strict=True):
                assert one["planned"] == planned
                assert (one["seeds"], one["mazes"]) == ([0, 1], 32 if split == "test" else 16)
                for key in ("difference", "ci", "ci90", "p", "p_equivalent", "variance"):
                    assert one[key] == pytest.approx(expected[key], abs=1e-5), key
                for key in ("p_holm", "p_equivalent_holm"):
                    assert one[key] == (pytest.approx(expected[key], abs=1e-5) if planned else None)
                assert one["verdict"] == expected_verdict(expected) if planned else "exploratory"


def test_the_smallest_effect_is_shown_by_four_of_five_such_studies(studied):
    """By differences of every seed and maze, drawn with the variances of the results."""
    results, _, _ = studied
    tests = {True: len(PAIRS), False: 1}
    checked = 0
    for one in results["contrasts"]:
        if one["smallest"] is not None and one["outcome"] == "optimal":
            checked += 1
            assert share_shown(one, one["smallest"], tests[one["planned"]]) == pytest.approx(0.8, abs=0.03)
        elif one["outcome"] == "optimal":
            assert share_shown(one, 1.0, tests[one["planned"]]) < 0.83
    assert checked


def share_shown(one: dict, effect: float, tests: int, studies: int = 4000) -> float:
    """How many simulated studies show a true difference."""
    rng = np.random.default_rng(1)
    seeds, mazes, variance = len(one["seeds"]), one["mazes"], one["variance"]
    of_seeds = max(variance["seeds"], variance["pooled"])
    names = sorted({name for pair in PAIRS for name in pair})
    signs = np.array([[(name == a) - (name == b) for name in names] for a, b in PAIRS]) / math.sqrt(2)
    in_effect = len(PAIRS) ** 2 / float(((signs @ signs.T) ** 2).sum())
    shown = 0
    for _ in range(studies):
        d = effect + math.sqrt(of_seeds) * rng.standard_normal((seeds, 1))
        d = d + math.sqrt(variance["mazes"]) * rng.standard_normal(mazes)
        d = d + math.sqrt(variance["both"]) * rng.standard_normal((seeds, mazes))
        s, m, e = squares(d)
        # The pairs that it is pooled with, as so many independent ones.
        df = (seeds - 1) * (in_effect - 1)
        others = (variance["both"] + mazes * variance["pooled"]) * rng.chisquare(df) / df
        pooled = (s + (in_effect - 1) * others) / in_effect
        own = error_and_df(s, m, e, seeds, mazes, seeds - 1)
        shared = error_and_df(max(s, pooled), m, e, seeds, mazes, (seeds - 1) * in_effect)
        mean = abs(float(d.mean()))
        shown += mean > critical(0.975, own[1]) * own[0] and mean > critical(1 - 0.025 / tests, shared[1]) * shared[0]
    return shown / studies


@cache
def critical_at(share: float, place: int) -> float:
    return math.log(quantile(share, math.exp(place / 50)))


def critical(share: float, df: float) -> float:
    """`quantile`, interpolated between degrees of freedom 2 % apart."""
    place = math.floor(50 * math.log(df))
    left = 50 * math.log(df) - place
    return math.exp((1 - left) * critical_at(share, place) + left * critical_at(share, place + 1))


def expected_verdict(one: dict) -> str:
    if one["p_holm"] >= 0.05:
        return "equivalent" if one["p_equivalent_holm"] < 0.05 else "not shown"
    return "more" if one["difference"] > 0 else "fewer"


def sign_test(won: int, lost: int) -> float:
    n, k = won + lost, min(won, lost)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


def test_tests_of_each_seed(studied):
    """McNemar's exact tests in the evaluations of the study, of all pairs of models, with Holm's correction."""
    _, rows, out = studied
    for seed in STUDY.seeds:
        tests = json.loads((out / f"seed-{seed}" / "evaluation" / "results.json").read_text())["paired"]
        pairs = [
            (split, *pair) for split in SPLITS for pair in itertools.combinations(("base", "sft", "dpo", "grpo"), 2)
        ]
        assert [(test["split"], test["a"], test["b"]) for test in tests] == pairs
        least = 0.0
        for place, test in enumerate(sorted(tests, key=lambda test: test["p"])):
            a, b = (column(rows, test[key], test["split"], seed, "optimal") for key in "ab")
            only_a, only_b = int(np.sum(a > b)), int(np.sum(b > a))
            assert (test["outcome"], test["only_a"], test["only_b"]) == ("optimal", only_a, only_b)
            assert test["p"] == pytest.approx(sign_test(only_a, only_b))
            least = max(least, min(1.0, test["p"] * (len(tests) - place)))
            assert test["p_holm"] == pytest.approx(least)


def test_costs_along_the_chain(studied):
    results, _, out = studied
    rests = {"sft": [], "dpo": ["sft"], "reward": ["sft"], "grpo": ["sft"]}
    starts = {"sft": "base", "dpo": "sft", "reward": "sft", "grpo": "sft"}
    for name, costs in results["training"].items():
        assert [cost["seed"] for cost in costs] == STUDY.seeds
        for cost in costs:
            runs = [
                json.loads((out / f"seed-{cost['seed']}" / run / "metrics.json").read_text())
                for run in (name, *rests[name])
            ]
            for key in ("method", "steps", "samples", "peak_memory_bytes", "device", "budget"):
                assert cost[key] == runs[0][key]
            assert (cost["start"], cost["chain"]) == (starts[name], rests[name])
            sampled = OWN_ANSWERS if name == "dpo" else {"tokens": 0, "seconds": 0}
            assert (cost["tokens"], cost["sampled_tokens"]) == (runs[0]["tokens"], sampled["tokens"])
            assert cost["seconds"] == runs[0]["seconds"] + sampled["seconds"]
            assert cost["chain_tokens"] == sum(run["tokens"] for run in runs)
            assert cost["chain_seconds"] == sum(run["seconds"] for run in runs) + sampled["seconds"]
            assert cost["mazes"] == (40 if name == "dpo" else min(500, 640 // (8 if name == "grpo" else 1)))
            assert cost["selected_on"] == "validation"


def test_no_method_gains_from_its_place(studied):
    """The same trials, of what a run costs, and the same selection: by what the study itself has recorded."""
    results, _, _ = studied
    walkers = {name: costs for name, costs in results["training"].items() if costs[0]["method"] != "reward"}
    assert set(walkers) == {"sft", "dpo", "grpo"}
    assert {cost["selected_on"] for costs in walkers.values() for cost in costs} == {"validation"}
    tunings = [cost["tuning"] or {} for costs in walkers.values() for cost in costs]
    for key in ("trials", "settings", "selected_on"):
        assert len({tuning.get(key) for tuning in tunings}) == 1
    assert all(tuning.get("holds", True) for tuning in tunings)
    tokens = ("tokens of all their training", "Tokens read in all their training")  # unequal by design
    assert not [sentence for sentence in results["unequal"] if not any(words in sentence for words in tokens)]


def test_what_was_lost_is_the_mean_of_the_seeds(studied):
    results, _, out = studied
    assert list(results["forgetting"]) == ["base", "sft", "dpo", "grpo"]
    for name, found in results["forgetting"].items():
        assert found["seeds"] == {str(seed): lost(seed)[name] for seed in STUDY.seeds}
        mean = found["mean"]
        assert mean["pass_at"]["optimal"] == {"1": pytest.approx(0.4), "8": 0.5, "64": 0.75}
        assert (mean["loops"]["found"], mean["habit"]["right"]) == (2.5, pytest.approx(0.75))
        assert mean["cost"]["tokens"] == 90_000.5
        start = {"base": None, "sft": "base"}.get(name, "sft")
        assert mean["divergence"] == (
            start and {"start": start, "answers": 36, "forward": pytest.approx(1.75), "reverse": 0.5}
        )
    row = "dpo | 40.0 | 50.0 | 75.0 | 2.5 (50) | 1.75 | 0.50 | habit 75.0"
    assert f"| {row} |" in (out / "report.md").read_text()
    page = (out / "report.html").read_text()
    assert 'id="lost"' in page
    assert "".join(f"<td>{cell}</td>" for cell in row.split(" | ")) in page
    measured = f"Means over the seeds numbered {', '.join(map(str, STUDY.seeds))}. pass@k"
    assert measured in page
    assert measured in (out / "report.md").read_text()


def test_the_report_says_what_the_results_say(studied):
    results, _, out = studied
    page, text = (out / "report.html").read_text(), (out / "report.md").read_text()
    for sentence in results["findings"]:
        assert sentence in text
    for one in results["contrasts"]:
        assert (
            f"| {one['a']} - {one['b']} | {one['split']} | {one['outcome']} | {100 * one['difference']:+.1f} |" in text
        )
    cell = results["models"]["dpo"]["test"]
    for written in (page, text):
        assert f"{100 * cell['optimal']:.1f}" in written
        assert f"{100 * cell['decisions']['right']:.1f} (" in written
        assert "best rule: " in written
    assert "| random_walk |" not in text
    low, high = cell["optimal_ci"]  # in the first table, where splits are columns
    beside = f"<td>dpo</td><td>{100 * cell['optimal']:.1f} ({100 * low:.1f} - {100 * high:.1f})</td>"
    assert beside in page.partition("<details><summary>All rates")[0]
    assert page.count('class="plot"') == 4


def test_names_and_notes_are_no_markup_of_the_report(studied, tmp_path):
    _, _, out = studied
    shutil.copytree(out, tmp_path / "out")
    results = gather(STUDY, [], out)
    stage = {"name": "train-sft-0", "state": "failed", "note": "`<i>x`", "seconds": 1.0, "command": "ascii-maze"}
    write_report({**results, "stages": [stage]}, replace(STUDY, base="models/<b>x"), tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "teach models/&lt;b>x, and" in text
    assert "**train-sft-0** failed: `'<i>x'`" in text


@pytest.mark.filterwarnings("error")
def test_runs_that_never_evaluate_have_no_learning_curve(studied, tmp_path):
    _, _, out = studied
    shutil.copytree(out, tmp_path / "out")
    for file in (tmp_path / "out").rglob("metrics.json"):
        file.write_text(
            json.dumps({**json.loads(file.read_text()), "history": [{"step": 10, "tokens": 9, "reward": 1}]})
        )
    write_report(gather(STUDY, [], tmp_path / "out"), STUDY, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count('class="plot"') == 3
    assert "Learning curves" not in page
    assert "Reward and validity" not in page


def test_the_page_in_portuguese_has_the_same_figures(studied):
    results, _, out = studied
    page = (out / "report.html").read_text()
    write_report(results, STUDY, out, "pt")
    other = (out / "report.html").read_text()
    write_report(results, STUDY, out)
    assert (out / "report.html").read_text() == page
    assert '<html lang="pt-BR">' in other
    assert "Conclusões" in other
    assert "Findings" not in other
    assert other.count("<svg") == page.count("<svg")
    assert other.count("<td") == page.count("<td")


def test_the_page_of_the_benchmark_has_these_figures_and_keeps_what_was_written_by_hand(studied, tmp_path):
    """`benchmarks/methods.py`, which is run as a program."""
    results, study, page = studied[0], tmp_path / "study", tmp_path / "METHODS.md"
    stage = {"name": "build", "state": "kept", "command": f"ascii-maze build demo --out {study}/dataset"}
    study.mkdir()
    (study / "results.json").write_text(json.dumps({**results, "stages": [stage]}))
    page.write_text("# Of old\n\n## Interpretation\n\n- By hand.\n")
    program = Path(__file__).resolve().parents[2] / "benchmarks" / "methods.py"
    subprocess.run([sys.executable, str(program), str(study), "--page", str(page)], check=True, timeout=120)
    text = page.read_text()
    assert "Of old" not in text
    assert text.endswith("## Interpretation\n\n- By hand.\n")
    for name in SKILL:
        seeds = results["models"][name]["test"]["seeds"]
        cells = " | ".join(f"{100 * seeds[seed]['optimal']:.1f}" for seed in ("0", "1"))
        assert f"\n| {name} | {cells} |\n" in text
    planned = [f"{one['a']} - {one['b']}" for one in results["contrasts"] if one["planned"]]
    shown = re.findall(r"^\| (\w+ - \w+) \|", text, re.MULTILINE)
    assert shown == planned
    record = json.loads((tmp_path / "methods.json").read_text())
    assert record["stages"][0]["command"] == "ascii-maze build demo --out study/dataset"
    assert record["models"] == results["models"]
    assert len(record["contrasts"]) == len(planned) < len(results["contrasts"])


def test_seeds_that_were_stored_give_the_same_study(studied, tmp_path):
    """`benchmarks/seeds.py`, which is run as a program."""
    results, _, out = studied
    stored, again = tmp_path / "stored", tmp_path / "again"
    program = [sys.executable, str(Path(__file__).resolve().parents[2] / "benchmarks" / "seeds.py")]
    where = ["--stored", str(stored), "--study", str(out / "study.yaml")]
    for words in (["store", str(out)], ["read", str(again)], ["store", str(again)]):
        bytes_of = {path.name: path.read_bytes() for path in stored.glob("*")}
        subprocess.run([*program, *words, *where], check=True, timeout=120)
    assert sorted(bytes_of) == ["seed-0.zip", "seed-1.zip"]
    assert bytes_of == {path.name: path.read_bytes() for path in stored.glob("*")}
    found = read_results(again)
    for key in ("models", "contrasts", "findings", "training"):
        assert found[key] == results[key], key
    assert (again / "report.html").is_file()
    refused = subprocess.run([*program, "read", str(again), *where], capture_output=True, text=True, timeout=120)
    assert refused.returncode == 1
    assert "exists; name a new folder" in refused.stderr
