"""The metric `path_validity` for `evaluate`: whether a path through an ASCII maze is valid, and shortest."""

import datasets
import evaluate

from .bulk import lenient_columns, rows_of, score_columns
from .lenient import Lenient
from .maze import MazeError
from .plain import without_padding
from .reading import READERS
from .runs import Run
from .scoring import FIELDS, completion_text
from .styles import PLAIN_STYLES
from .wording import LANGUAGES
from .writing import write

# `evaluate.load` downloads only the modules that this one imports by name.
_DESCRIPTION = f"""
Whether paths through ASCII mazes are legal, arrive, and are as short as a path can be. A reference is the text of a
maze alone, so any path that arrives is right, not only the one that someone wrote down. Longer texts are
read in {LANGUAGES}.
"""

_CITATION = """
@software{ascii_maze,
  title = {ascii-maze},
  author = {{The ascii-maze authors}},
  license = {Apache-2.0}
}
"""

_INPUTS = f"""
Args:
    predictions: what a model wrote, as text or as chat messages: moves as letters (R R D D), arrows, words or
        coordinates. Of a longer text what follows the last thought (</think>) counts, of that the last
        <answer>...</answer>. Anything that is not a path counts as unparsed and never raises.
    references: the text of each maze: rows of '#', ' ', one S and one G, or another of the styles
        {", ".join((*PLAIN_STYLES, *READERS))}.
    per_item (bool): also give every field of every prediction, under `items`. Default False.
Returns:
    n: number of predictions.
    valid, optimal, reaches_goal, legal, parsed: rates, 0-1.
    legal_prefix, progress: means, 0-1.
    wall_hits, revisits: means, in moves.
    excess_moves: mean over the valid predictions, in moves.
        A mean over no prediction is None.
    parsed_lenient, valid_lenient: rates, 0-1, if a path in a longer text counts too.
    items: with per_item, one dict of fields for each prediction.
Examples:
    >>> metric = evaluate.load("path_validity")
    >>> metric.compute(predictions=["R R D D", "D R"], references=["S  \\n # \\n  G", "S  \\n # \\n  G"])["valid"]
    0.5
"""


class TextFeatures(datasets.Features):
    """Columns of text, stored without inspecting each value, which would take longer than scoring it."""

    def encode_batch(self, batch: dict) -> dict:
        """The columns as lists."""
        return {name: list(column) for name, column in batch.items()}


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _INPUTS)
class PathValidity(evaluate.Metric):
    """Rates and means of `PathScore` over pairs of a prediction and the text of a maze."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=TextFeatures({"predictions": text, "references": text}),
            license="apache-2.0",
        )

    def add_batch(self, *, predictions=None, references=None, **kwargs) -> None:
        """Add pairs; unlike other metrics, accept predictions that are messages, other objects, or not valid UTF-8.

        Raises:
            ValueError: a reference is not text (names its index in the batch), or the numbers of both differ.
        """
        check_text(references)
        if set(map(type, predictions)) - {str}:
            predictions = list(map(storable, predictions))
        try:
            super().add_batch(predictions=predictions, references=references, **kwargs)
        except UnicodeEncodeError:
            pairs = {"predictions": list(map(storable, predictions)), "references": list(map(storable, references))}
            super().add_batch(**pairs, **kwargs)

    def add(self, *, prediction=None, reference=None, **kwargs) -> None:
        """Add one pair; see `add_batch`."""
        check_text([reference])
        super().add(prediction=storable(prediction), reference=storable(reference), **kwargs)

    def _compute(self, predictions: list[str], references: list[str], per_item: bool = False) -> dict:
        try:
            columns = score_columns(references, predictions)
        except MazeError as error:
            raise ValueError(f"references[{error.index}] is not a maze: {error}") from error
        result: dict = {"n": len(predictions)}
        for name, column in columns.items():
            values = (column[columns["valid"]] if name == "excess_moves" else column).tolist()
            result[name] = sum(values) / len(values) if values else None
        lenient = lenient_columns(references, predictions, columns)
        for name, column in lenient.items():
            result[name] = float(column.mean()) if len(column) else None
        if per_item:
            beside = zip(*(lenient[name].tolist() for name in Lenient._fields))
            names = (*FIELDS, *Lenient._fields)
            result["items"] = [dict(zip(names, (*row, *more))) for row, more in zip(rows_of(columns), beside)]
        return result


def check_text(references: list) -> None:
    """Raise for the first reference that is not text, naming its index."""
    if set(map(type, references)) <= {str}:
        return
    for index, reference in enumerate(references):
        if not isinstance(reference, str):
            raise ValueError(f"references[{index}] is not the text of a maze, but {type(reference).__name__}")


def storable(value: object) -> str:
    """The text of a prediction, with `?` for lone surrogates, which UTF-8 cannot encode; "" if there is none."""
    return (completion_text(value) or "").encode(errors="replace").decode()
