"""What a fine-tune changed inside the model: activations of base and adapters on the same mazes, compared.

Public: `run.write_report` makes the report, `schema` is the type of mri.json with its only writer and reader, and
`regions.edges.ALL` names the graph of all prompts in it.

Inside, imports point downward, which a test checks:

run, options                                     measure, then draw; what may be asked for
report/                                          figures, tables, page; runs no model
measure                                          every number of the report, part by part; draws nothing
analysis, probing, interventions                 numbers of several models: similarity and regions, probes, causes
plain_text                                       what fine-tunes change on unrelated text
steering, walls                                  states pushed along a direction, beside random ones of the same norm
one_maze, places                                 one maze from inside; what states encode about each place of a map
causes, component_effects, mixing                what models answer when patched, by layer or by head, or mixed
regions/                                         llm-mri's regions and graphs, corrected
similarity, probes, lens, weights, patching      one idea each, on arrays or on the models
components, odds, intervals                      what heads and MLPs add; how sure a model is of right moves
starts, seeds, layers                            what a fine-tune is compared with; which layers are patched
labels, activations                              facts of each maze and move; hidden states on disk
reading                                          models run over walks, nothing computed twice
positions, rows, models                          S, G and moves in the tokens; checked mazes; all models as one
schema                                           types
"""
