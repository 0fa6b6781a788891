from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze
from ascii_maze.mazes.drawing import to_terminal
from ascii_maze.metrics.path_validity.svg import follow, to_svg

from ..metrics.test_maze import maps


def test_a_walk_ends_where_it_hits_a_wall():
    walk = follow(Maze.from_ascii("S #G"), "RRR")
    assert walk.positions == [(0, 0), (0, 1)]
    assert walk.crash == (0, 2)


@given(maps(), st.text("UDLR", max_size=20))
def test_drawings_of_any_walk(text, moves):
    maze = Maze.from_ascii(text)
    svg = ElementTree.fromstring(to_svg(maze, moves))
    line = next(part for part in svg if part.tag.endswith("polyline"))
    assert len(line.attrib["points"].split()) == len(follow(maze, moves).positions)
    arrives = follow(maze, moves).crash is None and follow(maze, moves).positions[-1] == maze.goal
    assert line.attrib["class"] == ("path arrives" if arrives else "path fails")
    drawn = to_terminal(maze, moves).plain.split("\n")[:-1]
    assert [len(row) for row in drawn if "✗✗" not in row] == [2 * maze.shape[1] for row in drawn if "✗✗" not in row]
    assert len(drawn) == maze.shape[0]
