from xml.etree import ElementTree

from ascii_maze.evaluation.figures import draw_validity
from ascii_maze.evaluation.run import evaluate


def test_every_model_is_drawn_by_size_and_by_length_and_the_same_every_time(dataset, tmp_path):
    results = evaluate({}, str(dataset), ["test", "test_larger"], tmp_path)
    hostile = "<b>$\\frac$</b>"
    for part in ("models", "analysis"):
        results[part][hostile] = results[part]["greedy"]
    one, two = draw_validity(results, tmp_path / "one"), draw_validity(results, tmp_path / "two")
    assert [path.name for path in one] == [
        f"validity_by_{what}.{suffix}" for what in ("size", "path_length") for suffix in ("png", "svg")
    ]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    for path in one:
        if path.suffix == ".svg":
            texts = {element.text for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")}
            assert {"test", "test_larger", "wall_follower", hostile} <= texts
        else:
            assert path.read_bytes().startswith(b"\x89PNG")
    assert {"4x4", "5x5"} <= {
        element.text for element in ElementTree.parse(one[1]).iter("{http://www.w3.org/2000/svg}text")
    }
