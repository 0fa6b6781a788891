"""Models that walk a maze on demand: each base is loaded once, with its adapters switched as needed."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError
from ..mazes.prompts import PLAIN, Message, format_answer, prompt_messages
from ..metrics.path_validity.maze import MOVES, Maze
from ..metrics.path_validity.scoring import parse_moves
from ..models.adapter_config import ModelError
from ..models.adapters import put_adapter
from ..models.chat import render_prompt
from ..models.generation import answer_mazes
from ..models.loading import context_of, load_source, load_tokenizer_of
from ..models.sources import Source, find_model, how_loaded, match_bases

# The output folder of the embedded model's recipes.
TINY_RUNS = Path("outputs/tiny")


class Player(NamedTuple):
    """A model that can walk.

    Attributes:
        base: key of its base among those loaded.
        adapter: its name in PEFT's model; None for the base itself.
    """

    name: str
    base: str
    tokenizer: Any
    adapter: str | None


class Answered(NamedTuple):
    """A model's answer to one maze.

    Attributes:
        probabilities: for each move of the answer, those of U, D, L and R at the token that decided it, as shares of
            the whole vocabulary; None if the answer is not written as letters.
    """

    completion: str
    probabilities: list[list[float]] | None


def default_models(runs: Path = TINY_RUNS) -> dict[str, str]:
    """The embedded model, and the finished adapters of its recipes."""
    found = {folder.name: str(folder) for folder in sorted(runs.glob("*")) if is_adapter(folder)}
    return {"tiny": "tiny", **found}


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds a finished adapter that answers mazes."""
    needed = ("adapter_config.json", "adapter_model.safetensors", "metrics.json")
    return all((folder / name).is_file() for name in needed) and '"SEQ_CLS"' not in (
        folder / "adapter_config.json"
    ).read_text(encoding="utf-8", errors="replace")


class Players:
    """A set of models, of which one walks at a time.

    Args:
        models: name -> argument of `find_model`.

    Raises:
        UsageError: none is named.
        AsciiMazeError: one cannot be loaded.
    """

    def __init__(self, models: dict[str, str]):
        if not models:
            raise UsageError("no model was named; give at least one")
        self._lock = threading.Lock()
        self._bases: dict[str, Any] = {}
        self._players: dict[str, Player] = {}
        sources = match_bases({name: find_model(location) for name, location in models.items()})
        for name, source in sources.items():
            self._players[name] = self._load(name, source)

    @property
    def names(self) -> list[str]:
        """The names of the models, in the order in which they were given."""
        return list(self._players)

    @property
    def bases(self) -> int:
        """The number of bases in memory."""
        return len(self._bases)

    def _load(self, name: str, source: Source) -> Player:
        """Load a model, on an already loaded base if it was trained on that."""
        base = json.dumps([source.model_args.model_name_or_path, how_loaded(source)], default=str)
        if base in self._bases:
            adapter = None if source.adapter is None else f"adapter{len(self._players)}"
            try:
                if adapter is not None:
                    self._bases[base] = put_adapter(self._bases[base], source, adapter).eval()
                return Player(name, base, load_tokenizer_of(source), adapter)
            except ModelError:  # an adapter with its own vocabulary cannot share its base
                base += name
        model, tokenizer = load_source(source)
        self._bases[base] = model
        return Player(name, base, tokenizer, "default" if source.adapter is not None else None)

    def answer(self, name: str, mazes: Sequence[Maze]) -> list[str]:
        """A model's greedy answers to some mazes.

        Raises:
            UsageError: there is no such model, or a maze exceeds its context.
        """
        player = self._find(name)
        rows: list[dict[str, Any]] = [{"prompt": prompt_messages(maze), "maze": str(maze)} for maze in mazes]
        for row in rows:
            check_length(name, self._bases[player.base], player.tokenizer, row["prompt"])
        with self._at_work(player) as model:
            return [answers[0] for answers in answer_mazes(model, player.tokenizer, rows)]

    def walk(self, name: str, maze: Maze) -> Answered:
        """A model's greedy answer to a maze, with the probabilities of its moves; raises as `answer`."""
        (completion,) = self.answer(name, [maze])
        moves, player = parse_moves(completion, maze.start), self._find(name)
        if not moves or completion.strip() != format_answer(moves):
            return Answered(completion, None)
        with self._at_work(player) as model:
            return Answered(completion, move_probabilities(model, player.tokenizer, maze, moves))

    def _find(self, name: str) -> Player:
        if name not in self._players:
            raise UsageError(f"there is no model '{name}' here; there are {', '.join(self.names)}")
        return self._players[name]

    @contextmanager
    def _at_work(self, player: Player) -> Iterator[Any]:
        """Context with the base, only the player's adapter active, and other threads locked out."""
        with self._lock:
            model = self._bases[player.base]
            if player.adapter is not None:
                model.set_adapter(player.adapter, inference_mode=True)
            alone = player.adapter is None and hasattr(model, "disable_adapter")
            with model.disable_adapter() if alone else nullcontext():
                yield model


def check_length(name: str, model, tokenizer, prompt: list[Message]) -> None:
    """Check that a model can read a maze.

    Raises:
        UsageError: the maze exceeds its positions.
    """
    most = context_of(model)
    needed = len(tokenizer(render_prompt(tokenizer, prompt), add_special_tokens=False)["input_ids"])
    if most and needed >= most:
        raise UsageError(f"the maze is {needed} tokens long, and '{name}' reads {most}; make it smaller")


def move_probabilities(model, tokenizer, maze: Maze, moves: str) -> list[list[float]] | None:
    """The probabilities of U, D, L and R at the token that decided each move of an answer in letters; one row per
    move.

    None if the tokenizer does not encode a move as one token that can be exchanged without changing the others.
    """
    import torch

    prompt = render_prompt(tokenizer, prompt_messages(maze))

    def ids_of(path: str) -> list[int]:
        return tokenizer(prompt + format_answer(path, PLAIN, maze.start), add_special_tokens=False)["input_ids"]

    whole, places, candidates = ids_of(moves), [], []
    for count in range(len(moves)):
        others = [ids_of(moves[:count] + move) for move in MOVES]
        place = next((k for k, ids in enumerate(zip(*others)) if len(set(ids)) > 1), None)
        if place is None or any(ids[:place] != whole[:place] for ids in others):
            return None
        tokens = [ids[place] for ids in others]
        if len(set(tokens)) < len(MOVES):
            return None
        places.append(place - 1)
        candidates.append(tokens)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([whole], device=model.device)).logits[0].float()
        chances = logits[places].softmax(-1).gather(-1, torch.tensor(candidates, device=logits.device))
    return [[round(float(chance), 4) for chance in row] for row in chances]
