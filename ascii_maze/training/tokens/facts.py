"""Facts about a tokenizer to know before a model is trained on mazes.

A walker counts rows and columns. A tokenizer that makes one token of `#####` and two of `###` hides both: the cells
of a column then have different token positions in each row. Tokens are those of the whole prompt, located by the
tokenizer's offsets.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from dataset_builder.load import load_mazes

from ...errors import AsciiMazeError
from ...mazes.convert import read_source
from ...mazes.generators import generate_mazes
from ...mazes.prompts import Message, format_answer, prompt_messages, style_of
from ...metrics.path_validity.maze import Maze
from ...metrics.path_validity.scoring import read_maze
from ...models.chat import Chat, describe_reading, render_prompt, turn_ends
from ...models.portable import save_portable
from ...models.round_trip import find_problem
from ...models.templates import take_apart


class Token(TypedDict):
    """A token of a text.

    Attributes:
        text: the characters that it covers; of a character in several tokens, each covers it.
        begin: its first character in the text.
        end: the character after its last.
    """

    id: int
    text: str
    begin: int
    end: int


class Facts(TypedDict):
    """Everything that is shown of a tokenizer; token counts are for one prompt.

    Attributes:
        vocabulary: tokens that it knows.
        special: bos, eos and pad, as text.
        ends: the tokens that end an answer, as text.
        chat: of `models.chat.Reading`.
        rules, maze, answer: their tokens; those of the maze may reach over its edges.
        characters_per_token: of the maze.
        columns: of the maze, in characters.
        aligned: columns whose cells have the same token position in all rows.
        tokens_per_move: of the answer.
        moves_alike: whether the first move has the same token as later ones.
        around: what the template writes before rules, maze and answer, and after the answer.
        thinking: the entries of `around` that differ with `enable_thinking`.
        own_template: what is wrong with the tokenizer's own chat template, which is therefore replaced; None for none.
        round_trip: what goes wrong in the round trip; None where the answer is unchanged.
    """

    model: str
    vocabulary: int
    special: dict[str, str | None]
    ends: list[str]
    chat: dict[str, Any]
    rules: list[Token]
    maze: list[Token]
    answer: list[Token]
    maze_text: str
    characters_per_token: float
    columns: int
    aligned: list[int]
    tokens_per_move: float
    moves_alike: bool
    around: dict[str, str]
    thinking: dict[str, str]
    own_template: str | None
    round_trip: str | None


def look_at(
    name: str, chat: Chat, dataset: str | None, split: str, file: Path | None, save: Path | None = None
) -> Facts:
    """Look at a maze through a model's tokenizer; the model itself is not loaded.

    Args:
        name: as `load_model` takes it.
        chat: how it reads conversations.
        dataset: folder or Hub id, whose first maze of a split is taken.
        file: text of a maze, used instead; without either a maze is generated.
        save: folder to write the tokenizer into, see `models.portable`.

    Raises:
        AsciiMazeError: no such model, dataset or file, or the tokenizer has no offsets.
    """
    from ...models.loading import load_tokenizer_of, read_tokenizer_of
    from ...models.sources import find_model, settle_name

    source = find_model(settle_name(name), chat=chat)
    if dataset is not None:
        (row,) = load_mazes(dataset, split, 1)
        prompt, maze = row["prompt"], Maze.from_ascii(row["maze"])
    else:
        maze = read_maze(read_source(str(file))) if file else generate_mazes("depth_first", 4, 4, 1, 0)[0]
        prompt = prompt_messages(maze)
    tokenizer, own = load_tokenizer_of(source), read_tokenizer_of(source)
    tokenizer.name_or_path = own.name_or_path = name  # as it was given, for messages
    facts = look(name, tokenizer, own, prompt, maze)
    if save is not None:
        save_portable(tokenizer, save)
    return facts


def look(name: str, tokenizer, own, prompt: list[Message], maze: Maze) -> Facts:
    """Look at one maze through a tokenizer.

    Args:
        tokenizer: with the chat template that is used.
        own: the same with its own template, which may be missing or unsuitable.
        prompt: its messages.

    Raises:
        AsciiMazeError: the tokenizer has no offsets.
    """
    if not tokenizer.is_fast:
        raise AsciiMazeError(f"the tokenizer of '{name}' is a slow one, without the offsets of its tokens")
    path = maze.solve() or "R"
    answer = format_answer(path, style_of(prompt), maze.start)
    shown, rules = prompt[-1]["content"], prompt[0]["content"] if prompt[0]["role"] == "system" else ""
    text = render_prompt(tokenizer, prompt)
    tokens = cut(tokenizer, text + answer)
    of_maze, of_answer = _within(tokens, text.rfind(shown), shown), _within(tokens, len(text), answer)
    pieces = take_apart(tokenizer)
    around, thinking = (
        {"rules": prompt.opening, "maze": prompt.between, "answer": prompt.before_answer}
        for prompt in (pieces.plain, pieces.thinking)
    )
    moves = [token["id"] for token in of_answer if token["text"].strip() == of_answer[0]["text"].strip()]
    return {
        "model": name,
        "vocabulary": len(tokenizer),
        "special": {mark: getattr(tokenizer, f"{mark}_token") for mark in ("bos", "eos", "pad")},
        "ends": tokenizer.convert_ids_to_tokens(turn_ends(tokenizer)),
        "chat": describe_reading(tokenizer),
        "rules": _within(tokens, text.find(rules), rules) if rules and rules in text else [],
        "maze": of_maze,
        "answer": of_answer,
        "maze_text": shown,
        "characters_per_token": len(shown) / max(1, len(of_maze)),
        "columns": max(map(len, shown.split("\n"))),
        "aligned": aligned_columns(of_maze, shown),
        "tokens_per_move": len(of_answer) / len(path),
        "moves_alike": len(set(moves)) == 1,
        "around": {**around, "end": pieces.end},
        "thinking": {place: text for place, text in thinking.items() if text != around[place]},
        "own_template": _own_problem(own, prompt, answer),
        "round_trip": problem_of(tokenizer, prompt, answer),
    }


def cut(tokenizer, text: str) -> list[Token]:
    """The tokens of a text and their positions."""
    encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    return [
        {"id": token, "text": text[begin:end], "begin": begin, "end": end}
        for token, (begin, end) in zip(encoded["input_ids"], encoded["offset_mapping"])
    ]


def _within(tokens: Sequence[Token], start: int, part: str) -> list[Token]:
    """The tokens that cover a part of the text, with places counted from its start."""
    stop = start + len(part)
    covering = [token for token in tokens if token["begin"] < stop and token["end"] > start]
    return [
        {**token, "begin": max(token["begin"], start) - start, "end": min(token["end"], stop) - start}
        for token in covering
    ]


def aligned_columns(tokens: Sequence[Token], text: str) -> list[int]:
    """Columns whose cells begin a token, in every row the same one counted from the start of the row."""
    rows = text.split("\n")
    begins = {token["begin"] for token in tokens}
    places: list[list[int | None]] = []
    start = 0
    for row in rows:
        row_begins = [at - start for at in sorted(begins) if start <= at < start + len(row)]
        number = {column: place for place, column in enumerate(row_begins)}
        places.append([number.get(column) for column in range(len(row))])
        start += len(row) + 1
    width = min(map(len, rows))
    found = [{row[column] for row in places} for column in range(width)]
    return [column for column, numbers in enumerate(found) if len(numbers) == 1 and None not in numbers]


def problem_of(tokenizer, prompt: list[Message], answer: str) -> str | None:
    """What goes wrong with one conversation on its way through SFT's tokenisation and back."""
    import tempfile

    from datasets import Dataset
    from trl import SFTConfig

    from ..tokenised import taught_by

    row = {"prompt": prompt, "completion": [{"role": "assistant", "content": answer}]}
    with tempfile.TemporaryDirectory() as folder:
        args = SFTConfig(output_dir=folder, report_to="none", bf16=False, max_length=None)
    (taught,) = taught_by("sft", args, tokenizer, Dataset.from_list([row]))
    return find_problem(tokenizer, taught)


def _own_problem(own, prompt: list[Message], answer: str) -> str | None:
    if own.chat_template is None:
        return f"the tokenizer of '{own.name_or_path}' has no chat template"
    try:
        return problem_of(own, prompt, answer)
    except Exception as error:  # a template may reject a conversation with any exception
        return f"the chat template of '{own.name_or_path}' fails: {str(error).splitlines()[0]}"
