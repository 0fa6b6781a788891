"""The embedded model's tokenizer: one token per character, one for a move with the space before it, and marks.

More characters than the pre-training needs have a token, so that the same base can be taught other styles of mazes and
answers, walks in turns and by tool calls, and thinking. Capitals other than those of mazes and moves have none: the
rules, which are the same in every conversation, are left out.
"""

import string

import numpy as np

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>", "<walk>", "<turn>")
PAD, BOS, EOS, UNKNOWN, WALK, TURN = range(len(SPECIAL))
# Marks within answers, which are kept when special tokens are skipped; the last ones are reserved.
MARKS = (
    *("<think>", "</think>", "<answer>", "</answer>"),
    *("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
    *(f"<mark{number}>" for number in range(8)),
)
CHARACTERS = (
    *("\n", "#", " ", "S", "G", "U", "D", "L", "R"),
    *string.digits,
    *string.ascii_lowercase,
    *(character for character in string.punctuation if character != "#"),
    *"█·╵╷│╴┘┐┤╶└┌├─┴┬┼↑↓←→",
)
MOVES = (" U", " D", " L", " R")
VOCABULARY = {token: index for index, token in enumerate((*SPECIAL, *CHARACTERS, *MOVES, *MARKS))}
# The first move of an answer has no space before it; both ranges are in the order of the moves U D L R.
FIRST_MOVE, NEXT_MOVE = VOCABULARY["U"], VOCABULARY[" U"]
# ASCII code -> token, for whole arrays of rendered mazes.
MAZE_TOKENS = np.array([VOCABULARY.get(chr(code), UNKNOWN) for code in range(128)])

# The tool calls of a turn in the format of TRL and transformers.
_CALLS = (
    "{%- for call in message.tool_calls or [] -%}{%- set call = call.function or call -%}"
    '{{- \'<tool_call>{"name": "\' + call.name + \'", "arguments": \' -}}'
    "{{- (call.arguments | tojson) + '}</tool_call>' -}}"
    "{%- endfor -%}"
)
RESPONSE_TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<walk>",
    "fields": {
        "tool_calls": {
            "open": "<tool_call>",
            "close_pattern": r"</tool_call>\s*",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close_pattern": r"<eos>\s*", "content": "text"},
    },
}


# The maze, the mark before a walk, the walk; further turns likewise. Rules are left out.
CHAT_TEMPLATE = (
    "{%- set turn = namespace(mark='<bos>') -%}"
    "{%- for message in messages -%}"
    "{%- if message.role == 'user' -%}{{- turn.mark + message.content -}}{%- set turn.mark = '<turn>' -%}"
    "{%- elif message.role == 'tool' -%}{{- '<tool_response>' + message.content + '</tool_response>' -}}"
    "{%- elif message.role == 'assistant' -%}"
    "{{- '<walk>' -}}{% generation %}{{- message.content or '' -}}" + _CALLS + "{{- '<eos>' -}}{% endgeneration %}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<walk>' -}}{%- endif -%}"
)


def build_tokenizer(context: int):
    """The tokenizer as a `PreTrainedTokenizerFast`, to be saved with the weights.

    Args:
        context: the most tokens that the model reads.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    merges = [(" ", move.strip()) for move in MOVES]
    tokenizer = Tokenizer(models.BPE(vocab=VOCABULARY, merges=merges, unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in MARKS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        chat_template=CHAT_TEMPLATE,
        response_template=RESPONSE_TEMPLATE,
        model_max_length=context,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
