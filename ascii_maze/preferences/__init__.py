"""Human preferences between answers: `annotate` collects them, `agreement` measures their reliability, and `play`
shows models in action.

`source.py` finds questions, `collection.py` freezes them, `assignment.py` assigns them to people, `journal.py`
stores the answers, and `collector.py` combines these; `export.py` writes the folder as a dataset, `card.py` its card.
`judgements.py`, `agreement.py`, `strength.py`, `report.py`: statistics of the answers; `schema.py`: the types of
agreement.json. `simulation.py` and `planning.py` need no annotators. `players.py`: models that walk on demand.
`pages/` has the pages, `serving.py`, `annotate_app.py` and `play_app.py` their servers.
"""
