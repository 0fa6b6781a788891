"""Rollouts in many mazes at once, by whatever answers conversations: all running ones take their turn together."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..mazes.prompts import Message, format_answer
from .env import MazeEnv
from .episode import Episode
from .observations import Observation
from .prompts import step_prompt

TURN = 16  # moves that a turn has room for, unless the whole map is in sight


def moves_in_turn(observation: Observation, places: int) -> int:
    """How many moves a turn has room for: with the whole map in sight, as many as the map has open places.

    Args:
        places: open ones of the largest map.
    """
    return places if observation.kind == "full" else min(TURN, places)


class Walk(NamedTuple):
    """A walk that is over, and all that was said in it but the rules."""

    episode: Episode
    talk: list[Message]

    @property
    def completion(self) -> str:
        """The moves that were made, as one answer; the scorer gives it the episode's score."""
        return format_answer(self.episode.moves)

    def columns(self, observation: str) -> dict[str, Any]:
        """What predictions.parquet has of a walk beside its score."""
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
    """Walk until every episode is over; all that are still running take their turn together.

    Args:
        ask: (conversations, number of the turn) -> the next turn of each.
        on_progress: called with the number of episodes that are over.
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
