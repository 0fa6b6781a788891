"""The same number of trials for every method: search the settings of a recipe on validation.

    from ascii_maze.study.sweep.search import Sweep, search

What may vary stands in `spaces.yaml` beside the recipes (`spaces`); Optuna chooses (`search`), every trial is a
training stage as in a study, and all of them are published (`report`).
"""
