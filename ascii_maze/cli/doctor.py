"""`ascii-maze doctor`: what works on this machine."""

import json

import typer

from ..errors import AsciiMazeError, printable
from .options import Json

app = typer.Typer()


@app.command(epilog="Example: ascii-maze doctor")
def doctor(as_json: Json = False) -> None:
    """Check Python, packages, GPU, Hub login and disk, and print the command that fixes what does not work."""
    from rich.console import Console

    from ..doctor import examine, in_order, to_table

    with Console(stderr=True).status("testing a 4-bit layer in a new process") as status:
        checks = examine()
        status.stop()
    if as_json:
        print(json.dumps({"in_order": in_order(checks), "checks": [check._asdict() for check in checks]}))
    else:
        Console().print(to_table(checks))
        for check in checks:
            if check.fix:
                print(printable(f"{check.name}: {check.fix}"))
    if not in_order(checks):
        raise AsciiMazeError(
            f"{', '.join(check.name for check in checks if check.required and check.state != 'ok')} must be fixed "
            "before anything runs"
        )
