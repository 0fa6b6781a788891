"""Options shared by several commands, and the parsers of their values."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..references import find_reference

if TYPE_CHECKING:
    from ..models.chat import Chat

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Dataset = Annotated[str, typer.Option(help="Folder that `build` made, or Hub id.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Number of mazes of each split, every kind in proportion.")]
Marks = Annotated[
    list[str] | None, typer.Option(help="What characters of the file stand for, as in E=G,*=S; repeatable.")
]
MovedBase = Annotated[str | None, typer.Option(help="Where an adapter's base is now, if it has moved.")]
ChatTemplate = Annotated[
    str | None, typer.Option(help="`plain`, or a Jinja file, in place of the tokenizer's own chat template.")
]
Thinking = Annotated[
    bool | None,
    typer.Option(
        "--thinking/--no-thinking",
        help="Let models think before they answer; default: as in their training, otherwise no.",
    ),
]
ThinkingTokens = Annotated[
    int | None,
    typer.Option(
        min=1, help="Token limit of a thought, if the model thinks, in addition to the answer's; default: 1,024."
    ),
]


def named_path(text: str) -> Path:
    """A path as it was given; an empty one, from an unset variable, would mean the working directory.

    Raises:
        UsageError: it is blank.
    """
    if not str(text).strip():
        raise UsageError("a path is empty, perhaps of a variable that is not set; name a file or a folder")
    return Path(text)


def path_option(help: str) -> Any:
    """An option that takes a path, read by `named_path`."""
    return typer.Option(parser=named_path, metavar="<path>", help=help)


def finite(value: float | None) -> float | None:
    """A number as it was given; without two bounds `nan` or `inf` would be one.

    Raises:
        typer.BadParameter: it is not finite.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


def float_option(help: str, min: float | None = None, max: float | None = None) -> Any:
    """An option that takes a number, which is `finite`."""
    return typer.Option(min=min, max=max, callback=finite, help=help)


def name_models(models: list[str]) -> dict[str, str]:
    """`MODEL` or `NAME=MODEL` -> name -> model; `sweep/lr=2e-4/model` is a folder, since no name holds a `/`.

    Raises:
        UsageError: two of one name, a name that is a baseline's, or nothing on one side of `=`.
    """
    from ..mazes.baselines import BASELINES

    named: dict[str, str] = {}
    for word in models:
        name, equals, location = word.partition("=")
        if not equals or "/" in name or "\\" in name or find_reference(word):
            name, location = word, word
        if not name or not location:
            raise UsageError(f"'{word}': expected MODEL or NAME=MODEL")
        if name in named or name in BASELINES:
            raise UsageError(f"the name '{name}' is taken; give this model another: NAME={location}")
        named[name] = location
    return named


def chat_of(template: str | None, thinking: bool | None = None, thinking_tokens: int | None = None) -> "Chat":
    """The `models.chat.Chat` that a command's options describe."""
    from ..models.chat import Chat
    from ..models.templates import read_template

    return Chat(None if template is None else read_template(template), thinking, thinking_tokens)
