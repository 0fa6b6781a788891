"""Step-by-step walks as environments of other frameworks: OpenEnv and verifiers. Inspect's is in `evaluation`.

Each passes texts to `MazeEnv` and returns its reward and score, so that the same turns earn the same in all of them.

seeded.maze_of_seed     a seed -> a maze for training, whose layout no dataset that is split by layout holds out
openenv                 a server and its client; `ascii-maze push environment` makes a Space of the folder
verifiers_env           a taskset and an environment, by the id `ascii-maze-env`

Both frameworks are extras, and each is imported only by its own module.
"""
