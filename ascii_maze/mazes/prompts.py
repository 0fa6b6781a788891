"""Mazes as chat messages and paths as answers, in several languages and styles.

A prompt is a constant system message with the rules and a user message that is only the maze, in TRL's conversational
format. The scorer's `parse_moves` is the inverse: completion -> path.
"""

from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

from ..metrics.path_validity.maze import MOVES, STYLES, Maze

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
LANGUAGES = ("en", "pt")

_RULES = MappingProxyType(
    {
        "en": "You walk through an ASCII maze. '{wall}' is wall, {open} is open ground, S is where you stand, "
        "G is the goal. ",
        "pt": "Você anda por um labirinto ASCII. '{wall}' é parede, {open} é chão livre, S é onde você está, "
        "G é o objetivo. ",
    }
)
_BLANK = MappingProxyType({"en": "a blank", "pt": "um espaço"})
_TASKS = MappingProxyType(
    {
        ("letters", "en"): "One move goes one character: U up, D down, L left, R right. Answer with the shortest "
        "sequence of moves from S to G, letters separated by blanks, and nothing else. Example: R R D D",
        ("words", "en"): "One move goes one character: up, down, left or right. Answer with the shortest sequence of "
        "moves from S to G, words separated by blanks, and nothing else. Example: right right down down",
        ("arrows", "en"): "One move goes one character: ↑ up, ↓ down, ← left, → right. Answer with the shortest "
        "sequence of moves from S to G, arrows separated by blanks, and nothing else. Example: → → ↓ ↓",
        ("coordinates", "en"): "One move goes one character up, down, left or right. Answer with the positions of the "
        "shortest way from S to G, both included, as (row,column) counted from (0,0) in the upper left corner, "
        "separated by blanks, and nothing else. Example: (1,1) (1,2) (1,3) (2,3)",
        ("letters", "pt"): "Um movimento anda um caractere: U para cima, D para baixo, L para a esquerda, R para a "
        "direita. Responda com a sequência de movimentos mais curta de S a G, letras separadas por espaços, e nada "
        "mais. Exemplo: R R D D",
        ("words", "pt"): "Um movimento anda um caractere: cima, baixo, esquerda ou direita. Responda com a sequência "
        "de movimentos mais curta de S a G, palavras separadas por espaços, e nada mais. "
        "Exemplo: direita direita baixo baixo",
        ("arrows", "pt"): "Um movimento anda um caractere: ↑ para cima, ↓ para baixo, ← para a esquerda, → para a "
        "direita. Responda com a sequência de movimentos mais curta de S a G, setas separadas por espaços, e nada "
        "mais. Exemplo: → → ↓ ↓",
        ("coordinates", "pt"): "Um movimento anda um caractere para cima, para baixo, para a esquerda ou para a "
        "direita. Responda com as posições do caminho mais curto de S a G, ambas incluídas, como (linha,coluna) "
        "contadas a partir de (0,0) no canto superior esquerdo, separadas por espaços, e nada mais. "
        "Exemplo: (1,1) (1,2) (1,3) (2,3)",
    }
)


@dataclass(frozen=True)
class PromptStyle:
    """How a maze is shown to a model, and how it has to answer.

    Attributes:
        language: of the rules and of words as answers, one of `LANGUAGES`.
        maze: one of `STYLES` of the scorer's `maze.py`.
        answer: one of `ANSWER_STYLES`.
    """

    language: str = "en"
    maze: str = "hash"
    answer: str = "letters"

    @property
    def system_prompt(self) -> str:
        """The rules, the constant system message."""
        wall, opened = tuple(STYLES[self.maze])
        opened = _BLANK[self.language] if opened == " " else f"'{opened}'"
        return _RULES[self.language].format(wall=wall, open=opened) + _TASKS[self.answer, self.language]


PLAIN = PromptStyle()


def format_answer(path: str, style: PromptStyle = PLAIN, start: tuple[int, int] = (0, 0)) -> str:
    """A path in letters without spaces as the text of an answer: `RRDD` -> `R R D D`.

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


def prompt_messages(maze: Maze | str, style: PromptStyle = PLAIN) -> list[Message]:
    """The system and user messages that ask for a path through the maze."""
    text = maze.to_ascii(style.maze) if isinstance(maze, Maze) else maze
    return [{"role": "system", "content": style.system_prompt}, {"role": "user", "content": text}]


def style_of(prompt: list[Message]) -> PromptStyle:
    """The style of a prompt, recognised by its system message; `PLAIN` for any other message."""
    styles = (PromptStyle(*names) for names in product(LANGUAGES, STYLES, ANSWER_STYLES))
    return next((style for style in styles if style.system_prompt == prompt[0]["content"]), PLAIN)
