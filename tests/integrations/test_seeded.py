import pytest

from ascii_maze import Maze, generate_mazes
from ascii_maze.integrations.seeded import maze_of_seed
from ascii_maze.mazes.splits import mark_of, split_of


def test_a_seed_is_a_maze_of_its_split_and_always_the_same():
    for split in ("train", "validation", "test"):
        mazes = [maze_of_seed(seed, width=5, height=4, split=split) for seed in range(30)]
        assert {split_of(mark_of(Maze.from_ascii(maze), "layout"), "layout") for maze in mazes} == {split}
        assert mazes == [maze_of_seed(seed, width=5, height=4, split=split) for seed in range(30)]
        assert len(set(mazes)) > 25
    first = generate_mazes("prim", 5, 5, 1, 3)[0]
    assert split_of(mark_of(first, "layout"), "layout") != "train" or maze_of_seed(3, "prim") == first.to_ascii()


def test_what_is_no_maze_is_refused():
    with pytest.raises(ValueError, match="unknown generator"):
        maze_of_seed(0, "no such")
    with pytest.raises(ValueError, match="unknown split 'all'"):
        maze_of_seed(0, split="all")
    with pytest.raises(ValueError, match="take larger ones"):
        [maze_of_seed(0, width=2, height=1, split=split) for split in ("train", "validation", "test")]
