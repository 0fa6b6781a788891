"""Odds-ratio preference optimisation: the loss of the right completion plus a penalty on the odds of the wrong one, in
one stage from the base and without a reference model (Hong et al., 2024).
"""


def make_trainer(trainer_class: type, run, **arguments):
    """Make TRL's trainer of this method; see `sft`. As in the paper, the loss is of the completion's tokens alone.

    TRL 1.16 adds the prompt's: the likelihood of a random maze, which outweighs the rest and teaches nothing.
    """
    from .watch import watched

    class AnswerOnly(trainer_class):
        def concatenated_forward(self, model, batch):
            chosen, rejected, chosen_logits, rejected_logits, _, *rest = super().concatenated_forward(model, batch)
            return chosen, rejected, chosen_logits, rejected_logits, -chosen.mean(), *rest

    return watched(AnswerOnly)(**arguments)
