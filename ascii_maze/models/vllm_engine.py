"""Completions with vLLM, for `engines.load_engine`: the same prompts and interface, many times faster on a GPU.

Greedy answers can differ from those of transformers in a few tokens, since its kernels round differently; results.json
therefore names the engine. vLLM quantises a 4-bit base by itself, to NF4 as bitsandbytes does.
"""

from ..metrics.path_validity.scoring import opened_thought


def load_vllm(source) -> tuple:
    """A tokenizer, a function `complete`, and the most tokens that the model reads; see `engines.Engine`.

    Args:
        source: a `sources.Source`.
    """
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    from .adapters import read_weights
    from .budgets import check_context
    from .chat import read_answers, render_prompt, turn_ends
    from .loading import load_tokenizer_of
    from .sources import loadable
    from .whole import check_numbers, check_stored

    args, adapter, lora = source.model_args, source.adapter, None
    if adapter is not None:
        folder, _ = read_weights(source.name, source.revision)
        lora = LoRARequest("adapter", 1, str(folder))
    base = loadable(args.model_name_or_path)
    check_stored(base, args.model_revision, args.model_name_or_path)
    check_numbers(base, args.model_revision, args.model_name_or_path)
    engine = LLM(
        model=base,
        revision=args.model_revision,
        dtype=args.dtype or "auto",
        quantization="bitsandbytes" if args.load_in_4bit else None,
        enable_lora=lora is not None,
        max_lora_rank=max(8, 1 << (adapter.r - 1).bit_length())
        if adapter
        else 16,  # must be a power of two, at least 8
        seed=0,
    )
    tokenizer = load_tokenizer_of(source)
    ends, context = turn_ends(tokenizer), engine.llm_engine.model_config.max_model_len

    def complete(prompts, max_new_tokens, decoding, on_progress) -> list[list[str]]:
        texts = [render_prompt(tokenizer, prompt) for prompt in prompts]
        rows = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        check_context(context, max(map(len, rows), default=0), max_new_tokens)
        sampling = [
            SamplingParams(
                n=decoding.samples,
                temperature=decoding.temperature,
                max_tokens=max_new_tokens,
                seed=decoding.for_part(str(place)).seed,  # vLLM seeds each prompt: equal ones would get equal answers
                stop_token_ids=ends,
                detokenize=False,
            )
            for place in range(len(rows))
        ]
        tokens = [{"prompt_token_ids": row} for row in rows]
        outputs = engine.generate(tokens, sampling, lora_request=lora, use_tqdm=False)
        on_progress(len(prompts))
        # Not decoded by vLLM, which has the base's tokenizer: the adapter's may have other special tokens.
        return [
            read_answers(
                tokenizer, [completion.token_ids for completion in output.outputs], ends, opened_thought(text)
            )
            for text, output in zip(texts, outputs)
        ]

    return tokenizer, complete, context
