"""predictions.parquet: written in parts as the answers come, so that an interrupted evaluation resumes.

A part holds the rows of one model for some mazes of one split; predictions.parquet is all parts, concatenated. Only
its small columns are ever in memory at once.
"""

import typing
from collections.abc import Sequence
from pathlib import Path

from ..files import replacing
from .schema import Prediction

# Large columns, from which no rate is computed.
TEXTS = ("id", "maze", "completion", "talk")
# Columns with few distinct values.
WORDS = ("size", "generator", "solved_by", "failure", "observation", "ended")


def arrow_schema():
    """The columns of `Prediction` as an Arrow schema."""
    import pyarrow

    types = {str: pyarrow.string(), bool: pyarrow.bool_(), int: pyarrow.int32(), float: pyarrow.float64()}
    columns = []
    for name, kind in typing.get_type_hints(Prediction).items():
        known, *none = typing.get_args(kind) or (kind,)
        columns.append(pyarrow.field(name, types[known], nullable=bool(none)))
    return pyarrow.schema(columns)


def write_part(path: Path, rows: list[Prediction]) -> None:
    """Write the rows of one part, whole or not at all."""
    import pyarrow
    import pyarrow.parquet

    with replacing(path) as temporary:
        pyarrow.parquet.write_table(
            pyarrow.Table.from_pylist(rows, schema=arrow_schema()), temporary, compression="zstd"
        )


def join_parts(parts: Sequence[Path], path: Path) -> None:
    """Write predictions.parquet, one row group per part."""
    import pyarrow.parquet

    with (
        replacing(path) as temporary,
        pyarrow.parquet.ParquetWriter(temporary, arrow_schema(), compression="zstd") as file,
    ):
        for part in parts:
            file.write_table(pyarrow.parquet.read_table(part))


def read_scores(parts: Sequence[Path]):
    """The rows of some parts as a pandas table, without the texts."""
    import pyarrow
    import pyarrow.parquet

    columns = [name for name in arrow_schema().names if name not in (*TEXTS, "model", "split")]
    words = {name: pyarrow.dictionary(pyarrow.int32(), pyarrow.string()) for name in WORDS}
    small = [pyarrow.parquet.read_table(part, columns=columns) for part in parts]
    table = pyarrow.concat_tables(small)
    for name, kind in words.items():
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    return table.to_pandas(self_destruct=True)
