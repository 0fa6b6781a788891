"""Mazes: generated, assigned to splits, put into words, and walked rightly and wrongly.

What other wings use:

- `generators.generate_mazes`, `generators.mazes_at`: (seed, generator, size, index) -> mazes, as a `MazeBatch`;
  `GENERATORS` and `ENDPOINTS` name what there is.
- `splits.fingerprint`, `splits.split_of`: which split a maze belongs to, whatever the dataset.
- `prompts.PromptStyle`, `prompts.prompt_messages`, `prompts.format_answer`: a maze as chat messages, a path as an
  answer, and back (`prompts.style_of`).
- `reasoning.REASONING`, `reasoning.check_thought`: what is thought before an answer, and whether it is true of the
  maze; `prompts.format_completion` writes it.
- `convert`: a maze from a file, in any style, and in another one out.
- `rejected.reject`: a worse answer for every maze, of one of `rejected.KINDS`.
- `failures.failure_of`: what is wrong with an answer, one of `failures.FAILURES`.
- `baselines.BASELINES`: walkers that are not models.
- `drawing`: mazes with walks through them, for the terminal and as SVG.

`kernels`, `carvers` and `loops` do the work on whole batches, compiled by numba.
"""
