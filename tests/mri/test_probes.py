import numpy as np
import pytest

from ascii_maze.errors import AsciiMazeError
from ascii_maze.mri.probes import compare_probes, probe, train_probe
from ascii_maze.mri.probing import QUESTIONS, ask_probes

MAZES = np.repeat(np.arange(120), 5)


def planted(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Noise with one direction that tells the label: activations and labels."""
    rng = np.random.default_rng(0)
    x, value = rng.normal(size=(600, 20)), rng.normal(size=600)
    x += 3 * np.outer(value, rng.normal(size=20))
    labels = {"number": value, "bool": value > 0, "name": np.array(list("ULDR"))[np.digitize(value, [-0.7, 0, 0.7])]}
    return x, labels[kind]


@pytest.mark.parametrize(("kind", "least", "most"), [("number", 0.95, 0.1), ("bool", 0.95, 0.65), ("name", 0.6, 0.4)])
def test_a_planted_feature_is_found_and_the_control_finds_none(kind, least, most):
    x, labels = planted(kind)
    found = probe(x, labels, MAZES, seed=0)
    assert found["measure"] == ("r2" if kind == "number" else "accuracy")
    assert found["score"] > least
    assert found["control"] < most
    assert found["ci"][0] <= found["score"] <= found["ci"][1]


def test_what_is_not_there_is_not_found():
    rng = np.random.default_rng(1)
    found = probe(rng.normal(size=(600, 20)), rng.integers(0, 2, 600) == 1, MAZES, seed=0)
    assert found["ci"][0] < 0.5 < found["ci"][1] + 0.05


def test_mazes_and_not_rows_are_held_out():
    # Rows of one maze share a value that is in x and tells their label: to be known only by who has seen the maze.
    rng = np.random.default_rng(2)
    labels = np.repeat(rng.integers(0, 2, 120) == 1, 5)
    x = np.eye(120)[MAZES]
    found = probe(x, labels, MAZES, seed=0)
    assert found["score"] < 0.75
    assert found["rows"] == [84 * 5, 36 * 5]


def test_the_same_seed_gives_the_same_numbers():
    x, labels = planted("bool")
    assert probe(x, labels, MAZES, seed=3) == probe(x, labels, MAZES, seed=3)
    assert probe(x, labels, MAZES, seed=3) != probe(x, labels, MAZES, seed=4)


def test_bad_input_is_named():
    x, labels = planted("bool")
    with pytest.raises(AsciiMazeError, match="one label only, True: there is nothing to classify"):
        probe(x, np.ones(600, dtype=bool), MAZES, seed=0)
    with pytest.raises(AsciiMazeError, match="9 mazes are too few"):
        probe(x[:45], labels[:45], MAZES[:45], seed=0)
    x[7, 3] = np.nan
    with pytest.raises(AsciiMazeError, match="not finite"):
        probe(x, labels, MAZES, seed=0)


def test_a_probe_that_cannot_be_trained_is_missing_with_its_reason(activations, rows, walks, monkeypatch):
    """As where the only maze with another label is held out."""

    def refuse(x, labels, mazes, seed):
        raise AsciiMazeError("one label only")

    monkeypatch.setattr("ascii_maze.mri.probing.train_probe", refuse)
    found = ask_probes(activations, activations.models, rows, walks, 0, lambda *done: None)
    assert found.probes == {name: {} for name in activations.models}
    few = "nothing to ask in all of these mazes"  # 24 mazes are too few for one probe per place
    assert found.missing == {
        f"the probe of '{question}'": few if question == "the solution, whole map read" else "one label only"
        for question in QUESTIONS
    }


def test_the_gain_of_a_probe_has_an_interval_over_the_same_mazes():
    x, labels = planted("bool")
    worse = x + 6 * np.random.default_rng(1).normal(size=x.shape)
    plain, noisy, again = (train_probe(each, labels, MAZES, seed=0) for each in (x, worse, x))
    gain, (low, high) = compare_probes(noisy, plain, seed=0)
    assert 0 < low <= gain <= high
    assert compare_probes(plain, again, seed=0) == (0.0, [0.0, 0.0])
    back, _ = compare_probes(plain, noisy, seed=0)
    assert back == -gain


def test_one_probe_for_each_place_is_scored_over_all_of_them():
    rng = np.random.default_rng(0)
    labels = rng.random((120, 9)) < np.linspace(0.1, 0.9, 9)
    x = labels @ rng.normal(size=(9, 20)) + 0.1 * rng.normal(size=(120, 20))
    found = probe(x, labels, np.arange(120), seed=0)
    assert found["measure"] == "accuracy"
    assert found["score"] > 0.9
    assert found["chance"] < 0.85
    assert found["control"] < 0.85
    assert found["ci"][0] <= found["score"] <= found["ci"][1]


def test_fine_tunes_are_asked_against_what_they_started_from(activations, rows, walks):
    names = ["base", "one", "copy"]
    found = ask_probes(activations, names, rows, walks, 0, lambda *done: None, {"copy": "one"})
    for question, of in found.gains["copy"].items():
        assert (of["reference"], set(of["gain"])) == ("one", {0.0}), question
        assert {bound for ci in of["ci"] for bound in ci} == {0.0}
    assert {of["reference"] for of in found.gains["one"].values()} == {"base"}
