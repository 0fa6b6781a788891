"""Computes the verifiable reward: where the moves of a completion lead in its maze, in four terms logged separately.

How each term resists being exploited:

- **validity** pays for reaching the goal over open ground and stopping there. Fifty moves that pass the goal earn
  nothing.
- **shortness** pays valid paths alone, so giving up early earns nothing.
- **format** pays valid paths alone too: a lone `R` is well formed and worth nothing. A completion without its closing
  tag cannot be parsed, so omitting the tag to save a token loses every term.
  If the rules ask for reasoning, there must be some; its content earns nothing.
- **progress** counts where the legal part of the path ends, not how near it ever came, and only the share of its moves
  that closed the distance: wandering until the goal is near does not pay, and always going right on a small grid earns
  no more than the distance it closes.

With `WEIGHTS` every valid path earns more than any other; a test pins that.
"""

import hashlib
from typing import Any

from ..mazes.prompts import PLAIN, Message, PromptStyle, format_answer, style_of
from ..mazes.reasoning import check_thought, thought_of
from ..mazes.terms import WEIGHTS, Terms
from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.scoring import after_thought, completion_text, parse_moves, read_maze, score_moves
from ..models.chat import how_read, read_answers, thought_of_prompts, turn_ends
from .data import styles_in

__all__ = [
    "THOUGHT_FIGURES",
    "WEIGHTS",
    "Terms",
    "judge",
    "path_reward",
    "reward_function",
    "thinks",
    "thought_figures",
]

THOUGHT_FIGURES = ("thought_length", "thought_true")


def judge(maze: Maze | str, completion: object, style: PromptStyle = PLAIN) -> Terms:
    """Score a completion in a maze; one that cannot be parsed scores 0.

    Args:
        maze: as `score_path` takes it.
        completion: text or chat messages, read as `score_path` reads them.
        style: of the prompt.
    """
    maze = read_maze(maze) if isinstance(maze, str) else maze
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
    written = (after_thought(completion_text(completion) or "") or "").strip()
    if style.reasoning == "none":
        as_asked = written in (answer, f"<answer>{answer}</answer>")
    else:
        as_asked = written == f"<answer>{answer}</answer>" and thought_of(completion) is not None
    return Terms(1.0, 1 - score.excess_moves / len(moves), float(as_asked), progress)


def path_reward(prompts: list, completions: list, maze: list[str], **columns: Any) -> list[float]:
    """The reward of each completion, 0 to 1.9, for any trainer of TRL that takes `reward_funcs`.

        GRPOTrainer(model, reward_funcs=ascii_maze.path_reward, train_dataset=rows)  # rows of config `prompts`

    It is the sum of `judge`'s terms by `WEIGHTS`, as the GRPO recipe weighs them. It reads the texts that TRL decodes:
    if reasoning contains special tokens, `recipes/grpo.yaml` reads the tokens themselves.

    Args:
        prompts: chat messages, whose rules say how an answer is to be written; or texts, for an answer in letters.
        completions: chat messages, or texts.
        maze: the column of that name.
        columns: what else TRL passes, which is not read.
    """
    styles = [PLAIN if isinstance(prompt, str) else style_of(prompt) for prompt in prompts]
    return [judge(text, answer, style).total() for text, answer, style in zip(maze, completions, styles)]


def thought_figures(maze: Maze | str, completion: object) -> dict[str, float | None]:
    """The reasoning before an answer: `thought_length` in characters, 0 without any, and `thought_true`, the share of
    its statements that are true of the maze.
    """
    checked = check_thought(read_maze(maze) if isinstance(maze, str) else maze, completion)
    length, share = (checked.length, checked.share) if checked else (0, None)
    return {"thought_length": float(length), "thought_true": share}


def reward_function(term: str, tokenizer):
    """A term as a reward function of TRL: all completions of a step and the column `maze` -> one number each. Also a
    name of `thought_figures`, to be logged with weight 0; None where a thought says nothing that can be checked.

    The completions are read from their tokens, as an evaluation reads them: TRL's texts lack the tag of a thought that
    the prompt opens, and those that are special tokens.
    """
    opened, ends = thought_of_prompts(tokenizer), turn_ends(tokenizer)

    def reward(
        prompts: list[list[Message]], completion_ids: list[list[int]], maze: list[str], **columns
    ) -> list[float | None]:
        answers = read_answers(tokenizer, completion_ids, ends, opened)
        if term not in Terms._fields:
            return [thought_figures(text, answer)[term] for answer, text in zip(answers, maze)]
        return [
            getattr(judge(text, answer, style_of(prompt)), term)
            for prompt, answer, text in zip(prompts, answers, maze)
        ]

    reward.__name__ = term  # the name it is logged under
    return reward


def thinks(rows, tokenizer) -> bool:
    """Whether answers begin with reasoning: the rows' rules ask for it, or the tokenizer's template opens it."""
    return how_read(tokenizer).thinking or any(style.reasoning != "none" for style in styles_in(rows))


def coin(seed: int):
    """A reward function of TRL that tosses a coin for each completion, 1 or 0, independent of its content.

    Any effect of training on it is due to training as such (Shao et al., "Spurious rewards", arXiv:2506.10947). Tosses
    depend on the seed, the step and the maze, so a resumed run has the same ones.
    """

    def reward(
        prompts: list[list[Message]], completions: list[list[Message]], maze: list[str], trainer_state=None, **columns
    ) -> list[float]:
        step = trainer_state.global_step if trainer_state else 0
        tossed = [f"{seed}/{step}/{place}/{text}" for place, text in enumerate(maze)]
        return [float(hashlib.blake2b(toss.encode(), digest_size=1).digest()[0] & 1) for toss in tossed]

    reward.__name__ = "coin"
    return reward
