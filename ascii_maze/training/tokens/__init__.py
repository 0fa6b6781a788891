"""How a tokenizer cuts a maze, its rules and its answer, and what the chat template puts around them.

facts   `look`: a tokenizer and a maze -> `Facts`, as JSON has them
view    `show`: facts -> the terminal
"""
