"""Between two adapters: what is mixed is their updates, and an adapter mixed with itself is itself."""

import numpy as np
import pytest

from ascii_maze.errors import AsciiMazeError
from ascii_maze.mri import mixing
from ascii_maze.mri.labels import move_labels
from ascii_maze.mri.mixing import MIXED, mix_adapters, mix_two, mixed
from ascii_maze.mri.odds import asked_moves
from ascii_maze.mri.weights import align, updates


def deltas(models, name: str) -> list:
    return [m.get_delta_weight(name).detach() for m in models.model.modules() if hasattr(m, "get_delta_weight")]


def close(models, one, other) -> bool:
    return all(np.allclose(*pair, atol=1e-5) for pair in zip(one, other, strict=True))


@pytest.mark.parametrize("how", [({"one": 0.5, "copy": 0.5}, None), ({"one": 1.0, "copy": 1.0}, 1.0)])
def test_an_adapter_mixed_with_itself_is_itself(models, how):
    with mixed(models, *how) as name:
        assert close(models, deltas(models, name), deltas(models, "one"))
    assert MIXED not in models.model.peft_config


def test_what_peft_would_mix_by_factors_is_not_the_adapter(models):
    models.model.add_weighted_adapter(["one", "copy"], [0.5, 0.5], "doubled", combination_type="linear")
    try:
        assert close(models, deltas(models, "doubled"), [2 * delta for delta in deltas(models, "one")])
    finally:
        models.model.delete_adapter("doubled")


def test_a_point_of_the_line_is_that_share_of_both_updates(models):
    with mixed(models, {"one": 0.25, "high": 0.75}) as name:
        expected = [0.25 * a + 0.75 * b for a, b in zip(deltas(models, "one"), deltas(models, "high"))]
        assert close(models, deltas(models, name), expected)


def test_adapters_with_a_magnitude_of_their_own_are_not_mixed(models, monkeypatch):
    monkeypatch.setattr(models.model.peft_config["one"], "use_dora", True)
    with pytest.raises(AsciiMazeError, match="DoRA"), mixed(models, {"one": 1.0}):
        pass


def test_a_line_ends_where_the_adapters_are_and_is_level_between_copies(models, rows, walks):
    asked = asked_moves(walks, move_labels(rows, walks)["decision"])
    same = mix_two(models, "one", "copy", rows, walks, asked, 0)
    odds = [point["log_odds"] for point in same["line"]]
    assert odds == pytest.approx([odds[0]] * mixing.POINTS, abs=1e-4)
    assert same["barrier"] == pytest.approx(0.0, abs=1e-4)
    assert len({point["valid"] for point in same["line"]}) == 1
    one, base = (mix_two(models, name, "zero", rows, walks, asked, 0) for name in ("one", "zero"))
    assert one["line"][0]["log_odds"] == pytest.approx(odds[0], abs=1e-4)
    assert one["line"][-1]["log_odds"] == pytest.approx(base["line"][0]["log_odds"], abs=1e-4)
    assert one["line"][0]["log_odds"] != pytest.approx(base["line"][0]["log_odds"], abs=1e-2)


def test_pairs_that_point_apart_most_are_mixed_and_those_of_zero_updates_are_not(models, rows, walks, monkeypatch):
    monkeypatch.setattr(mixing, "PAIRS", 1)
    names = ["zero", "one", "copy", "high"]
    cosines = align({name: updates(models, name) for name in names}, "base", len(models.layers))
    decisions = move_labels(rows, walks)["decision"]
    moves = sum(len(walk.moves) for walk in walks[:4])
    found, missing = mix_adapters(
        models, cosines, names, rows[:4], walks[:4], decisions[:moves], 0, lambda *done: None
    )
    assert missing == {}
    assert [(of["a"], of["b"]) for of in found] == [("one", "high")]


def test_what_peft_does_not_mix_is_an_error_in_one_line(models, monkeypatch):
    def refuse(*args, **kwargs):
        raise ValueError("Cannot add weighted adapters\nwith modules_to_save.")

    monkeypatch.setattr(models.model, "add_weighted_adapter", refuse)
    with (
        pytest.raises(AsciiMazeError, match="mix these adapters: Cannot add weighted adapters with"),
        mixed(models, {"one": 1.0}),
    ):
        pass
