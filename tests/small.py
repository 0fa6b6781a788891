"""What tests make small models and adapters of."""

SIZES = {
    "hidden_size": 96,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}


def small_config(tokenizer, architecture: str = "llama", **sizes):
    """A config of an architecture, as transformers calls it, for the tokens of a tokenizer; see `SIZES`."""
    from transformers import AutoConfig

    tokens = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    return AutoConfig.for_model(architecture, vocab_size=len(tokenizer), **tokens, **{**SIZES, **sizes})


def save_own_tokenizer(folder):
    """Save with an adapter of `tiny` a tokenizer whose template and end of turn are not its base's, and return it."""
    from ascii_maze.models.loading import load_tokenizer

    tokenizer = load_tokenizer("tiny")
    tokenizer.chat_template = tokenizer.chat_template.replace("'<bos>'", "'<mark1>'").replace("<eos>", "<mark0>")
    tokenizer.eos_token = "<mark0>"
    tokenizer.save_pretrained(folder)
    return tokenizer
