"""predictions.parquet: written in parts as the answers come, so that a killed evaluation goes on from the last part.

A part is the rows of one model for some mazes of one split. Parts lie in a folder of the evaluation that they belong
to; all of them, one after the other, are predictions.parquet. Only its small columns are ever in memory at once.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from ..files import replacing
from ..metrics.path_validity.scoring import PathScore

# What of a maze stands beside its size.
FACTS = ("generator", "path_length", "decision_points")
TEXTS = ("id", "maze", "completion")


def schema():
    """The columns, as an Arrow schema."""
    import pyarrow

    kinds = {"bool": pyarrow.bool_(), "int": pyarrow.int32(), "float": pyarrow.float64()}
    return pyarrow.schema(
        [(name, pyarrow.string()) for name in ("id", "model", "split", "size")]
        + [(name, pyarrow.string() if name == "generator" else pyarrow.int32()) for name in FACTS]
        + [("maze", pyarrow.string()), ("sample", pyarrow.int32()), ("completion", pyarrow.string())]
        + [(field.name, kinds[getattr(field.type, "__name__", "int")]) for field in fields(PathScore)]
        + [("exact", pyarrow.bool_()), ("vote", pyarrow.bool_())]
        + [("failure", pyarrow.string()), ("failure_move", pyarrow.int32()), ("failure_junction", pyarrow.int32())]
    )


def write_part(path: Path, rows: list[dict]) -> None:
    """Write the rows of one part, whole or not at all."""
    import pyarrow
    import pyarrow.parquet

    with replacing(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema()), temporary, compression="zstd")


def join_parts(parts: Sequence[Path], path: Path) -> None:
    """Write predictions.parquet, one row group for each part."""
    import pyarrow.parquet

    with replacing(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema(), compression="zstd") as file:
        for part in parts:
            file.write_table(pyarrow.parquet.read_table(part))


def read_scores(parts: Sequence[Path]):
    """The rows of some parts as a pandas table, without the texts."""
    import pyarrow
    import pyarrow.parquet

    columns = [name for name in schema().names if name not in (*TEXTS, "model", "split")]
    words = {name: pyarrow.dictionary(pyarrow.int32(), pyarrow.string()) for name in ("size", "generator", "failure")}
    small = [pyarrow.parquet.read_table(part, columns=columns) for part in parts]
    table = pyarrow.concat_tables(small)
    for name, kind in words.items():
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    return table.to_pandas(self_destruct=True)
