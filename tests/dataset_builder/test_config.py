from pathlib import Path

import pytest

from ascii_maze.errors import UsageError
from dataset_builder.card import render_config
from dataset_builder.config import CONFIGS, Kind, load_config, quotas


def write_config(folder: Path, **changes) -> Path:
    import yaml

    values = {
        "name": "x",
        "sizes": ["4x4"],
        "generators": ["depth_first"],
        "splits": {"train": 60},
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not None}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generatorz": ["depth_first"]}, "unknown key 'generatorz'; did you mean 'generators'"),
        ({"generators": ["depth_frist"]}, "unknown generator 'depth_frist'; did you mean 'depth_first'"),
        ({"splits": {"trian": 1}}, "unknown split 'trian'; did you mean 'train'"),
        ({"split_by": "layouts"}, "unknown way to split 'layouts'; did you mean 'layout'"),
        ({"difficulty": {"heard": 1}}, "unknown difficulty 'heard'; did you mean 'hard'"),
        ({"train_only": ["depth_first 9x9"]}, "'train_only' has 'depth_first 9x9', which is not a size of 'sizes'"),
        ({"strata": ["decisions"]}, "'strata' must be path_length or decisions with numbers of bins"),
        ({"strata": {"turns": 2}}, "unknown stratum 'turns'; expected one of path_length, decisions"),
        ({"strata": {"decisions": 1}}, "'strata' must be numbers of bins, 2 to 8, not 1"),
        ({"strata": {"path_length": 2}, "path_lengths": ["4-"]}, "both select path lengths; leave one out"),
        ({"train_only": "4x4"}, "'train_only' must be a list of sizes"),
        ({"splits": {"train": 1.5}}, "split 'train' must be a whole number"),
        ({"splits": {"train": "many"}}, "'splits' must be"),
        ({"splits": {"train": 0}}, "'splits' must be"),
        ({"sizes": ["4"]}, "size '4' must be WIDTHxHEIGHT"),
        ({"sizes": ["1x1"]}, "size '1x1' must be"),
        ({"sizes": {"4x4": -1}}, "'sizes' must be"),
        ({"sizes": None}, "no 'sizes'"),
        ({"seed": "zero"}, "'seed' must be a whole number"),
        ({"splits": {"train": 1, "test_larger": 1}}, "'test_larger' needs 'larger_sizes'"),
        ({"splits": {"train": 1, "test_unseen": 1}}, "'test_unseen' needs 'unseen_generators'"),
        ({"larger_sizes": ["4x4"]}, "'4x4' is trained on"),
        ({"larger_sizes": ["5x5", "3x3"]}, "'larger_sizes' has 3x3, which is no larger than all of 'sizes'"),
        ({"larger_sizes": ["2x8"]}, "'larger_sizes' has 2x8, which is no larger"),
        ({"unseen_generators": ["depth_first"]}, "'depth_first' is trained on"),
        ({"braid": [2]}, "braid '2' must be a share of dead ends, 0-1"),
        ({"braid": ["some"]}, "braid 'some' must be a share"),
        ({"endpoints": ["corner"]}, "unknown endpoints 'corner'; did you mean 'corners'"),
        ({"path_lengths": ["16-10"]}, "path length '16-10' must be LEAST-MOST or LEAST-"),
        ({"path_lengths": ["long"]}, "path length 'long' must be"),
        ({"rejected": ["walls"]}, "unknown kind of rejected answer 'walls'; did you mean 'wall'"),
        ({"language": "fr"}, "unknown language 'fr'; expected one of en, pt"),
        ({"maze_style": "dot"}, "unknown maze style 'dot'; did you mean 'dots'"),
        ({"styles": ["hash", "dot"]}, "unknown maze style 'dot'; did you mean 'dots'"),
        ({"styles": ["hash"], "maze_style": "dots"}, "'styles' replaces 'maze_style', but does not have 'dots'"),
        ({"styles": "hash"}, "'styles' must be a list of names"),
        ({"reasoning": ["step"]}, "unknown way of reasoning 'step'; did you mean 'steps'"),
        ({"reasoning": {}}, "'reasoning' must be a list of names"),
        ({"answer_style": 3}, "unknown answer style '3'"),
        ({"generators": "depth_first"}, "'generators' must be a list of names"),
        ({"rejected": []}, "'rejected' must be a list of names"),
    ],
)
def test_bad_configs_are_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message) as caught:
        load_config(str(write_config(tmp_path, **changes)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_shipped_configs(name):
    config = load_config(name)
    by_split: dict[str, int] = {}
    for quota in quotas(config):
        by_split[quota.split] = by_split.get(quota.split, 0) + quota.count
    assert by_split == config.splits


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_the_config_in_a_dataset_s_folder_is_the_config(tmp_path, name):
    for file in ("config.yaml", "CONFIG.YML"):
        (tmp_path / file).write_text(render_config(load_config(name)))
        assert load_config(str(tmp_path / file)) == load_config(name)


def test_limit_caps_every_split():
    assert set(load_config("demo", limit=5).splits.values()) == {5}


def test_rows_are_shared_out_by_the_products_of_the_weights(tmp_path):
    changes = {"sizes": {"4x4": 3, "5x5": 1}, "braid": {0: 1, 0.5: 1}, "splits": {"train": 801}}
    shares = {quota.kind: quota.count for quota in quotas(load_config(str(write_config(tmp_path, **changes))))}
    assert sum(shares.values()) == 801
    assert shares[Kind("depth_first", 4, 4, 0.5, "random")] in (300, 301)
    assert shares[Kind("depth_first", 5, 5, 0.0, "random")] in (100, 101)
