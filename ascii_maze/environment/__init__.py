"""One maze walked step by step: `MazeEnv` gives observations, takes moves, and scores the finished walk.

What other wings use:

- `env.MazeEnv`: the environment, by text turns (`turn`) or by tool calls (`move`, `look`, `stop`, or `call`).
- `observations.Observation`: the visible part of the maze: `full`, `window:2`, `local`, `none`, all but the first
  also with `+goal`.
- `prompts.step_prompt`: the rules as a system message, and the first observation as the user's.
- `episode.Episode`: the outcome of a walk; its score is that of `score_path` for its moves.
- `walks.walk_all`: walks many mazes at once, with one batch of answers per turn.
- `explorers.EXPLORERS`: walkers that are not models but read the same texts.
- `demonstrations.demonstrate`: a walk to train on, in the form of an evaluation's conversation.

Pure Python and deterministic: the same maze and turns give the same texts and the same result.
"""
