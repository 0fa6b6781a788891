"""The results of an evaluation as tables: for the terminal, a page, and report.md."""

from ..mazes.failures import FAILURES
from ..models.sources import loaded_in_words
from ..templating import plain
from .findings import findings, p_text
from .schema import COMPARED, LengthCurve, PairedTest, Rate, Results

# The rates of `TABLE_HEADER`; the interval of the first comes second.
SHOWN: tuple[Rate, ...] = ("valid", "optimal", "legal", "reaches_goal")
TABLE_HEADER = ("split", "size", "model", "n", "valid", "95 %", "shortest", "legal", "arrives")


def table_rows(results: Results) -> list[tuple[str, ...]]:
    """The table of results as text, rates in per cent; see `TABLE_HEADER`."""
    table = []
    for name, by_split in results["models"].items():
        for split, summary in by_split.items():
            sizes = summary["by_size"] if len(summary["by_size"]) > 1 else {}
            for size, cell in {**sizes, "all": summary}.items():
                low, high = cell["valid_ci"]
                rates = [f"{100 * cell[rate]:.1f}" for rate in SHOWN]
                rates.insert(1, f"{100 * low:.1f} - {100 * high:.1f}")
                table.append((split, size, name, str(cell["n"]), *rates))
    return grouped(table)


def grouped(table: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows of a table with those of one split and size together, in the order in which these first occur."""
    order = {key: place for place, key in enumerate(dict.fromkeys((row[0], row[1]) for row in table))}
    return sorted(table, key=lambda row: order[row[0], row[1]])


def by_split_first(table: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows of a table with those of one split together, in the order in which splits first occur."""
    splits = [row[0] for row in table]
    return sorted(table, key=lambda row: splits.index(row[0]))


def sample_rows(results: Results) -> list[tuple[str, ...]]:
    """Of results with several samples, pass@k and the majority vote in per cent, under a header; nothing without."""
    table: list[tuple[str, ...]] = []
    for name, by_split in results["models"].items():
        for split, summary in by_split.items():
            if "samples" in summary:
                header = ("split", "model", *(f"pass@{k}" for k in summary["pass_at"]), "majority", "95 %")
                table = table or [header]
                low, high = summary["majority_ci"]
                rates = [f"{100 * rate:.1f}" for rate in (*summary["pass_at"].values(), summary["majority"])]
                table.append((split, name, *rates, f"{100 * low:.1f} - {100 * high:.1f}"))
    return table


STEP_HEADER = (
    "split",
    "size",
    "model",
    "success",
    "95 %",
    "shortest",
    "SPL",
    "loop rate",
    "bumps",
    "moves",
    "turns",
    "looks",
    "errors",
)


# The columns that fit a terminal.
STEPS_IN_TERMINAL = ("size", "model", "success", "95 %", "shortest", "SPL", "loop rate", "bumps", "turns")
STEPS_EXPLAINED = (
    "Walked step by step, with {observation} in sight. `success`: ends on G, moves against walls (`bumps`) allowed; "
    "`valid` above allows none. `SPL`: success weighted by the share of the way that was needed (Anderson et al., "
    "2018). `loop rate`: share of a walk's moves that were made before from the same place. The last five columns are "
    "means of a walk; `errors` are turns that were no move."
)


def step_rows(results: Results) -> list[tuple[str, ...]]:
    """The table of walks step by step, under `STEP_HEADER`: rates in per cent, then means of a walk; or nothing."""
    table = []
    for name, by_split in results["models"].items():
        for split, summary in by_split.items():
            sizes = summary["by_size"] if len(summary["by_size"]) > 1 else {}
            for size, cell in {**sizes, "all": summary}.items():
                if "stepwise" in cell:
                    steps = cell["stepwise"]
                    low, high = steps["success_ci"]
                    rates = [steps["success"], steps["optimal"], steps["spl"], steps["loop_rate"]]
                    shown = [f"{100 * rate:.1f}" for rate in rates]
                    shown.insert(1, f"{100 * low:.1f} - {100 * high:.1f}")
                    counts = (steps["bumps"], steps["moves"], steps["turns"], steps["looks"], steps["errors"])
                    table.append((split, size, name, *shown, *(f"{count:.1f}" for count in counts)))
    return grouped(table)


READINGS_HEADER = ("split", "model", "parsed", "parsed, lenient", "valid", "valid, lenient")


def reading_rows(results: Results) -> list[tuple[str, ...]]:
    """For each split and model, the share of answers in which the strict and the lenient reading find a path, and a
    valid one, in per cent; see `READINGS_HEADER`.
    """
    table: list[tuple[str, ...]] = []
    for name, by_split in results["models"].items():
        for split, summary in by_split.items():
            if "valid_lenient" in summary:  # results of an earlier version have only one reading
                parsed, valid = summary["parsed_lenient"], summary["valid_lenient"]
                rates = (summary["parsed"], parsed, summary["valid"], valid)
                table.append((split, name, *(f"{100 * rate:.1f}" for rate in rates)))
    return by_split_first(table)


PLANNING_HEADER = ("split", "model", "easy", "shortest on easy", "hard", "shortest on hard", "at decisions", "where")
PLANNING_EXPLAINED = (
    "A maze is `hard` if no rule that plans nothing walks it by a shortest path (greedy, either hand on the wall, "
    "straight on), else `easy`. `at decisions`: moves that bring the goal nearer, where one way does and another does "
    "not; `where`: the same where the greedy rule is right / where it is wrong."
)


def planning_rows(results: Results) -> list[tuple[str, ...]]:
    """For each split and model, shortest paths on easy and hard mazes, and right moves at decisions, in per cent."""
    table: list[tuple[str, ...]] = []
    for name, by_split in results["models"].items():
        for split, summary in by_split.items():
            # Results of an earlier version, and mazes without a path, know neither.
            found = results["analysis"].get(name, {}).get(split)
            parts = found["by"].get("solved_by") if found else None
            decisions = summary.get("decisions")
            if not parts or not decisions:
                continue
            strata = [
                cell
                for part in ("easy", "hard")
                for cell in ((str(parts[part]["n"]), _share(parts[part]["optimal"])) if part in parts else ("0", ""))
            ]
            where = " / ".join(_share(decisions[part]["right"]) for part in ("greedy_right", "greedy_wrong"))
            table.append((split, name, *strata, _share(decisions["right"]), where))
    return by_split_first(table)


def _share(rate: float | None) -> str:
    """A rate in per cent; empty for none."""
    return "" if rate is None else f"{100 * rate:.1f}"


def thought_rows(results: Results) -> list[tuple[str, ...]]:
    """For each split and model that reasons before it answers, length and truth of its reasoning, in per cent."""
    table: list[tuple[str, ...]] = []
    for name, by_split in results["models"].items():
        for split, summary in by_split.items():
            if thoughts := summary.get("thoughts"):
                true = "" if thoughts["true"] is None else f"{100 * thoughts['true']:.1f}"
                rates = f"{100 * thoughts['share']:.1f}", f"{thoughts['length']:,.0f}", true
                table.append((split, name, *rates, f"{100 * thoughts['valid_but_false']:.1f}"))
    return table


def loading_rows(results: Results) -> list[tuple[str, str]]:
    """Each way in which models were loaded, in words, with the models loaded so; files of answers are left out."""
    models_by_words: dict[str, list[str]] = {}
    for name, facts in results["settings"].get("loaded", {}).items():
        if "dtype" in facts:
            models_by_words.setdefault(loaded_in_words(facts), []).append(name)
    return [(", ".join(names), words) for words, names in models_by_words.items()]


def exact_rates(results: Results) -> dict[str, dict[str, float]]:
    """Split -> model -> share of answers that are the dataset's own solution, where there are solutions."""
    rates: dict[str, dict[str, float]] = {}
    for name, by_split in results["models"].items():
        for split, summary in by_split.items():
            if "exact" in summary:
                rates.setdefault(split, {})[name] = summary["exact"]
    return rates


def _markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return ["| " + " | ".join(map(plain, row)) + " |" for row in (header, ["---"] * len(header), *rows)]


def render_markdown(results: Results) -> str:
    """The results as a Markdown report."""
    lines = ["# Path validity", "", *(f"- {plain(sentence)}" for sentence in findings(results)), ""]
    lines += [*_markdown(TABLE_HEADER, table_rows(results)), ""]
    if sampled := sample_rows(results):
        lines += [
            f"Rates above are means over {results['settings']['decoding']}.",
            "",
            *_markdown(sampled[0], sampled[1:]),
        ]
        lines.append("")
    if steps := step_rows(results):
        lines += [*_markdown(STEP_HEADER, steps), "", STEPS_EXPLAINED.format(**results["settings"]["stepwise"]), ""]
    lines += [
        "Rates in per cent; 95 % intervals are Wilson's. `shortest`: as short as a path can be. `arrives`: ends on G, "
        "blocked moves ignored.",
    ]
    lines += [f"- {plain(names)}: loaded {plain(words)}" for names, words in loading_rows(results)]
    for split, rates in exact_rates(results).items():
        said = ", ".join(f"{plain(name)} {100 * rate:.1f}" for name, rate in rates.items())
        lines.append(f"- {plain(split)}: equal to the reference solution, move for move: {said}")
    for test in results["paired"]:
        lines.append(
            f"- {plain(test['split'])}, {COMPARED[test['outcome']]}: {plain(test['a'])} alone {test['only_a']}, "
            f"{plain(test['b'])} alone {test['only_b']} "
            f"(exact McNemar, Holm-corrected p {p_text(test['p_holm'])}{_ratio_text(test)})"
        )
    if planning := planning_rows(results):
        lines += ["", "## Planning", "", *_markdown(PLANNING_HEADER, planning), "", PLANNING_EXPLAINED]
    lines += [
        "",
        "## Two readings",
        "",
        *_markdown(READINGS_HEADER, reading_rows(results)),
        "",
        "Strict: the answer is a path and nothing else. Lenient: a path is found in a longer text too, which tells a "
        "lack of format from a lack of skill.",
        "",
        *_thoughts(results),
        "## How answers fail",
        "",
        "| split | model | validity is one half at | failures |",
        "|---|---|---|---|",
    ]
    for name, by_split in results["analysis"].items():
        for split, analysis in by_split.items():
            failures = ", ".join(f"{kind} {count}" for kind, count in analysis["failures"].items())
            lines.append(f"| {plain(split)} | {plain(name)} | {_half_text(analysis['length_curve'])} | {failures} |")
    lines += ["", *(f"- `{kind}`: {text}" for kind, text in FAILURES.items())]
    return "\n".join(lines) + "\n"


def _thoughts(results: Results) -> list[str]:
    """The part of the report on reasoning, if there is any."""
    rows = thought_rows(results)
    if not rows:
        return []
    return [
        "## Thoughts before the answer",
        "",
        *_markdown(("split", "model", "answers that think", "characters", "true", "right after false"), rows),
        "",
        "`true`: mean share of a thought's statements about the maze that are true (open sides named rightly, places "
        "really reached by the moves). `right after false`: answers that are valid after a thought that says "
        "something false. A thought in prose makes no statement that can be checked.",
        "",
    ]


def _ratio_text(test: PairedTest) -> str:
    if test["ratio_ci"] is None:
        return ""
    low, high = test["ratio_ci"]
    return f"; {test['ratio']:.2f} times as often, {low:.2f} - {high:.2f}"


def _half_text(curve: LengthCurve | None) -> str:
    if curve is None or curve["half_length"] is None:
        return ""
    bounds = curve["half_length_ci"]
    return f"{curve['half_length']:.1f} moves" + (f" ({bounds[0]:.1f} - {bounds[1]:.1f})" if bounds else "")
