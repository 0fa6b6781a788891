"""Rollouts in many mazes at once: all running episodes take their turns in one batch."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..mazes.prompts import Message, format_answer
from .env import MazeEnv
from .episode import Episode
from .observations import Observation
from .prompts import step_prompt

TURN = 16  # most moves in a turn of a demonstration, and of an evaluation unless the whole map is visible


def moves_in_turn(observation: Observation, places: int) -> int:
    """The most moves in a turn: if the whole map is visible, as many as the map has open places.

    Args:
        places: number of open places of the largest map.
    """
    return places if observation.kind == "full" else min(TURN, places)


class Walk(NamedTuple):
    """A finished walk, and all of its messages except the rules."""

    episode: Episode
    talk: list[Message]

    @property
    def completion(self) -> str:
        """The moves as one answer, which the scorer scores like the episode."""
        return format_answer(self.episode.moves)

    def columns(self, observation: str) -> dict[str, Any]:
        """The columns of predictions.parquet for a walk, except its score."""
        episode = self.episode
        return {
            "observation": observation,
            "ended": episode.ended,
            "moves": len(episode.moves),
            "turns": episode.turns,
            "looks": episode.looks,
            "errors": episode.errors,
            "loops": episode.loops,
            "spl": episode.spl,
            "reward": episode.reward,
            "talk": json.dumps([[message["role"], message["content"]] for message in self.talk]),
        }


def walk_all(
    envs: Sequence[MazeEnv],
    ask: Callable[[Sequence[list[Message]], int], list[str]],
    on_progress: Callable[[int], None],
) -> list[Walk]:
    """Walk until every episode is over; all running episodes take their turns in one batch.

    Args:
        ask: (conversations, number of the turn) -> the next turn of each.
        on_progress: called with the number of finished episodes.
    """
    talks = [step_prompt(env) for env in envs]
    running, turn = list(range(len(envs))), 0
    while running:
        for number, answer in zip(running, ask([talks[number] for number in running], turn)):
            said = envs[number].turn(answer)
            talks[number] += [{"role": "assistant", "content": answer}, {"role": "user", "content": said}]
        running, turn = [number for number in running if not envs[number].ended], turn + 1
        on_progress(len(envs) - len(running))
    return [Walk(env.result(), talk[1:]) for env, talk in zip(envs, talks)]
