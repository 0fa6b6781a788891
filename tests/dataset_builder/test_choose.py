import numpy as np
import pytest

from ascii_maze.errors import AsciiMazeError
from ascii_maze.mazes.splits import split_of
from dataset_builder import choose as choosing
from dataset_builder.choose import (
    FINGERPRINT,
    INDEX,
    PATH_LENGTH,
    Part,
    by_kind,
    candidates,
    choose,
    parts,
    within,
)
from dataset_builder.config import BuildConfig, quotas
from dataset_builder.survey import check_crowded, survey

CONFIG = BuildConfig(
    name="x",
    sizes={"4x3": 1},
    generators={"depth_first": 2, "wilson": 1},
    splits={"train": 90, "test": 9},
    path_lengths={"2-8": 1, "10-": 1},
)


def naive(config):
    """The rule of `choose`, maze by maze, without parts: split -> {fingerprint}."""
    taken, chosen = set(), {split: set() for split in config.splits}
    for kind, asked in by_kind(config).items():
        left = {quota: quota.count for quota in asked}
        index = 0
        while any(left.values()):
            found = candidates(config, kind, index, 1)
            index += 1
            mark, length = int(found[FINGERPRINT, 0]), int(found[PATH_LENGTH, 0])
            for quota in asked:
                fits = quota.least <= length <= (quota.most or 10**9) and split_of(mark, "maze") == quota.split
                if fits and mark not in taken and left[quota]:
                    taken.add(mark)
                    chosen[quota.split].add(mark)
                    left[quota] -= 1
    return chosen


@pytest.mark.parametrize("hashed", [0, 300, 5000])
def test_the_rule_does_not_depend_on_how_many_were_hashed_before(hashed):
    kinds, found = by_kind(CONFIG), {}
    for part in parts(CONFIG):
        read = lambda kind, part=part: within(candidates(CONFIG, kind, 0, hashed), part) if hashed else EMPTY  # noqa: E731
        for split, chosen in choose(CONFIG, part, kinds, dict.fromkeys(kinds, hashed), read).items():
            found[split] = set(chosen.fingerprints.tolist())
            assert (np.diff(chosen.fingerprints.astype(object)) > 0).all()
    assert found == naive(CONFIG)


EMPTY = np.empty((3, 0), dtype=np.uint64)


def test_parts_tile_the_range_of_their_source(monkeypatch):
    monkeypatch.setattr(choosing, "PART_ROWS", 7)
    whole = candidates(CONFIG, quotas(CONFIG)[0].kind, 0, 3000)
    pieces = [within(whole, part) for part in parts(CONFIG)]
    assert [part.of for part in parts(CONFIG) if part.source == "train"] == [13] * 13
    for part, piece in zip(parts(CONFIG), pieces):
        assert {split_of(int(mark), "maze") for mark in piece[FINGERPRINT]} <= {part.source}
    missing = [mark for mark in whole[FINGERPRINT].tolist() if split_of(mark, "maze") == "validation"]
    assert sum(piece.shape[1] for piece in pieces) + len(missing) == 3000
    assert sum(Part("train", k, 13, "maze").share_of(90) for k in range(13)) == 90


def test_candidates_are_sorted_and_the_same_however_they_are_cut():
    kind = quotas(CONFIG)[0].kind
    whole = candidates(CONFIG, kind, 0, 500)
    assert (np.diff(whole[FINGERPRINT].astype(object)) >= 0).all()
    pieces = np.concatenate([candidates(CONFIG, kind, first, 100) for first in range(0, 500, 100)], axis=1)
    assert {tuple(column) for column in pieces.T.tolist()} == {tuple(column) for column in whole.T.tolist()}
    assert sorted(whole[INDEX].tolist()) == list(range(500))


def test_a_survey_asks_for_enough_and_knows_a_crowd():
    roomy = BuildConfig(name="x", sizes={"6x6": 1}, generators={"prim": 1}, splits={"train": 50_000})
    count, crowded = survey(roomy, quotas(roomy))
    assert 50_000 / 0.8 < count < 1.1 * 50_000 / 0.8
    assert not crowded
    tight = BuildConfig(name="x", sizes={"3x3": 1}, generators={"wilson": 1}, splits={"train": 600, "test": 50})
    assert survey(tight, quotas(tight))[1]
    check_crowded(tight, by_kind(tight), surveyed(tight))


def surveyed(config):
    return {kind: survey(config, asked)[0] for kind, asked in by_kind(config).items()}


def test_what_a_crowd_asks_for_is_hashed_once_for_all_parts(monkeypatch):
    """A part that had to read on would hash the same mazes again for itself."""
    config = BuildConfig(
        name="x", sizes={"4x4": 1}, generators={"wilson": 1, "sidewinder": 1}, splits={"train": 120_000}
    )
    kinds = by_kind(config)
    hashed = check_crowded(config, kinds, surveyed(config))
    found = {kind: candidates(config, kind, 0, count) for kind, count in hashed.items()}
    monkeypatch.setattr(choosing, "candidates", lambda *_: pytest.fail("a part has read on"))
    chosen = [
        choose(config, part, kinds, hashed, lambda kind, part=part: within(found[kind], part))["train"]
        for part in parts(config)
    ]
    assert len(chosen) == 3
    assert sum(len(part.fingerprints) for part in chosen) == 120_000


def test_generators_of_one_size_share_its_mazes():
    """All 3x3 mazes of two generators together are no more than there are 3x3 mazes."""
    config = BuildConfig(name="x", sizes={"3x3": 1}, generators={"wilson": 1, "prim": 1}, splits={"train": 1000})
    with pytest.raises(AsciiMazeError, match=r"prim 3x3 has only \d+ distinct mazes for 'train', 500 were asked for"):
        check_crowded(config, by_kind(config), surveyed(config))


def test_path_lengths_that_hardly_occur_are_refused_at_once():
    config = BuildConfig(
        name="x", sizes={"8x8": 1}, generators={"prim": 1}, splits={"train": 10}, path_lengths={"110-": 1}
    )
    with pytest.raises(AsciiMazeError, match="prim 8x8 paths of 110- moves: they are rarer"):
        survey(config, quotas(config))
