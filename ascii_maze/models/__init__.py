"""A language model by its name, loaded, and what it completes prompts with.

sources        `find_model`: a name -> what to load (`Source`): whole model or adapter, its base, how that is quantised
pins           `find_pinned`, `fingerprint`: which model exactly, its base included, by commits and digests
loading        `load_model`: a name -> model and tokenizer; `load_base`, `load_tokenizer`, `load_model_to_train`
generation     `answer_mazes`, `generate`: prompts -> completions, by transformers
engines        `load_engine`: a name -> an `Engine` that completes prompts, by vLLM or transformers
adapters       `put_adapter`, `read_weights`: an adapter on its base; adapter_config: its config, checked first
gguf           `unpack`: a base in a GGUF file -> a folder as transformers saves it
packaged       `stand_in`: SmolLM2 where the Hub is out of reach
shared_prefix  a batch read with no token computed twice, in training and in generation
quantisation   what 4-bit weights need to be trained and to generate fast on a CPU
"""
