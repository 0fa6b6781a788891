"""The embedded model's tokenizer: one token per character, and one for a move with the blank before it."""

import numpy as np

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>", "<walk>")
PAD, BOS, EOS, UNKNOWN, WALK = range(5)
CHARACTERS = ("\n", "#", " ", "S", "G", "U", "D", "L", "R")
VOCABULARY = {token: index for index, token in enumerate((*SPECIAL, *CHARACTERS, " U", " D", " L", " R"))}
# The first move of an answer has no blank before it; both run in the order of the moves U D L R.
FIRST_MOVE, NEXT_MOVE = VOCABULARY["U"], VOCABULARY[" U"]
# ASCII code -> token, for whole arrays of rendered mazes.
MAZE_TOKENS = np.full(128, UNKNOWN)
MAZE_TOKENS[[ord(character) for character in CHARACTERS]] = [VOCABULARY[character] for character in CHARACTERS]

# The maze, the sign that the walk begins, the walk. System messages are left out.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}{{- '<bos>' + message['content'] -}}"
    "{%- elif message['role'] == 'assistant' -%}{{- '<walk>' + message['content'] + '<eos>' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<walk>' -}}{%- endif -%}"
)


def build_tokenizer(context: int):
    """The tokenizer as a `PreTrainedTokenizerFast`, to be saved beside the weights."""
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    merges = [(" ", move) for move in "UDLR"]
    tokenizer = Tokenizer(models.BPE(vocab=VOCABULARY, merges=merges, unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=context,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
