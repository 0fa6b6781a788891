"""Mazes as chat messages and paths as answers, in several languages and styles.

A prompt is a constant system message with the rules and a user message that is only the maze, in TRL's conversational
format. The scorer's `parse_moves` is the inverse: completion -> path.

A move is one position of the map in style `hash`, in every style of maze. In the styles of cells that is half
the way from a cell to the next, which the rules state.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product
from types import MappingProxyType

from ..metrics.path_validity.maze import MOVES, OPEN, STYLES, Maze
from . import rules
from .reasoning import REASONING, think, wrap
from .rules import LANGUAGES

Message = dict[str, str]

# How each style of answer writes the moves U D L R. `coordinates` writes the positions instead, as (row,column).
MOVE_NAMES = MappingProxyType(
    {
        ("letters", "en"): ("U", "D", "L", "R"),
        ("letters", "pt"): ("U", "D", "L", "R"),
        ("words", "en"): ("up", "down", "left", "right"),
        ("words", "pt"): ("cima", "baixo", "esquerda", "direita"),
        ("arrows", "en"): ("↑", "↓", "←", "→"),
        ("arrows", "pt"): ("↑", "↓", "←", "→"),
    }
)
ANSWER_STYLES = ("letters", "words", "arrows", "coordinates")


@dataclass(frozen=True)
class PromptStyle:
    """How a maze is shown to a model, and how it has to answer.

    Attributes:
        language: of the rules and of words as answers, one of `LANGUAGES`.
        maze: one of `STYLES` of the scorer's `maze.py`.
        answer: one of `ANSWER_STYLES`.
        reasoning: the kind of thought before the answer, one of `reasoning.REASONING`.
    """

    language: str = "en"
    maze: str = "hash"
    answer: str = "letters"
    reasoning: str = "none"

    @property
    def system_prompt(self) -> str:
        """The rules, the constant system message."""
        style, language = STYLES[self.maze], self.language
        if style.symbols is None:
            shown, (move, counted) = rules.CELLS[self.maze][language], rules.BETWEEN_CELLS[language]
        else:
            wall, opened = style.symbols
            opened = rules.BLANK[language] if opened == OPEN else f"'{opened}'"
            beside = rules.BESIDE.get(self.maze, {}).get(language, "")
            shown = rules.MAP[language].format(wall=wall, open=opened) + beside
            move, counted = rules.ON_MAPS[language]
        only = rules.ONLY[language]
        if self.reasoning != "none":
            how = rules.THOUGHTS[self.reasoning][language]
            only = rules.THINK_FIRST[language].format(how=how, places=counted)
        return shown + rules.TASKS[self.answer][language].format(move=move, counted=counted, only=only)


PLAIN = PromptStyle()


def format_answer(path: str, style: PromptStyle = PLAIN, start: tuple[int, int] = (0, 0)) -> str:
    """A path in letters without spaces as the text of an answer, without a thought: `RRDD` -> `R R D D`.

    Args:
        start: (row, column) of the path's start, needed for `coordinates`.
    """
    if style.answer != "coordinates":
        names = dict(zip(MOVES, MOVE_NAMES[style.answer, style.language]))
        return " ".join(names[move] for move in path)
    row, column = start
    places = [(row, column)]
    for move in path:
        row, column = row + MOVES[move][0], column + MOVES[move][1]
        places.append((row, column))
    return " ".join(f"({row},{column})" for row, column in places)


def format_completion(maze: Maze, path: str, style: PromptStyle = PLAIN, other: Maze | None = None) -> str:
    """A path as the text of a complete answer, with the thought that the style asks for.

    Args:
        other: the maze whose search `corrupt` writes.

    Raises:
        ValueError: `corrupt` without another maze.
    """
    answer = format_answer(path, style, maze.start)
    if style.reasoning == "none":
        return answer
    if style.reasoning == "corrupt" and other is None:
        raise ValueError("style 'corrupt' needs another maze; give one")
    return wrap(think(other if style.reasoning == "corrupt" and other else maze, style.reasoning), answer)


def prompt_messages(maze: Maze | str, style: PromptStyle = PLAIN) -> list[Message]:
    """The system and user messages that ask for a path through the maze."""
    text = maze.to_ascii(style.maze) if isinstance(maze, Maze) else maze
    return [{"role": "system", "content": style.system_prompt}, {"role": "user", "content": text}]


def style_of(prompt: list[Message]) -> PromptStyle:
    """The style of a prompt, recognised by its system message; `PLAIN` for any other message."""
    return _styles().get(prompt[0]["content"], PLAIN)


@cache
def _styles() -> dict[str, PromptStyle]:
    """System prompt -> style, for all styles."""
    styles = (PromptStyle(*names) for names in product(LANGUAGES, STYLES, ANSWER_STYLES, REASONING))
    return {style.system_prompt: style for style in styles}
