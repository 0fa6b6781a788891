"""`python -m ascii_maze` is `ascii-maze`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is being imported is a line, too."""
    try:
        from .cli import main as run

        run()
    except KeyboardInterrupt:
        print("ascii-maze: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
