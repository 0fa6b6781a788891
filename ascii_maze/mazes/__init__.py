"""Mazes: generation, splits, prompts, and right and wrong answers.

What other wings use:

- `generators.generate_mazes`, `generators.mazes_at`: (seed, generator, size, index) -> mazes, as a `MazeBatch`;
  `GENERATORS` and `ENDPOINTS` list the available names.
- `splits.fingerprint`, `splits.split_of`: the split a maze belongs to, the same in every dataset.
- `prompts.PromptStyle`, `prompts.prompt_messages`, `prompts.format_answer`: a maze as chat messages, a path as an
  answer, and back (`prompts.style_of`).
- `reasoning.REASONING`, `reasoning.check_thought`: the thought before an answer, and whether it is true of the
  maze; `prompts.format_completion` writes it.
- `convert`: reads a maze from a file in any style and writes it in another.
- `rejected.reject`: a worse answer for every maze, of one of `rejected.KINDS`.
- `failures.failure_of`: what is wrong with an answer, one of `failures.FAILURES`.
- `baselines.BASELINES`: walkers that are not models.
- `drawing`: mazes with walks through them, for the terminal and as SVG.

`kernels`, `carvers` and `loops` do the work on whole batches, compiled by numba.
"""
