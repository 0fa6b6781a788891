"""`python -m ascii_maze` is `ascii-maze`."""

from .cli import main

main()
