"""What a fine-tune has lost: variety of its answers, nearness to its start, and what its base could do before.

questions.py    hard mazes, mazes with loops, walks by habit, a plain text
asking.py       the answers of a model, in parts; figures.py: its figures
divergence.py   how far two models are apart on answers; a model's perplexity on given text
run.py          all of it, for several models, in parts; schema.py: the files
tables.py       the figures as text
"""
