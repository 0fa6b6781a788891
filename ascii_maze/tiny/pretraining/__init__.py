"""Pre-trains the embedded model from scratch: `python -m ascii_maze.tiny.pretraining --help`.

- `vocabulary`: one token per character; the chat template.
- `walks`: walks that stray before they solve the maze, and walks by habit.
- `corpus`: mazes of training layouts with walks through them, as batches that are a function of (seed, step).
- `run`: training steps, checkpoints and the log; `validation`: the rate of optimal walks on held-out mazes.
"""
