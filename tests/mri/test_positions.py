import numpy as np
import pytest

from ascii_maze import Maze
from ascii_maze.errors import AsciiMazeError
from ascii_maze.mazes.prompts import PromptStyle, prompt_messages
from ascii_maze.metrics.path_validity.maze import MOVES
from ascii_maze.mri.labels import cell_labels, maze_labels, move_labels
from ascii_maze.mri.positions import CELLS, locate_walks

from .conftest import make_rows


@pytest.fixture(scope="module")
def merging(rows):
    """A byte-level BPE tokenizer, trained on chats: several characters to a token, several tokens to an arrow."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=["<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([row["maze"] + " " + row["solution"] for row in rows], trainer)
    template = (
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '<|end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}assistant:\n{% endif %}"
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>", chat_template=template
    )


def token_text(tokenizer, row, walk, token: int) -> str:
    """What one token of a walk adds to the text."""
    return tokenizer.decode(walk.ids[: token + 1])[len(tokenizer.decode(walk.ids[:token])) :]


@pytest.mark.parametrize("kind", ["tokenizer", "merging"])
def test_start_goal_and_moves_are_found_in_the_tokens(kind, rows, request):
    tokenizer = request.getfixturevalue(kind)
    for row, walk in zip(rows, locate_walks(rows, tokenizer, seed=0)):
        assert "S" in token_text(tokenizer, row, walk, walk.start)
        assert "G" in token_text(tokenizer, row, walk, walk.goal)
        assert [token_text(tokenizer, row, walk, token + 1).strip()[-1:] for token in walk.moves] == list(walk.path)
        answer = tokenizer.decode(walk.ids[walk.last_prompt + 1 :], skip_special_tokens=True)
        assert answer == row["solution"]
        assert row["maze"] in tokenizer.decode(walk.ids[walk.maze])
        assert walk.answer_end == len(walk.ids) - 1


def test_tokens_of_the_merging_tokenizer_do_span_characters(merging, rows):
    walk = locate_walks(rows[:1], merging, seed=0)[0]
    assert len(walk.maze) < len(rows[0]["maze"])


def test_an_arrow_of_three_tokens_is_decided_on_at_the_last_of_them(merging):
    maze = Maze.from_ascii("#####\n#S  #\n### #\n#G  #\n#####")
    row = {"id": "0", "maze": maze.to_ascii(), "solution": "R R D D L L"}
    row["prompt"] = prompt_messages(maze, PromptStyle(answer="arrows"))
    walk = locate_walks([row], merging, seed=0)[0]
    before = [merging.decode(walk.ids[walk.last_prompt + 1 : token + 2], errors="strict") for token in walk.moves]
    assert [text[-1] for text in before] == ["→", "→", "↓", "↓", "←", "←"]


def test_every_move_of_other_styles_has_a_token(tokenizer, merging):
    maze = Maze.from_ascii("#####\n#S  #\n### #\n#G  #\n#####")
    for answer in ("letters", "words", "arrows", "coordinates"):
        row = {"id": "0", "maze": maze.to_ascii(), "solution": "R R D D L L"}
        row["prompt"] = prompt_messages(maze, PromptStyle(answer=answer, maze="dots"))
        walk = locate_walks([row], merging, seed=0)[0]
        assert len(walk.moves) == 6
        assert (walk.last_prompt <= walk.moves).all()
        assert (np.diff(walk.moves) >= 0).all()


def test_half_of_the_cells_lie_on_the_path_and_all_are_open(rows, walks):
    labels = cell_labels(rows, walks)
    for index, (row, walk) in enumerate(zip(rows, walks)):
        maze = Maze.from_ascii(row["maze"])
        assert len(walk.cells) == CELLS
        if len(walk.path) > 1:
            assert labels["on_path"][labels["maze"] == index].sum() == CELLS // 2
        for place, token in zip(walk.cell_places.tolist(), walk.cells):
            assert maze.is_open(*place)
            assert walk.ids[token] == walk.ids[walk.maze[0] + place[0] * (maze.shape[1] + 1) + place[1]]


def test_labels_say_what_stands_in_the_maze(rows, walks):
    solved = {"sft": np.arange(len(rows)) % 2 == 0}
    mazes, moves = maze_labels(rows, walks, solved), move_labels(rows, walks)
    assert set(mazes) == {"size", "next_move", "distance", "junction", "solved/sft"}
    assert mazes["solved/sft"].tolist() == solved["sft"].tolist()
    assert set(mazes["size"]) == {"3x3"}
    assert "".join(moves["next_move"]) == "".join(walk.path for walk in walks)
    for index, row in enumerate(rows):
        maze = Maze.from_ascii(row["maze"])
        here, mine = maze.start, moves["maze"] == index
        assert mazes["distance"][index] == maze.shortest
        for move, distance, junction in zip(*(moves[key][mine] for key in ("next_move", "distance", "junction"))):
            assert distance == maze.distances[here]
            assert junction == (len(maze.neighbours(*here)) >= 3)
            here = (here[0] + MOVES[move][0], here[1] + MOVES[move][1])
        assert here == maze.goal


def test_a_wall_to_the_north_is_one_in_the_map(rows, walks):
    labels = cell_labels(rows, walks)
    places = [(row, place) for row, walk in zip(rows, walks) for place in walk.cell_places.tolist()]
    assert labels["wall_north"].tolist() == [row["maze"].split("\n")[y - 1][x] == "#" for row, (y, x) in places]


def test_the_cells_are_the_seed_s(rows, tokenizer):
    first, again, other = (locate_walks(rows, tokenizer, seed) for seed in (1, 1, 2))
    assert all((a.cell_places == b.cell_places).all() for a, b in zip(first, again))
    assert any((a.cell_places != b.cell_places).any() for a, b in zip(first, other))


def test_a_maze_without_a_way_is_named(tokenizer):
    row = {**make_rows(1)[0], "id": "no-way", "solution": ""}
    with pytest.raises(AsciiMazeError, match="maze no-way has no path from S to G"):
        locate_walks([row], tokenizer, seed=0)
