"""The metric as a web page: paste a maze and an answer to see the path and every field of its score."""

import base64
import sys
from html import escape
from pathlib import Path
from types import ModuleType

# A Space runs this file as a script, but the other modules use the relative imports of a package.
sys.modules["path_validity_space"] = ModuleType("path_validity_space")
sys.modules["path_validity_space"].__path__ = [str(Path(__file__).resolve().parent)]

from path_validity_space.maze import Maze, MazeError  # noqa: E402
from path_validity_space.scoring import parse_moves, score_path  # noqa: E402
from path_validity_space.svg import STYLE, to_svg  # noqa: E402

MAZE = "#######\n#S    #\n##### #\n#     #\n# #####\n#    G#\n#######"
ANSWER = "R R R R D D L L L L D D R R R R"


def draw(maze: str, answer: str) -> tuple[str, dict]:
    """The drawn path as HTML and the fields of its score; for a bad maze the error and no fields."""
    try:
        parsed = Maze.from_ascii(maze)
    except MazeError as error:
        return f"<p>Not a maze: {escape(str(error))}</p>", {}
    score = score_path(parsed, answer)
    svg = to_svg(parsed, parse_moves(answer, parsed.start) or "").replace(">", f"><style>{STYLE}</style>", 1)
    data = base64.b64encode(svg.encode()).decode()  # as an image, so that its CSS does not affect the page
    verdict = "not a path" if not score.parsed else "arrives" if score.valid else "does not arrive"
    return f'<img alt="{verdict}" style="max-width:30rem;width:100%" src="data:image/svg+xml;base64,{data}">', (
        score.to_dict()
    )


def main() -> None:
    """Serve the page."""
    import gradio

    with gradio.Blocks(title="Path validity") as page:
        gradio.Markdown("# Path validity\nPaste a maze and an answer. `#` is wall, `S` start, `G` goal.")
        with gradio.Row():
            with gradio.Column():
                maze = gradio.Textbox(MAZE, lines=12, label="Maze")
                answer = gradio.Textbox(ANSWER, lines=3, label="Answer")
            with gradio.Column():
                picture, fields = gradio.HTML(), gradio.JSON(label="Score")
        for box in (maze, answer):
            box.change(draw, [maze, answer], [picture, fields])
        page.load(draw, [maze, answer], [picture, fields])
    page.launch()


if __name__ == "__main__":
    main()
