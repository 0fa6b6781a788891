"""Small random models with the chat templates of unlike families."""

import re
from pathlib import Path

import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ascii_maze import generate_mazes
from ascii_maze.mazes.prompts import PLAIN

STORED = Path(trl.__file__).parent / "chat_templates"
# Those of vision models take content in parts, and drop text.
VISION = {"idefics3", "idefics3_training", "smolvlm", "smolvlm_training", "llava_next", "llava_next_training"}
FAMILIES = sorted(path.stem for path in STORED.glob("*.jinja") if path.stem not in VISION)
BAR = "\uff5c"  # DeepSeek's
MARKS = re.compile(
    rf"<[|{BAR}][^<>\s]{{1,40}}?[|{BAR}]>|<(?:start|end)_of_\w+>|</?think>|<turn\|>|<\|turn>|\[gMASK\]|<sop>"
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


def save_model(family: str, folder: Path) -> Path:
    """A random Llama of two layers with a family's tokenizer, as a folder."""
    import torch

    tokenizer = tokenizer_of(family)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
