"""Small random models with the chat templates of unlike families."""

import re
from pathlib import Path

import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from ascii_maze import generate_mazes
from ascii_maze.mazes.prompts import PLAIN

from ..small import small_config

STORED = Path(trl.__file__).parent / "chat_templates"
# Those of vision models take content in parts, and drop text.
VISION = {"idefics3", "idefics3_training", "smolvlm", "smolvlm_training", "llava_next", "llava_next_training"}
FAMILIES = sorted(path.stem for path in STORED.glob("*.jinja") if path.stem not in VISION)
BAR = "\uff5c"  # DeepSeek's
MARKS = re.compile(
    rf"<[|{BAR}][^<>\s]{{1,40}}?[|{BAR}]>|<(?:start|end)_of_\w+>|</?think>|<\w+\|>|<\|\w+>|\[gMASK\]|<sop>"
)


def tokenizer_of(family: str | None) -> PreTrainedTokenizerFast:
    """A BPE tokenizer with a family's template, and a token for each mark that the template writes.

    Its vocabulary is trained on what the template renders around our rules, which come to a few dozen tokens.
    """
    template = (STORED / f"{family}.jinja").read_text() if family else None
    marks = sorted(set(MARKS.findall(template or "")))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1_200,
        special_tokens=["<bos>", "<eos>", *marks],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [PLAIN.system_prompt] * 9 + [template or ""] * 9
    tokenizer.train_from_iterator([*texts, *generate_mazes("depth_first", 3, 3, 20, 0).to_ascii()], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<eos>", chat_template=template
    )


def save_model(family: str, folder: Path, architecture: str = "llama", **sizes) -> Path:
    """A random model of an architecture with a family's tokenizer, as a folder; see `small_config`."""
    import torch

    tokenizer = tokenizer_of(family)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(small_config(tokenizer, architecture, **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
