"""A small GGUF file, as llama.cpp's tools write them: a random Llama of two layers, its weights rounded to Q8_0."""

import json
from pathlib import Path

import gguf
import numpy as np

from tests.training.families import tokenizer_of

WIDTH, INNER, HEADS, KV_HEADS, LAYERS = 64, 128, 4, 2, 2
# Name in the file -> shape, of each layer.
OF_A_LAYER = {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH // 2, WIDTH),
    "attn_v": (WIDTH // 2, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (INNER, WIDTH),
    "ffn_up": (INNER, WIDTH),
    "ffn_down": (WIDTH, INNER),
}


def write_gguf(file: Path, seed: int = 0) -> dict[str, np.ndarray]:
    """Write the file; returns its rounded weights by name, float32, as the file has them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_of("qwen2_5")
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    special = set(tokenizer.all_special_tokens) | {"<|im_start|>", "<|im_end|>"}
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_name("random")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in tokens])
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_bos_token_id(tokens.index("<|im_start|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|im_end|>"))
    writer.add_chat_template(tokenizer.chat_template)
    rng = np.random.default_rng(seed)
    weights = {"token_embd": (len(tokens), WIDTH)}
    weights |= {f"blk.{layer}.{name}": shape for layer in range(LAYERS) for name, shape in OF_A_LAYER.items()}
    kind, rounded = gguf.GGMLQuantizationType.Q8_0, {}
    for name, shape in weights.items():
        packed = gguf.quantize(rng.normal(0, 0.05, shape).astype(np.float32), kind)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=kind)
        rounded[name] = gguf.dequantize(packed, kind)
    norms = ["output_norm", *(f"blk.{k}.{name}" for k in range(LAYERS) for name in ("attn_norm", "ffn_norm"))]
    for name in norms:
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return rounded
