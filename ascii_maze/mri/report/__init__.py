"""The report as files: figures (PNG and SVG), tables (CSV), report.html and mri.json, from numbers alone.

page              `draw_report`: everything, into a folder
findings          what the tests say, in words
figures           overview, fine-tunes, appendix, made of `charts`: heatmaps, lines, bars
weight_figures    updates of the weights
component_figures heads and MLPs patched one by one; `mixture_figures`, adapters mixed
steering_figures  steered states: a mean change in doses, walls added
text_figures      unrelated text
maze_figures      one maze, its map in every panel
region_figures    figures of regions and graphs, made of `panels`
tables            every number as rows
areas             llm-mri's own calls that draw (`get_grid`, `get_graph_image`)
"""
