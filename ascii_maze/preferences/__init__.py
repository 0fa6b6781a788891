"""People's preferences between answers: `annotate` collects them, `agreement` says what they are worth, `play` shows
models in action.

`source.py` finds what can be asked, `collection.py` is what is asked, `assignment.py` whom and when, `journal.py`
keeps the answers, `collector.py` puts these together; `export.py` writes the folder as a dataset, `card.py` its card.
`judgements.py`, `agreement.py`, `strength.py`, `report.py`: what the answers say; `schema.py`: agreement.json, typed.
`simulation.py` and `planning.py` need nobody. `players.py`: models that walk on demand. `pages/` are the pages,
`serving.py`, `annotate_app.py` and `play_app.py` their servers.
"""
