"""The page of `play` in a real browser, with models that are made up, so that nothing is loaded."""

import pytest

from ascii_maze import Maze, score_path
from ascii_maze.errors import UsageError
from ascii_maze.preferences.play_app import checked_maze, generated, play_page, walked, where_they_differ
from ascii_maze.preferences.players import Answered

from ..browser import DESKTOP, PHONE, complaints
from .conftest import served
from .test_annotate_page import NASTY

KIND = {"generator": "depth_first", "width": 4, "height": 4, "braid": 0, "seed": 0}


class Made:
    """`Players` without a model: one solves, one walks straight down, one writes what no page may run."""

    names = ("solver", "downward", "nasty")

    def answer(self, name, mazes):
        said = {
            "solver": lambda maze: " ".join(maze.solve() or "U"),
            "downward": lambda maze: "D D",
            "nasty": lambda maze: NASTY,
        }
        return [said[name](maze) for maze in mazes]

    def walk(self, name, maze):
        (completion,) = self.answer(name, [maze])
        known = [[0.1, 0.2, 0.3, 0.25]] * len(completion.split()) if name != "nasty" else None
        return Answered(completion, known)


@pytest.fixture(scope="module")
def url():
    with served(play_page(Made())) as url:
        yield url


def opened(tab, url, **options):
    page = tab(url, **options)
    page.wait_for_selector("#models label")
    return page


def map_of(page):
    """The map on the page."""
    return page.evaluate("() => document.getElementById('text').value")


def walk(page, count=5):
    page.click("#walk")
    page.wait_for_function("(count) => document.querySelectorAll('#walks figure').length === count", arg=count)


def test_walls_start_and_goal_are_placed_with_the_mouse_and_a_link_keeps_the_map(tab, url):
    page = opened(tab, url)
    page.click("#generate")
    page.wait_for_function("() => document.getElementById('text').value.split('\\n').length === 11")
    before = map_of(page).split("\n")
    box = page.locator("#map").bounding_box()

    def click(row, column):
        page.mouse.click(box["x"] + (column + 0.5) * box["width"] / 11, box["y"] + (row + 0.5) * box["height"] / 11)

    click(0, 0)
    assert map_of(page)[0] == " "
    free = next((r, c) for r, line in enumerate(before) for c, sign in enumerate(line) if sign == " ")
    page.click("text=Goal")
    click(*free)
    after = map_of(page).split("\n")
    assert after[free[0]][free[1]] == "G"
    assert "".join(after).count("G") == "".join(after).count("S") == 1
    link = page.evaluate("location.href")
    other = opened(tab, link)
    other.wait_for_function("(text) => document.getElementById('text').value === text", arg=map_of(page))


def test_walls_are_drawn_with_a_stroke_and_with_keys_alone(tab, url):
    page = opened(tab, url)
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"] / 7, box["y"] + 0.5 * box["height"] / 7)
    page.mouse.down()
    page.mouse.move(box["x"] + 3.5 * box["width"] / 7, box["y"] + 0.5 * box["height"] / 7, steps=12)
    page.mouse.up()
    assert map_of(page).startswith("    ###")
    page.focus("#map")
    for key in ("ArrowRight", "ArrowRight", " ", "ArrowDown", "s"):
        page.keyboard.press(key)
    assert "row 2, column 6: start" in page.text_content("#status")
    text = map_of(page)
    assert text.count("S") == 1
    assert text.split("\n")[1][5] == "S"
    assert text.split("\n")[0] == "    # #"


def test_models_walk_step_by_step_beside_the_guides(tab, url):
    page = opened(tab, url)
    walk(page)
    assert page.locator("#walks h3").all_text_contents() == [
        "solver",
        "downward",
        "nasty",
        "wall follower",
        "shortest path",
    ]
    assert page.locator("#walks .verdict").first.inner_text() == "a shortest path"
    assert NASTY in page.locator("#walks pre").all_text_contents()
    assert page.locator("#walks img, #walks script").count() == 0
    page.click("#walks summary >> nth=0")
    assert "legal prefix" in page.inner_text("#walks figure >> nth=0")
    page.focus("#step")
    page.keyboard.press("Home")
    assert page.inner_text("#at").startswith("move 0 of")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#at").startswith("move 1 of")
    assert "30.0 %" in page.inner_text("#walks .chances >> nth=0")
    assert page.locator("#walks figure >> nth=2").locator(".chances").is_hidden()


def test_a_key_stops_the_walk_also_one_that_does_not_move_the_slider(tab, url):
    page = opened(tab, url)
    walk(page)
    page.focus("#step")
    page.evaluate("document.getElementById('play').click(); 0")
    page.keyboard.press("Home")  # where it stands already
    at = page.inner_text("#at")
    page.wait_for_timeout(400)  # three moves of a walk that goes on
    assert page.inner_text("#at") == at


def test_a_maze_on_which_models_differ_is_found_and_walked(tab, url):
    page = opened(tab, url)
    page.click("#differ")
    page.wait_for_function("() => document.querySelectorAll('#walks figure').length === 5")
    assert len(set(page.locator("#walks .verdict").all_text_contents()[:2])) == 2


def test_a_map_is_pasted_and_what_is_none_is_said(tab, url):
    page = opened(tab, url, console=False)  # which says that the server has refused
    page.click("summary")
    page.fill("#text", "+--+--+\n|S   G|\n+--+--+")
    page.click("#paste")
    page.wait_for_function("() => document.getElementById('text').value === '#####\\n#S G#\\n#####'")
    page.fill("#text", "no maze")
    page.click("#paste")
    page.wait_for_selector("#error:not([hidden])")
    broken = opened(tab, url + "#xx<script>.y", console=False)
    broken.wait_for_selector("#error:not([hidden])")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_it_fits_the_screen_and_can_be_read(tab, url, colours, width):
    page = opened(tab, url, color_scheme=colours, viewport={"width": width, "height": 800})
    assert complaints(page) == []
    walk(page)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    assert complaints(page) == []


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"maze": "#" * 100}, "not exactly|expected|S"),
        ({"maze": None}, "expected the text"),
        ({"maze": "\n".join(["#" * 60] * 58 + ["#SG" + "#" * 57] * 1)}, "at most 41 by 41"),
    ],
)
def test_a_maze_that_cannot_be_walked_is_one_line(sent, said):
    from ascii_maze.metrics.path_validity.maze import MazeError

    with pytest.raises((UsageError, MazeError), match=said):
        checked_maze(sent["maze"])


@pytest.mark.parametrize(
    "change", [{"width": 500}, {"seed": -1}, {"braid": "x"}, {"generator": "<b>"}, {"height": None}]
)
def test_a_kind_of_maze_that_cannot_be_is_one_line(change):
    with pytest.raises(UsageError, match="expected"):
        generated({**KIND, **change}, [0])


def test_guides_walk_as_they_should_and_where_models_agree_is_said():
    (maze,) = generated(KIND, [0])
    assert score_path(maze, walked(Made(), maze, "shortest path")["completion"]).optimal
    found = where_they_differ(Made(), ["solver", "downward"], KIND)
    again = generated({**KIND, "seed": found["seed"]}, [0])[0]
    assert str(again) == found["maze"]
    with pytest.raises(UsageError, match="all of them arrive or none does"):
        where_they_differ(Made(), ["solver", "solver"], KIND)


def test_a_maze_without_a_way_is_walked_all_the_same():
    closed = Maze.from_ascii("#####\n#S#G#\n#####")
    assert walked(Made(), closed, "downward")["verdict"] == "there is no way from S to G"
    assert walked(Made(), closed, "shortest path")["moves"] == ""
