"""Projects only the positions that carry loss, on a CPU too: with a vocabulary of 49,152 tokens the head is a fifth of
the work, and the logits of 16 rows of 145 tokens take half a gigabyte.
"""

import functools
import types


def project_labelled_alone(model) -> None:
    """Let TRL's fused head, where a model has one, leave out positions whose label is -100, in place.

    TRL 1.16 leaves them out on CUDA and projects all of them elsewhere, to give compilers one shape for every batch;
    nothing is compiled on a CPU.

    Args:
        model: a causal model without adapter's wrapping, after `trl.trainer.utils.add_fused_lm_head`.
    """
    import trl.trainer.utils

    fused = model.forward

    @functools.wraps(type(model).forward)
    def forward(self, *args, **kwargs):
        uses_triton = trl.trainer.utils._use_triton
        trl.trainer.utils._use_triton = lambda device: device.type == "cpu" or uses_triton(device)
        try:
            return fused(*args, **kwargs)
        finally:
            trl.trainer.utils._use_triton = uses_triton

    model.forward = types.MethodType(forward, model)
