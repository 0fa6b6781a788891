"""Language models: found by name, loaded, and run to complete prompts.

sources        `find_model`: a name -> what to load (`Source`): whole model or adapter, its base, the quantisation
pins           `find_pinned`, `fingerprint`: the identity of a model and its base, by commits and digests
loading        `load_model`: a name -> model and tokenizer; `load_base`, `load_tokenizer`, `load_model_to_train`
generation     `answer_mazes`, `generate`: prompts -> completions, by transformers
budgets        how many tokens an answer may have, how many rows fit a device, what a model can read
engines        `load_engine`: a name -> an `Engine` that completes prompts, by vLLM or transformers
adapters       `put_adapter`, `read_weights`: an adapter on its base; adapter_config: its config, checked first
gguf           `unpack`: a base in a GGUF file -> a folder as transformers saves it
packaged       `stand_in`: SmolLM2 where the Hub cannot be reached
shared_prefix  computes shared prefixes of a batch once, in training and generation
quantisation   fixes for training with 4-bit weights, and fast generation on a CPU
"""
