"""Completions by vLLM, for `engines.load_engine`: the same prompts, the same interface, many times as fast on a GPU.

Greedy answers can differ from those of transformers in a few tokens, since the kernels round otherwise; results.json
therefore names the engine. vLLM quantises a 4-bit base by itself, to NF4 as bitsandbytes does.
"""

from pathlib import Path


def load_vllm(source) -> tuple:
    """A tokenizer and a function `complete`; see `engines.Engine`.

    Args:
        source: a `sources.Source`.
    """
    from huggingface_hub import snapshot_download
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    from .loading import load_tokenizer
    from .sources import resolve_model

    args, adapter, lora = source.model_args, source.adapter, None
    if adapter is not None:
        here = Path(source.name).is_dir()
        folder = source.name if here else snapshot_download(source.name, revision=source.revision)
        lora = LoRARequest("adapter", 1, folder)
    engine = LLM(
        model=resolve_model(args.model_name_or_path),
        revision=args.model_revision,
        dtype=args.dtype or "auto",
        quantization="bitsandbytes" if args.load_in_4bit else None,
        enable_lora=lora is not None,
        max_lora_rank=max(8, 1 << (adapter.r - 1).bit_length()) if adapter else 16,  # it takes powers of two from 8
        seed=0,
    )
    tokenizer = load_tokenizer(args.model_name_or_path, args.model_revision)

    def complete(prompts, max_new_tokens, decoding, on_progress) -> list[list[str]]:
        texts = [
            tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True) for prompt in prompts
        ]
        tokens = [{"prompt_token_ids": tokenizer(text, add_special_tokens=False)["input_ids"]} for text in texts]
        sampling = SamplingParams(
            n=decoding.samples, temperature=decoding.temperature, max_tokens=max_new_tokens, seed=decoding.seed
        )
        outputs = engine.generate(tokens, sampling, lora_request=lora, use_tqdm=False)
        on_progress(len(prompts))
        return [[completion.text for completion in output.outputs] for output in outputs]

    return tokenizer, complete
