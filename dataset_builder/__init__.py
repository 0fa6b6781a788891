"""Builds and publishes the dataset: mazes of chosen sizes and generators, in splits that share none."""
