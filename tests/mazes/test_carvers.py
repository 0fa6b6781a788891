import hashlib

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from ascii_maze import generate_mazes
from ascii_maze.mazes import kernels, loops
from ascii_maze.mazes.generators import GENERATORS, MazeBatch

IMPERFECT = ("percolation", "open_rooms")
PERFECT = sorted(set(GENERATORS) - set(IMPERFECT))
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda size: size[0] * size[1] > 1)


def passages(maze):
    """The maze as a graph of its open cells."""
    height, width = maze.shape[0] // 2, maze.shape[1] // 2
    graph = networkx.Graph()
    for row in range(1, 2 * height, 2):
        for column in range(1, 2 * width, 2):
            if maze.is_open(row, column):
                graph.add_node((row, column))
            for wall, cell in (((row + 1, column), (row + 2, column)), ((row, column + 1), (row, column + 2))):
                if maze.is_open(*wall):
                    graph.add_edge((row, column), cell)
    return graph


@settings(max_examples=120)
@given(st.sampled_from(PERFECT), sizes, st.integers(0, 2**63))
def test_perfect_mazes_are_spanning_trees_of_the_lattice(generator, size, seed):
    width, height = size
    maze = generate_mazes(generator, width, height, 1, seed)[0]
    graph = passages(maze)
    assert maze.shape == (2 * height + 1, 2 * width + 1)
    assert graph.number_of_nodes() == width * height
    assert graph.number_of_edges() == width * height - 1
    assert networkx.is_connected(graph)
    assert {maze.start, maze.goal} <= set(graph)
    assert sum(symbol != "#" for row in maze.rows for symbol in row) == 2 * width * height - 1


@settings(max_examples=60)
@given(st.sampled_from(IMPERFECT), sizes, st.integers(0, 2**63), st.sampled_from([0, 0.5, 1]))
def test_the_others_are_in_one_piece(generator, size, seed, braid):
    maze = generate_mazes(generator, *size, 1, seed, braid)[0]
    graph = passages(maze)
    assert networkx.is_connected(graph)
    assert graph.number_of_nodes() >= 2
    assert all(maze.is_open(*cell) for cell in graph)
    assert all((row, column) in maze.distances for row, line in enumerate(maze.rows) for column, _ in enumerate(line)
               if maze.is_open(row, column))  # fmt: skip


def spanning_trees_of_3x3(generator, count):
    """How often each of the 192 spanning trees came out of `count` mazes."""
    mazes = generate_mazes(generator, 3, 3, count, seed=0).open
    weights = 1 << np.arange(49, dtype=np.int64)
    trees, counts = np.unique(mazes.reshape(count, 49).astype(np.int64) @ weights, return_counts=True)
    assert len(trees) <= 192  # Kirchhoff's matrix-tree theorem
    return np.concatenate([counts, np.zeros(192 - len(trees), dtype=int)])


@pytest.mark.parametrize("generator", ["wilson", "aldous_broder"])
def test_uniform_spanning_trees(generator):
    """Chi-square against the uniform law over all 192 trees, expecting 500 of each."""
    assert chisquare(spanning_trees_of_3x3(generator, 96_000)).pvalue > 0.001


@pytest.mark.parametrize("generator", ["depth_first", "prim", "kruskal"])
def test_the_chi_square_test_tells_the_others_apart(generator):
    assert chisquare(spanning_trees_of_3x3(generator, 96_000)).pvalue < 1e-9


@pytest.mark.parametrize("generator", sorted(GENERATORS))
def test_generators_differ_and_use_their_whole_space(generator):
    """No two generators make the same mazes of the same keys, and neighbouring keys make different ones."""
    texts = generate_mazes(generator, 6, 5, 200, seed=1).to_ascii()
    assert len(set(texts)) == 200
    others = [generate_mazes(other, 6, 5, 200, seed=1).to_ascii() for other in GENERATORS if other != generator]
    assert not any(set(texts) & set(other) for other in others)


@settings(max_examples=40)
@given(st.sampled_from(sorted(GENERATORS)), sizes, st.integers(0, 2**63))
def test_full_braid_leaves_no_dead_end_that_could_be_opened(generator, size, seed):
    before = generate_mazes(generator, *size, 1, seed)
    open_ = before.open.copy()
    loops.braid(kernels.item_keys(seed, "braid", *size, np.arange(1)), open_, 1.0)
    graph, braided = passages(before[0]), passages(MazeBatch(open_, before.ends)[0])
    assert all(braided.has_edge(*edge) for edge in graph.edges)
    assert set(graph) == set(braided)
    for row, column in (cell for cell, degree in braided.degree if degree == 1):
        beside = [(row - 2, column), (row + 2, column), (row, column - 2), (row, column + 2)]
        assert sum(cell in braided for cell in beside) == 1


def test_braid_opens_its_share_of_dead_ends():
    dead_ends = {share: sum(f.dead_ends for f in generate_mazes("wilson", 8, 8, 2000, 0, share).facts())
                 for share in (0, 0.25, 0.5)}  # fmt: skip
    for share in (0.25, 0.5):  # an opening may end two dead ends at once, or turn the next one's cell into a corridor
        assert 1 - 1.6 * share < dead_ends[share] / dead_ends[0] < 1 - share


def test_rooms_and_clusters_are_what_they_are_called():
    """Rooms hold 2x2 cells without a wall between; percolation at 0.6 leaves cells out and still spans most."""
    rooms = generate_mazes("open_rooms", 6, 6, 200, seed=0).open
    squares = rooms[:, 2:-1:2, 2:-1:2]  # the posts between four cells, open only inside a room
    assert (squares.any(axis=(1, 2))).all()
    cells = generate_mazes("percolation", 8, 8, 500, seed=0).open[:, 1::2, 1::2].mean(axis=(1, 2))
    assert (cells < 1).mean() > 0.5
    assert cells.mean() > 0.75


# Mazes that people have trained on must not change under them.
@pytest.mark.parametrize(
    ("generator", "digest"),
    [
        ("depth_first", "5356addfa117fa44"),
        ("prim", "08e17604adc61c27"),
        ("kruskal", "4550b767305857c6"),
        ("wilson", "3c0a985b559e33ec"),
        ("aldous_broder", "12186f923dcf4bea"),
        ("hunt_and_kill", "169438cbacb6b3d0"),
        ("recursive_division", "7e8f36ea173330ad"),
        ("binary_tree", "8708e16307cd1451"),
        ("sidewinder", "9644d93a23e0d500"),
        ("percolation", "6f55a78537a8d617"),
        ("open_rooms", "2f7e69fedbfee197"),
    ],
)
def test_mazes_stay_what_they_are(generator, digest):
    texts = generate_mazes(generator, 6, 4, 100, seed=0, braid=0.2).to_ascii()
    assert hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16] == digest
