"""The results of an evaluation in the terminal."""

from ..terminal import print_tables
from .schema import Results
from .tables import (
    READINGS_HEADER,
    STEP_HEADER,
    STEPS_IN_TERMINAL,
    TABLE_HEADER,
    reading_rows,
    sample_rows,
    step_rows,
    table_rows,
)


def print_results(results: Results) -> None:
    """Print the table of results, one part per split."""
    rows = table_rows(results)
    print_tables(
        [(table_title(split), cells, {"end_section": cells[1] == "shortest_path"}) for split, *cells in rows],
        TABLE_HEADER[1:],
    )
    print_readings(results)
    if steps := step_rows(results):
        places = [STEP_HEADER.index(name) for name in STEPS_IN_TERMINAL]
        title = f"step by step, {results['settings']['stepwise']['observation']} in sight"
        print_tables(
            [
                (
                    f"split {row[0]}, {title}",
                    [row[place] for place in places],
                    {"end_section": row[2] == "shortest_path"},
                )
                for row in steps
            ],
            STEPS_IN_TERMINAL,
        )
    if sampled := sample_rows(results):
        decoding = results["settings"]["decoding"]
        print_tables([(decoding, cells, {}) for cells in sampled[1:]], sampled[0])


def print_readings(results: Results) -> None:
    """Print the strict and the lenient reading of the answers of all models but the baselines side by side."""
    models = results["settings"]["models"]
    rows = [row for row in reading_rows(results) if row[1] in models]
    title = "split {}, read strictly and leniently"
    print_tables([(title.format(split), cells, {}) for split, *cells in rows], READINGS_HEADER[1:])


def table_title(split: str) -> str:
    """The title of the table of a split."""
    return f"split {split}, rates in per cent"
