"""Facts of a tokenizer in the terminal: every token in a colour of its own, blanks and line breaks made visible."""

from collections.abc import Sequence
from itertools import groupby

from ...errors import printable
from .facts import Facts, Token

# Neighbouring colours differ, also for readers who do not distinguish red from green.
COLOURS = ("#8ecae6", "#ffd166", "#d8b4fe", "#a7e8bd")
LEGEND = "a change of colour is a new token; · is a blank, ↵ a line break"


def show(facts: Facts, width: int | None = None, record: bool = False):
    """Print facts.

    Args:
        width: of the terminal, in characters; its own by default.
        record: keep what was printed, for rich's exports.

    Returns:
        rich's console.
    """
    from rich.columns import Columns
    from rich.console import Console, Group
    from rich.padding import Padding
    from rich.text import Text

    console = Console(width=width, record=record)
    heading = Text(printable(facts["model"]), style="bold")
    heading.append(f"  {facts['vocabulary']:,} tokens", style="dim")
    console.print(heading)
    console.print(
        Columns(
            [
                Group(Text("\nthe maze", style="bold"), coloured(facts["maze"], facts["maze_text"])),
                Group(Text("\nwhat it is cut into", style="bold"), _table(facts)),
            ],
            padding=(0, 5),
        )
    )
    console.print(Text("\nthe answer", style="bold"))
    console.print(Padding(coloured(facts["answer"], "".join(_texts(facts["answer"]))), (0, 0, 0, 0)))
    console.print(Text(LEGEND, style="dim"))
    console.print(Text("\nwhat the chat template writes", style="bold"))
    console.print(_around(facts))
    console.print(_verdict(facts))
    return console


def _texts(tokens: Sequence[Token]) -> list[str]:
    return [token["text"] for token in tokens]


def coloured(tokens: Sequence[Token], text: str):
    """A text as rich Text, its tokens told apart by colour."""
    from rich.text import Text

    owner = [-1] * len(text)
    for number, token in enumerate(tokens):
        for place in range(token["begin"], min(token["end"], len(text))):
            owner[place] = number
    if owner and max(owner) < 0:
        return Text(printable(text))
    drawn = Text()
    for number, run in groupby(range(len(text)), key=owner.__getitem__):
        places = list(run)
        letters = printable("".join({" ": "·", "\n": "↵"}.get(text[place], text[place]) for place in places))
        drawn.append(_broken(letters), style=f"#000000 on {COLOURS[number % len(COLOURS)]}")
    return drawn


def _broken(letters: str) -> str:
    return letters.replace("↵", "↵\n")


def _table(facts: Facts):
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    maze, answer = facts["maze"], facts["answer"]
    aligned, columns = len(facts["aligned"]), facts["columns"]
    rows = [
        ("maze", f"{len(maze)} tokens, {facts['characters_per_token']:.1f} characters each"),
        ("columns", _aligned(aligned, columns)),
        ("rules", f"{len(facts['rules'])} tokens" if facts["rules"] else "not written"),
        ("answer", f"{len(answer)} tokens, {facts['tokens_per_move']:.2g} per move"),
        ("moves", _moves(answer)),
        ("first move", "the token that it is later on" if facts["moves_alike"] else "another token than later on"),
        ("ends", " ".join(facts["ends"])),
        ("special", ", ".join(f"{name} {mark}" for name, mark in facts["special"].items() if mark)),
    ]
    for name, value in rows:
        table.add_row(_plain(name, "dim"), _plain(value))
    return table


def _aligned(aligned: int, columns: int) -> str:
    if aligned == columns:
        return f"all {columns} at the same token in every row"
    return f"{aligned} of {columns} at the same token in every row"


def _moves(answer: Sequence[Token]) -> str:
    seen = dict.fromkeys(token["text"].replace(" ", "·") for token in answer)
    return " ".join(f"{text}" for text in list(seen)[:12])


def _around(facts: Facts):
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    before = {"rules": "before the rules", "maze": "before the maze", "answer": "before the answer", "end": "after it"}
    for key, name in before.items():
        table.add_row(_plain(name, "dim"), _plain(_quoted(facts["around"][key])))
    thinking = "; ".join(f"{before[place]}: {_quoted(text)}" for place, text in facts["thinking"].items())
    table.add_row(_plain("enable_thinking", "dim"), _plain(thinking or "no change"))
    return table


def _verdict(facts: Facts):
    from rich.text import Text

    verdict = Text("\n")
    if facts["own_template"]:
        verdict.append("replaced: ", style="bold yellow")
        verdict.append(printable(facts["own_template"]) + "\n")
    if facts["round_trip"]:
        verdict.append("round trip: ", style="bold red")
        verdict.append(printable(facts["round_trip"]))
    else:
        verdict.append("round trip: ", style="bold green")
        verdict.append("rendered, tokenised, masked, decoded and parsed, the answer comes back")
    return verdict


def _quoted(text: str) -> str:
    return repr(text) if text else "nothing"


def _plain(text: str, style: str = ""):
    from rich.text import Text

    return Text(printable(text), style=style)
