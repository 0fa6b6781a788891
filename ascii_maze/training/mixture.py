"""Rows of several datasets mixed by weight, such as some human preferences among many synthetic ones.

No row is repeated: the mixture is as large as it can be with the given shares and each row at most once. The rows
of each dataset and their order are drawn with the seed of the run.
"""

from collections.abc import Mapping, Sequence

from ..errors import AsciiMazeError


def mixture_sizes(rows: Mapping[str, int], weights: Mapping[str, float]) -> dict[str, int]:
    """How many rows of each dataset are in the mixture.

    Args:
        rows: that each has.
        weights: of each, above 0; they need not sum to 1.

    Raises:
        AsciiMazeError: a dataset has too few rows for its share.
    """
    whole = sum(weights.values())
    total = min(count / (weights[name] / whole) for name, count in rows.items())
    # Rounding errors must not cost a row.
    sizes = {name: min(count, int(total * weights[name] / whole + 1e-9)) for name, count in rows.items()}
    if empty := [name for name, size in sizes.items() if size == 0]:
        raise AsciiMazeError(
            f"dataset_mix: no row of '{empty[0]}' would be in the mixture of {sum(sizes.values()):,}; give it a "
            "larger weight"
        )
    return sizes


def mix(datasets: Mapping[str, object], weights: Mapping[str, float], columns: Sequence[str], seed: int):
    """The mixture of some datasets, with the columns that all of them have.

    Args:
        datasets: name -> rows, of the `datasets` library.
        weights: see `mixture_sizes`.
        columns: that must be there; each dataset has them.

    Raises:
        AsciiMazeError: see `mixture_sizes`; or a column is of another type in one of them.
    """
    from datasets import concatenate_datasets

    every: dict = dict(datasets)
    sizes = mixture_sizes({name: len(rows) for name, rows in every.items()}, weights)
    first = next(iter(every.values()))
    common = [name for name in first.column_names if all(name in rows.column_names for rows in every.values())]
    parts = []
    for name, rows in every.items():
        chosen = rows.shuffle(seed=seed).select(range(sizes[name])).select_columns(common)
        try:
            parts.append(chosen.cast(first.select_columns(common).features))
        except Exception as error:  # Arrow's, on types that do not match
            needed = ", ".join(columns)
            raise AsciiMazeError(
                f"dataset_mix: the columns of '{name}' ({needed}) are not of the types of the others'"
            ) from error
    return concatenate_datasets(parts).shuffle(seed=seed)
