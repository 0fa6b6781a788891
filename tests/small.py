"""The config of the small random models that tests make."""

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
