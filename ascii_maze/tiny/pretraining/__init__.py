"""How the embedded model is made, from nothing: `python -m ascii_maze.tiny.pretraining --help`.

- `vocabulary`: one token per character; the chat template.
- `walks`: walks that stray and then solve, and walks by habit.
- `corpus`: mazes of training layouts with walks through them, as batches that are a function of (seed, step).
- `run`: the steps, checkpoints and the log; `validation`: how many held-out mazes are walked optimally.
"""
