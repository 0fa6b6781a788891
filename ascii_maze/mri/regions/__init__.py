"""Activation regions and graphs of components (LLM-MRI, Costa et al., SBBD 2024), base against each fine-tune.

comparison    `fit_regions`, `compare_regions`: for the report; import llm-mri only when they are called
edges         sets of edges and of regions, and how much two of them share; NumPy and SciPy alone
areas         `HiddenStates`, `ModelAreas`, `fit_areas`: llm-mri's interface over our activations
graphs        llm-mri's graphs and metrics, corrected
reduction     llm-mri's PCA, SVD and UMAP, fitted once for all models and labels

`areas`, `graphs` and `reduction` subclass llm-mri's classes and cannot be imported without it.
"""
