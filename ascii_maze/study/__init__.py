"""The whole experiment as stages, each a plain `ascii-maze` command.

settings.py     a study file -> `Study`, checked; launchers.py: what may run its trainings
plan.py         a study -> stages, and which of them need which
inputs.py       the content of what a stage reads and made; source.py: the code that it runs
runner.py       runs the stages that have not been run, as processes; view.py shows how far they are
pairs.py        which models are compared; contrasts.py: the tests, findings.py: their results in words
power.py        how many seeds and mazes an effect needs; simulation.py: studies with known effects
tuning.py       how the settings of a recipe were chosen; sweep/: choosing them
schema.py       the files that a study writes; results.py gathers, figures.py draws and report.py writes them
"""
