"""One maze walked step by step: `MazeEnv` says what can be seen, takes a move, and scores the walk when it is over.

What other wings use:

- `env.MazeEnv`: the environment, by text turns (`turn`) or by tool calls (`move`, `look`, `stop`, or `call`).
- `observations.Observation`: what of the maze can be seen: `full`, `window:2`, `local`, `none`, each but the first
  with `+goal`.
- `prompts.step_prompt`: the rules as a system message, and the first observation as the user's.
- `episode.Episode`: what became of a walk; its score is `score_path`'s of the moves that were made.
- `walks.walk_all`: many mazes walked at once, all by one batch of answers a turn.
- `explorers.EXPLORERS`: walkers that are not models, and read the same texts as one.
- `demonstrations.demonstrate`: a walk to learn from, as the conversation of an evaluation.

Pure Python, without a random number: the same maze and the same turns give the same texts and the same result.
"""
