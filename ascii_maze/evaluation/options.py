"""The options of an evaluation, besides its models, dataset and splits."""

from dataclasses import dataclass

from ..errors import UsageError
from ..models.chat import AS_IT_IS, Chat
from ..models.generation import Decoding


@dataclass(frozen=True)
class Options:
    """How models are asked, and which files are written.

    Attributes:
        limit: most mazes of each split; see `dataset_builder.load.limited_places`.
        batch_size: answers generated at once.
        baselines: whether the baselines (rules, not models) answer too.
        samples: completions of each maze; more than one gives pass@k and a majority vote.
        temperature: of the samples; None is greedy for one sample, and 1.0 for several.
        seed: of the samples.
        max_new_tokens: of an answer; None for as many as a walk that visits every position once takes.
        pages: also write gallery.html and figures.
        base: where the adapters' base is now, if not where their configs say.
        unquantised_base: also evaluate the base in full precision, as a row of its own, if the adapters were trained
            on a quantised one.
        chat: how the models read conversations; by default each as its tokenizer says.
        stepwise: walk step by step with this observation; see `environment.observations`.
        max_moves: of such a walk; None for twice the open positions of its map.
    """

    limit: int | None = None
    batch_size: int = 64
    baselines: bool = True
    samples: int = 1
    temperature: float | None = None
    seed: int = 0
    max_new_tokens: int | None = None
    pages: bool = False
    base: str | None = None
    unquantised_base: bool = False
    chat: Chat = AS_IT_IS
    stepwise: str | None = None
    max_moves: int | None = None

    def decoding(self) -> Decoding:
        """How completions are drawn.

        Raises:
            UsageError: several greedy samples.
        """
        temperature = self.temperature
        if temperature is None:
            temperature = 0.0 if self.samples == 1 else 1.0
        if self.samples > 1 and not temperature:
            raise UsageError(
                f"{self.samples} greedy answers are all the same; give --temperature above 0, or --samples 1"
            )
        return Decoding(self.samples, temperature, self.seed, self.batch_size)

    def check_for_files(self) -> None:
        """Check the options of an evaluation of nothing but files of answers, which were made elsewhere.

        Raises:
            UsageError: one of them says how answers are made.
        """
        set_here = {
            "temperature": self.temperature is not None,
            "seed": self.seed != 0,
            "max-new-tokens": self.max_new_tokens is not None,
            "base": self.base is not None,
            "unquantised-base": self.unquantised_base,
            "chat-template": self.chat.template is not None,
            "thinking": self.chat.thinking is not None,
            "thinking-tokens": self.chat.thinking_tokens is not None,
        }
        if wrong := next((name for name, is_set in set_here.items() if is_set), None):
            raise UsageError(f"--{wrong} is for models that answer here, and only files of answers are named; omit it")
