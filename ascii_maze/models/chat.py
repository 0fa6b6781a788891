"""Conversations as a model reads them, and the tokens by which it ends its turn."""

from ..mazes.prompts import Message

# An answer that no template changes or repeats, to see what a template writes after one.
_PROBE = "RRDDLLUU"


def render_prompt(tokenizer, prompt: list[Message]) -> str:
    """What the model is given to complete."""
    return tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)


def turn_ends(tokenizer, model=None) -> list[int]:
    """The tokens that end an answer: the tokenizer's eos, the model's own, and what the template writes after a turn.

    That of the template need not be the eos: `<|im_end|>` beside `<|endoftext|>`. A model that was trained on the
    template ends with it, and would be read on to the last token that it may write.
    """
    config = getattr(model, "generation_config", None)
    own = getattr(config, "eos_token_id", None)
    ends = {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own]), _written_after_a_turn(tokenizer)}
    return sorted(ends - {None})


def _written_after_a_turn(tokenizer) -> int | None:
    talk = [{"role": "user", "content": "S G"}, {"role": "assistant", "content": _PROBE}]
    try:
        text = tokenizer.apply_chat_template(talk, tokenize=False)
    except Exception:  # a template may refuse any conversation, and says so in any way
        return None
    _, _, after = text.rpartition(_PROBE)
    tokens = tokenizer(after.lstrip(), add_special_tokens=False)["input_ids"]
    return tokens[0] if tokens and tokens[0] in tokenizer.added_tokens_decoder else None
