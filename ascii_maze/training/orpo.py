"""Odds-ratio preference optimisation: the loss of the right completion plus a penalty on the odds of the wrong one, in
one stage from the base and without a reference model (Hong et al., 2024).
"""


def make_trainer(trainer_class: type, run, **arguments):
    """Make TRL's trainer of this method; see `sft`. As in the paper, the loss is of the completion's tokens alone.

    TRL 1.16 includes the prompt's: the likelihood of a random maze, which outweighs the rest and teaches nothing. It
    also computes the logits of all positions, several times, where its other trainers have a fused head; this one
    has a fused head too.
    """
    from torch.nn import Linear
    from trl.trainer.utils import add_fused_lm_head

    from ..models.shared_prefix import without_adapter
    from .watch import watched

    trainer_class = rows_as_written(trainer_class)

    class AnswerOnly(trainer_class):
        fused = False

        def concatenated_forward(self, model, batch):
            if not self.fused:
                chosen, rejected, chosen_logits, rejected_logits, _, *rest = super().concatenated_forward(model, batch)
                return chosen, rejected, chosen_logits, rejected_logits, -chosen.mean(), *rest
            both = self.concatenated_inputs(batch, padding_value=self.padding_value, device=self.accelerator.device)
            output = model(
                both["concatenated_input_ids"],
                attention_mask=both["concatenated_attention_mask"],
                labels=both["concatenated_labels"],
                fused_lm_head=True,
            )
            tokens, pairs = output.label_mask.sum(1), len(batch["chosen_labels"])
            likely, logits = output.log_probs.sum(1) / tokens, output.mean_logits.sum(1) / tokens
            return likely[:pairs], likely[pairs:], logits[:pairs], logits[pairs:], -likely[:pairs].mean()

    trainer = watched(AnswerOnly)(**arguments)
    base = without_adapter(trainer.model)
    # TRL would read the weights of the head without the adapter.
    trainer.fused = type(base.get_output_embeddings()) is Linear and not trainer.aux_loss_enabled
    if trainer.fused:
        add_fused_lm_head(base, outputs=("log_probs", "mean_logits"))
    return trainer


def rows_as_written(trainer_class: type) -> type:
    """TRL's trainer with the tokens that the chat template writes and no others.

    TRL 1.16 adds the tokenizer's bos and eos to a conversation whose template writes neither, or another end: tokens
    that no other method and no evaluation reads.
    """

    class AsWritten(trainer_class):
        def tokenize_row(self, feature, model=None):
            row = super().tokenize_row(feature, model)
            for side in ("chosen", "rejected"):
                written = self.build_tokenized_answer(feature["prompt"], feature[side])
                tokens = written["prompt_input_ids"] + written["input_ids"]
                begin = int(row[f"{side}_input_ids"][:1] != tokens[:1])
                for part in ("input_ids", "attention_mask", "labels"):
                    row[f"{side}_{part}"] = row[f"{side}_{part}"][begin : begin + len(tokens)]
            return row

    return AsWritten
