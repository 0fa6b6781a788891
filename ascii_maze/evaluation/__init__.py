"""Models on mazes: what they answer, how it scores, and which of it is more than chance.

What other wings use:

run.evaluate        models x splits -> results.json, predictions.parquet, report.md, and pages on request, with the
                    `Options` of options.py
schema              the types of results.json and predictions.parquet, and the reader of the former
tables              rates as rows of text, for cards and reports; `view` prints them in a terminal
gallery             walks as a page shows them; what became of an answer, in words
show                mazes drawn, from datasets, predictions or text
forgetting          what fine-tunes have lost

Inside: `questions` checks what is asked, `answers` asks the models, or reads `external` files of answers; `stepwise`
lets them walk step by step, which `step_statistics` sums up and `walks` draws; `predictions` stores the scored
answers, `measure` sums them up by `statistics`, `figures` draws that, and `output` looks after the folder.
`inspect_task` and `lm_eval_task` ask the same in other harnesses.
"""
