"""The configs of the dataset: how the rows of each are made from those of `mazes`."""

from ascii_maze.prompts import answer_messages, prompt_messages


def _schemas() -> dict:
    import pyarrow

    text, number = pyarrow.string(), pyarrow.int32()
    messages = pyarrow.list_(pyarrow.struct([("role", text), ("content", text)]))
    facts = [("id", text), ("maze", text), ("solution", text), ("generator", text)]
    facts += [(name, number) for name in ("width", "height", "path_length", "turns", "junctions", "dead_ends")]
    return {
        "mazes": pyarrow.schema(facts),
        "sft": pyarrow.schema([("prompt", messages), ("completion", messages), *facts]),
    }


SCHEMAS = _schemas()


def sft_rows(mazes: list[dict]) -> list[dict]:
    """Prompt and right answer as chat messages, beside the facts."""
    return [
        {
            "prompt": prompt_messages(row["maze"]),
            "completion": answer_messages(row["solution"].replace(" ", "")),
            **row,
        }
        for row in mazes
    ]


CONFIG_ROWS = {"mazes": lambda mazes: mazes, "sft": sft_rows}
