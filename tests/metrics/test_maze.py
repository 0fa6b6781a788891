import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze, MazeError, score_path
from ascii_maze.metrics.path_validity import maze as module
from ascii_maze.metrics.path_validity.bulk import score_columns, score_paths
from ascii_maze.metrics.path_validity.maze import Facts
from ascii_maze.metrics.path_validity.styles import PLAIN_STYLES
from ascii_maze.metrics.path_validity.svg import to_svg

SMALL = "#####\n#S  #\n### #\n#G  #\n#####"


@st.composite
def maps(draw):
    """Any rectangular map with one S and one G, lattice or not, reachable or not."""
    rows = draw(st.integers(1, 7))
    columns = draw(st.integers(2 if rows == 1 else 1, 7))
    symbols = draw(st.lists(st.sampled_from("#  "), min_size=rows * columns, max_size=rows * columns))
    start, goal = draw(st.lists(st.integers(0, rows * columns - 1), min_size=2, max_size=2, unique=True))
    symbols[start], symbols[goal] = "S", "G"
    return "\n".join("".join(symbols[row * columns : (row + 1) * columns]) for row in range(rows))


@given(maps(), st.sampled_from(PLAIN_STYLES))
def test_every_plain_style_is_parsed_back_losslessly(text, style):
    maze = Maze.from_ascii(text)
    assert maze.to_ascii() == text == str(maze)
    assert Maze.from_ascii(maze.to_ascii(style)) == maze


BLANK = "S  \n   \n  G"


@pytest.mark.parametrize(
    ("text", "map_of_it"),
    [
        (SMALL + "\n", SMALL),
        (SMALL.replace("\n", "\r\n") + "\r\n", SMALL),
        ("\ufeff" + SMALL, SMALL),
        ("\ufeff\r\n" + SMALL.replace("\n", "\r\n") + "\r\n\r\n", SMALL),
        ("\n\n" + SMALL + "\n\n\n", SMALL),
        (SMALL.replace("#S  #\n", "#S  #  \n"), SMALL),
        (SMALL + "   ", SMALL),
        ("  \n" + SMALL + "\n \n", SMALL),
        ("\ufeff" + SMALL.replace("\n", "\r\n") + "\r\n ", SMALL),
        ("\n" + Maze.from_ascii(SMALL).to_ascii("dots").replace("\n", " \n"), SMALL),
        (Maze.from_ascii(SMALL).to_ascii("blocks") + " \n", SMALL),
        ("\n" + BLANK + "\n", BLANK),
        # A rectangle is a map as it stands, with open ground outside the walls.
        (SMALL.replace("\n", "  \n") + "  ", SMALL.replace("\n", "  \n") + "  "),
    ],
)
def test_what_editors_add_is_left_out_where_it_is_no_part_of_the_map(text, map_of_it):
    assert Maze.from_ascii(text).to_ascii() == map_of_it
    assert score_paths([text], ["R"]) == [score_path(map_of_it, "R")]


def test_marks_say_what_other_characters_stand_for():
    text = SMALL.replace("S", "*").replace("G", "E").replace("#", "x")
    assert Maze.from_ascii(text, {"*": "S", "E": "G", "x": "#"}).to_ascii() == SMALL
    assert Maze.from_ascii(SMALL, {"o": "G"}).to_ascii() == SMALL
    with pytest.raises(MazeError, match="expected exactly one G, found 2"):
        Maze.from_ascii(SMALL.replace(" ", "E", 1), {"E": "G"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the maze is empty"),
        ("\n", "the maze is empty"),
        ("\ufeff\r\n\r\n", "the maze is empty"),
        ("SG\n#", "row 2: expected 2 characters as in row 1, found 1"),
        ("SG\n\n##", "row 2: expected 2 characters as in row 1, found 0"),
        ("SG \n# \n###", "row 2: expected 3 characters as in row 1, found 2"),  # open ground, or padding
        ("#S G# \n####\n", "row 2: expected 6 characters as in row 1, found 4"),
        ("#S E#", r"row 1, column 4: .* found 'E' \(write G for E, or --marks E=G\)$"),
        ("#@ G#", r"row 1, column 2: .* found '@' \(write S for @, or --marks @=S\)$"),
        ("#S o#", r"found 'o' \(write G for o, or --marks o=G\)$"),
        ("#o G#", r"found 'o' \(write S for o, or --marks o=S\)$"),
        ("#* E#", r"found '\*' \(write S for \*, or --marks \*=S\)$"),
        ("#E *#", r"found 'E' \(write G for E, or --marks E=G\)$"),
        ("#? !#", r"found '\?'$"),
        ("#SoG#", "found 'o'$"),
        ("#Soo#", "found 'o'$"),
        ("S?G", "row 1, column 2: expected '#', ' ', 'S' or 'G', found '?'"),
        ("S\tG", r"row 1, column 2: .* found '\\t' \(tabs are not spaces\)"),
        ("S\rG", "row 1, column 2"),
        ("S #\n.G#", "row 2, column 1: expected ' ' as above, found '.'"),
        ("S#\n█G", "row 2, column 1: expected '#' as above, found '█'"),
        ("S  ", "expected exactly one G, found 0"),
        ("  G", "expected exactly one S, found 0"),
        ("SGS", "expected exactly one S, found 2: row 1, column 1 and row 1, column 3"),
        ("GSG", "expected exactly one G, found 2"),
        ("S", "expected exactly one G, found 0"),
        ("###\n#S#\n###", "expected exactly one G, found 0"),
    ],
)
def test_bad_text_is_refused_with_its_place(text, message):
    with pytest.raises(MazeError, match=message):
        Maze.from_ascii(text)


def test_text_must_be_text():
    with pytest.raises(MazeError, match="not bytes"):
        Maze.from_ascii(b"SG")


def test_unknown_style():
    with pytest.raises(ValueError, match="unknown maze style 'stars'; expected one of hash, dots, blocks"):
        Maze.from_ascii("SG").to_ascii("stars")


def test_solve_and_facts():
    maze = Maze.from_ascii(SMALL)
    assert maze.solve() == "RRDDLL"
    assert maze.facts() == Facts(path_length=6, turns=2, junctions=0, dead_ends=2)


def test_unreachable_goal_is_a_legal_maze_without_a_path():
    maze = Maze.from_ascii("S#G")
    assert maze.solve() is None
    assert maze.facts().path_length is None


def test_first_of_several_shortest_paths_follows_the_order_of_moves():
    assert Maze.from_ascii("S \n G").solve() == "DR"


def turned(text):
    return "\n".join("".join(column) for column in zip(*text.split("\n")[::-1], strict=True))


def mirrored(text):
    return "\n".join(line[::-1] for line in text.split("\n"))


@given(maps())
def test_canonical_form_is_shared_by_all_symmetries_and_the_way_back(text):
    canonical = Maze.from_ascii(text).canonical()
    swapped = text.translate(str.maketrans("SG", "GS"))
    for same in (turned(text), mirrored(text), swapped, turned(mirrored(swapped))):
        assert Maze.from_ascii(same).canonical() == canonical
    assert Maze.from_ascii(canonical).canonical() == canonical
    assert sorted(canonical.replace("\n", "")) == sorted(text.replace("\n", ""))


def test_different_mazes_have_different_canonical_forms():
    assert Maze.from_ascii("S G").canonical() != Maze.from_ascii("SG ").canonical()


class Counted(str):
    """A map that counts how often a place of it is looked at."""

    looks = 0

    def __getitem__(self, place):
        self.looks += 1
        return super().__getitem__(place)


def large_maps() -> dict[str, str]:
    """Maps that a search whose cost grows with places times moves takes seconds or minutes for."""
    walls = [" " + "#" * 400, "#" * 400 + " "]
    winding = "\n".join(" " * 401 if row % 2 == 0 else walls[row // 2 % 2 == 0] for row in range(401))
    comb = "\n".join(" " * 401 if row == 0 else " #" * 200 + " " for row in range(401))
    return {
        "corridor": "S" + " " * 100_000 + "G",
        "column": "\n".join("S" + " " * 20_000 + "G"),
        "winding": f"S{winding[1:-1]}G",
        "comb": f"S{comb[1:-1]}G",
    }


@pytest.mark.parametrize("name", large_maps())
def test_a_large_map_is_looked_at_a_few_times_whatever_is_asked(name):
    """Counted, not timed: a search by bit sets does not look at places and takes moves times places."""
    maze = Maze.from_ascii(large_maps()[name])
    size = len(maze.ground)
    maze.__dict__["ground"] = ground = Counted(maze.ground)
    for answer in ("D D D", "U" * 1000, "R L " * 1000):
        assert not score_path(maze, answer).valid
    assert size / 5 < ground.looks < 5 * size
    solution = maze.solve()
    assert score_path(maze, solution).optimal
    assert ground.looks < 20 * size + 5 * len(solution)
    assert maze.facts().path_length == len(solution) == maze.distances[maze.start]
    assert len(solution) == len(maze.distances) - 1 or name == "comb"
    assert to_svg(maze, solution).endswith("</svg>")
    assert maze.canonical() == Maze.from_ascii(maze.canonical()).canonical()


def test_many_answers_to_large_maps_take_no_table_of_places_times_moves():
    text, answers = large_maps()["comb"], ["R R", "D D", "U"] * 10
    tracemalloc.start()
    columns = score_columns([text] * len(answers), answers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert columns["parsed"].all()
    assert peak < 100 * len(text)


@given(maps())
def test_the_search_of_large_maps_says_what_that_of_small_ones_says(text):
    small, large = Maze.from_ascii(text), Maze.from_ascii(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGE", 0)
        found = [large.moves_to_goal(place) for place, symbol in enumerate(large.ground) if symbol != "#"]
    assert found == [small.moves_to_goal(place) for place, symbol in enumerate(small.ground) if symbol != "#"]
    assert (small.shortest, small.solve() is None) == (small.distances.get(small.start), small.shortest is None)
