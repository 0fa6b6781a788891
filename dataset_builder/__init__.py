"""Builds the dataset: mazes of chosen sizes and generators, in disjoint splits.

What others use:

- `config.load_config`: a YAML file -> `BuildConfig`; `config.quotas`: the number of mazes of each kind.
- `build.build`: the dataset as a folder that `load_dataset` reads; the same bytes for the same config and seed.
- `on_policy.replace_preferences`: preference pairs from a model's own answers.
- `load.load_split`, `load.load_mazes`: the rows of a split, from a folder or the Hub.
- `schema.read_record`: build.json, as a `BuildRecord`.
- `python -m dataset_builder.distributed`: the same build on many machines.
"""
