"""What a fine-tune changed inside the model: activations of base and adapters on the same walks, and what they tell.

Imports point downward: report -> analysis -> (similarity, probes, lens, weights, patching) -> activations ->
(models, positions).
"""
