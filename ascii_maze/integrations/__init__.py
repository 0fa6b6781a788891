"""Walks step by step in the environments of other frameworks: OpenEnv and verifiers. Inspect's is in `evaluation`.

Each hands texts to the one `MazeEnv` and gives its reward and its score, so that the same turns earn the same
anywhere.

seeded.maze_of_seed     a seed -> a maze for training: none that any dataset holds out
openenv                 a server and its client; the folder is what `ascii-maze push environment` makes a Space of
verifiers_env           a taskset and an environment, by the id `ascii-maze-env`

Both packages are extras, and each is imported by its own module alone.
"""
