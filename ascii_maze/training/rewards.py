"""The reward that can be checked: what a walk did in its maze, in four terms that are logged apart.

What each term leaves no room for:

- **validity** pays for arriving over open ground and stopping there. Fifty moves that brush the goal pay nothing.
- **shortness** pays valid walks alone, so no walk is made short by giving up.
- **format** pays valid walks alone too: a lone `R` is well formed and worth nothing. An answer whose closing tag is
  missing cannot be read at all, so that leaving it out to save a token loses every term.
- **progress** counts where the legal part of the walk ends, not how near it ever came, and only the share of its moves
  that closed the distance: wandering until something is near does not pay, and always going right on a small grid
  earns no more than the way that it truly covers.

With `WEIGHTS` every valid walk is worth more than any other; a test holds that.
"""

from typing import NamedTuple

from ..mazes.prompts import PLAIN, Message, PromptStyle, format_answer, style_of
from ..metrics.path_validity.scoring import after_thought, completion_text, parse_moves, read_maze, score_moves


class Terms(NamedTuple):
    """What one answer to one maze earns, each 0-1."""

    validity: float = 0.0
    shortness: float = 0.0
    format: float = 0.0
    progress: float = 0.0

    def total(self) -> float:
        """The sum, weighed by `WEIGHTS`: 0 to 1.9."""
        return sum(weight * term for weight, term in zip(WEIGHTS, self))


# The order of `Terms`; a GRPO recipe gives its own as `reward_weights`.
WEIGHTS = (1.0, 0.5, 0.1, 0.3)


def judge(maze_text: str, completion: object, style: PromptStyle = PLAIN) -> Terms:
    """What a completion earns in a maze; an unreadable one earns nothing.

    Args:
        completion: text or chat messages, read as `score_path` reads them.
        style: how the answer was asked for.
    """
    maze = read_maze(maze_text)
    moves = parse_moves(completion, maze.start)
    if moves is None:
        return Terms()
    score = score_moves(maze, moves)
    closed = score.progress * (maze.shortest or 0)
    legal_moves = score.legal_prefix * len(moves)
    progress = score.progress * closed / legal_moves if legal_moves else 0.0
    if score.excess_moves is None:  # not valid
        return Terms(progress=progress)
    answer = format_answer(moves, style, maze.start)
    as_asked = (after_thought(completion_text(completion) or "") or "").strip() in (
        answer,
        f"<answer>{answer}</answer>",
    )
    return Terms(1.0, 1 - score.excess_moves / len(moves), float(as_asked), progress)


def reward_function(term: str):
    """A term as TRL calls it: all completions of a step with the column `maze` -> one number each."""

    def reward(
        prompts: list[list[Message]], completions: list[list[Message]], maze: list[str], **columns
    ) -> list[float]:
        return [
            getattr(judge(text, answer, style_of(prompt)), term)
            for prompt, answer, text in zip(prompts, completions, maze)
        ]

    reward.__name__ = term  # the name it is logged under
    return reward
