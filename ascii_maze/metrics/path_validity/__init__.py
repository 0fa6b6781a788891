"""The scorer and its `evaluate` module. The folder can be pushed as a Space: nothing here imports the rest."""
