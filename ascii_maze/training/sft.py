"""Supervised fine-tuning: cross-entropy on the tokens of the right completion (Ouyang et al., 2022, step 1).

With TRL's `assistant_only_loss`, as for step-by-step walks, the loss covers only the model's own turns after the
prompt, each with the token that ends it.
"""

import copy

from ..models.templates import marked_template


def make_trainer(trainer_class: type, run, **arguments):
    """Make TRL's trainer of this method.

    Args:
        trainer_class: TRL's, from the registry in `ascii_maze.recipe.methods`.
        run: the recipe's `RunArguments`.
        arguments: model, args, train_dataset, eval_dataset, processing_class and measure, from `trainer.make_trainer`.
    """
    from .watch import watched

    arguments["processing_class"] = marking_turns(arguments["args"], arguments["processing_class"])
    return watched(trainer_class)(**arguments)


def marking_turns(args, tokenizer):
    """The tokenizer, or with `assistant_only_loss` a copy whose template marks the model's tokens.

    Args:
        args: TRL's config; of any method.

    Raises:
        UsageError: its template cannot be made to mark them.
    """
    if not getattr(args, "assistant_only_loss", False):
        return tokenizer
    marking = copy.deepcopy(tokenizer)
    marking.chat_template = marked_template(tokenizer)
    return marking
