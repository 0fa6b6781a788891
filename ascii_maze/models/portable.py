"""Saves a tokenizer with which other programs prompt a model exactly as `ascii-maze evaluate` does.

lm-evaluation-harness, Inspect, servers of vLLM and the like render a conversation by the tokenizer's chat template,
tokenise the text, and decode answers without special tokens. With the base's original tokenizer the result
differs: it uses the family's own template (see `templates.py`), a second bos token if both template and tokenizer
write one, an end token that the family does not write, and no tags of thoughts if those are special tokens. The saved
tokenizer fixes all of these, and is read back and compared.
"""

import json
from pathlib import Path

from ..errors import AsciiMazeError, UsageError
from ..files import is_ours, output_folder, write_text
from ..mazes.prompts import prompt_messages
from .chat import NOTE, render_prompt, special_marks, turn_ends, written_after_a_turn

FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_MAZE = "#####\n#S  #\n### #\n#G  #\n#####"
# Keys of tokenizer_config.json that are kept; others make a tokenizer add tokens by itself.
_KEPT = ("model_max_length", "clean_up_tokenization_spaces", NOTE)


def save_portable(tokenizer, folder: Path) -> list[Path]:
    """Write a tokenizer that renders conversations as this package does without further options; see the module.

    Args:
        tokenizer: a fast one, as `loading.load_tokenizer` returns it.
        folder: a new one, or one written by this function.

    Returns:
        The paths of the files.

    Raises:
        UsageError: the folder holds files that this program did not write.
        AsciiMazeError: the tokenizer is a slow one, the folder cannot be written, or the saved tokenizer
            encodes a conversation differently.
    """
    from transformers import AutoTokenizer

    if not tokenizer.is_fast:
        raise AsciiMazeError(f"the tokenizer of '{tokenizer.name_or_path}' is a slow one, and cannot be saved")
    with output_folder(folder, kind="tokenizer"):
        if not is_ours(folder):
            raise UsageError(f"{folder} is not empty and was not made by ascii-maze; name another folder")
        for name, text in _contents(tokenizer).items():
            write_text(folder / name, text)
        again = AutoTokenizer.from_pretrained(folder)
    of = f"the tokenizer of '{tokenizer.name_or_path}', once saved,"
    asked, found = (render_prompt(one, prompt_messages(_MAZE)) for one in (tokenizer, again))
    if found != asked or again(asked)["input_ids"] != tokenizer(asked, add_special_tokens=False)["input_ids"]:
        raise AsciiMazeError(f"{of} makes other tokens of a maze")
    marks = special_marks(tokenizer, turn_ends(tokenizer))
    if again.decode(list(marks), skip_special_tokens=True) != tokenizer.decode(list(marks)):
        raise AsciiMazeError(f"{of} loses the marks of thoughts")
    return [folder / name for name in FILES]


def _contents(tokenizer) -> dict[str, str]:
    """File name of `FILES` -> text."""
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    marks, end = special_marks(tokenizer, turn_ends(tokenizer)), written_after_a_turn(tokenizer)
    for token in backend["added_tokens"]:
        token["special"] = token["special"] and token["id"] not in marks
    backend |= {"post_processor": None, "truncation": None, "padding": None}
    config = {key: tokenizer.init_kwargs[key] for key in _KEPT if key in tokenizer.init_kwargs}
    config |= {
        "tokenizer_class": "PreTrainedTokenizerFast",  # which uses tokenizer.json unchanged
        "bos_token": tokenizer.bos_token,
        "eos_token": tokenizer.eos_token if end is None else tokenizer.convert_ids_to_tokens(end),
        "pad_token": tokenizer.pad_token,
        "unk_token": tokenizer.unk_token,
        "padding_side": "left",
    }
    texts = (json.dumps(backend, ensure_ascii=False), json.dumps(config, indent=2), tokenizer.chat_template)
    return dict(zip(FILES, texts))
