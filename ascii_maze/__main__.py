"""`python -m ascii_maze` runs the command `ascii-maze`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C during the imports also ends with a one-line message."""
    try:
        from .cli import main as run

        run()
    except KeyboardInterrupt:
        print("ascii-maze: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
