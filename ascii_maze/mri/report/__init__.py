"""The report as files: figures (PNG and SVG), tables (CSV), report.html and mri.json, from numbers alone.

page              `draw_report`: everything, into a folder
findings          what the tests say, in words
figures           every figure but those of regions, made of `charts`: heatmaps, lines, bars
component_figures heads and MLPs patched one by one; `mixture_figures`, adapters mixed
steering_figures  states that were pushed: a mean change in doses, walls put in
text_figures      unrelated text
maze_figures      one maze, its map in every panel
region_figures    figures of regions and graphs, made of `panels`
tables            every number as rows
areas             llm-mri's own calls that draw (`get_grid`, `get_graph_image`)
"""
