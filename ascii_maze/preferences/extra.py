"""The optional dependencies of the pages and their statistics: the extra `app`."""

from importlib.util import find_spec

from ..errors import AsciiMazeError

INSTALL = "pip install 'ascii-maze[app]'"
STATISTICS, PAGES = ("choix", "krippendorff"), ("gradio",)


def require(*modules: str) -> None:
    """Check that modules of the extra are installed.

    Raises:
        AsciiMazeError: one is not; names the command that installs it.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise AsciiMazeError(f"{', '.join(missing)} must be installed for this: {INSTALL}")
