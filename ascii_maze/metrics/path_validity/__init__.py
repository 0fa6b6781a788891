"""The scorer and its `evaluate` module. The folder is also a Space as it stands: nothing here imports the rest."""
