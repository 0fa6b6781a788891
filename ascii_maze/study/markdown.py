"""The report of a study in words, for a terminal, a card or an issue."""


def render_markdown(context: dict) -> str:
    """report.md; what a command printed stands there as code.

    Args:
        context: what the page shows, but for its figures; see `report.write_report`.
    """
    from jinja2 import PackageLoader
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=PackageLoader("ascii_maze", "templates"), trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("study.md.jinja").render(context)
