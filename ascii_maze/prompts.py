"""Maze -> chat messages, and paths -> the text of an answer.

Every prompt is a constant system message with the rules and a user message with nothing but the maze; TRL's
conversational types are lists of such messages. What a completion means is `ascii_maze.scoring.parse_moves`.
"""

from .maze import Maze

SYSTEM_PROMPT = (
    "You walk through an ASCII maze. '#' is wall, a blank is open ground, S is where you stand, G is the goal. "
    "One move goes one character: U up, D down, L left, R right. "
    "Answer with the shortest sequence of moves from S to G, letters separated by blanks, and nothing else. "
    "Example: R R D D"
)

Message = dict[str, str]


def format_answer(path: str) -> str:
    """`RRDD` -> `R R D D`, the canonical answer."""
    return " ".join(path)


def prompt_messages(maze: Maze | str) -> list[Message]:
    """The system and the user message that ask for a path through the maze."""
    return [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": str(maze)}]


def answer_messages(path: str) -> list[Message]:
    """The assistant message that gives a path, from its letters without spaces."""
    return [{"role": "assistant", "content": format_answer(path)}]
