"""Builds the dataset: mazes of chosen sizes and generators, in splits that share none.

What others use:

- `config.load_config`: a YAML file -> `BuildConfig`; `config.quotas`: how many mazes of each kind that makes.
- `build.build`: the dataset as a folder that `load_dataset` reads; the same bytes for the same config and seed.
- `on_policy.replace_preferences`: its preference pairs, from a model's own answers.
- `load.load_split`, `load.load_mazes`: a split of a dataset to work on, from a folder or the Hub.
- `schema.read_record`: build.json, as a `BuildRecord`.
- `python -m dataset_builder.distributed`: the same build on many machines.
"""
