import datasets
import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.evaluation.lm_eval_task.utils import load_mazes
from dataset_builder.load import first_rows, limited_first, limited_places, load_split, load_splits


def rows_of(kinds):
    columns = ("generator", "width", "height", "solved_by")
    return datasets.Dataset.from_dict({name: [kind[k] for kind in kinds] for k, name in enumerate(columns)})


HARD, EASY, LARGE = ("wilson", 4, 4, ""), ("wilson", 4, 4, "greedy"), ("wilson", 5, 4, "greedy right_hand")


@pytest.mark.parametrize(
    ("limit", "counts"), [(10, (6, 3, 1)), (20, (12, 6, 2)), (5, (3, 1, 1)), (100, (60, 30, 10)), (1, (1, 0, 0))]
)
def test_a_limit_takes_of_every_stratum_its_share(limit, counts):
    rows = rows_of([LARGE] * 10 + [EASY] * 30 + [HARD] * 60)  # the first rows would be of one stratum
    found = rows.select(limited_places(rows, limit))
    kinds = [tuple(row.values()) for row in found]
    assert tuple(kinds.count(kind) for kind in (HARD, EASY, LARGE)) == counts
    assert kinds == [LARGE] * counts[2] + [EASY] * counts[1] + [HARD] * counts[0]  # in their order


def test_the_rows_that_a_limit_leaves_out_stand_behind_it():
    rows = rows_of([LARGE] * 10 + [EASY] * 30 + [HARD] * 60).add_column("place", list(range(100)))
    found, count = limited_first(rows, 10)
    assert count == 10
    assert found["place"][:10] == limited_places(rows, 10)
    assert sorted(found["place"]) == list(range(100))
    assert found["place"][10:] == sorted(found["place"][10:])


def test_without_strata_or_with_room_for_all_the_first_rows_are_taken():
    rows = rows_of([LARGE] * 3 + [HARD] * 3)
    assert [list(limited_places(rows, limit)) for limit in (None, 6, 99)] == [list(range(6))] * 3
    bare = rows.remove_columns("solved_by")
    assert bare.select(limited_places(bare, 4)).to_list() == first_rows(bare, 4).to_list() == bare.to_list()[:4]


@pytest.mark.parametrize(
    ("name", "text"),
    [("test.jsonl", '{"maze": "S G"}\n'), ("test.csv", "maze\nS G\n"), ("test.txt", "S G\n"), ("test.xml", "<m/>")],
)
@pytest.mark.parametrize("head", ["", "---\nconfigs:\n- {config_name: prompts, data_files: 'prompts/*'}\n---\n"])
def test_nothing_but_parquet_is_read(tmp_path, name, text, head):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / name).write_text(text)
    (tmp_path / "README.md").write_text(head)
    with pytest.raises(AsciiMazeError, match="its files are not Parquet; no other format is read"):
        load_split(str(tmp_path), "test", "prompts" if head else None)


def test_a_script_beside_the_rows_is_not_run(tmp_path):
    folder = tmp_path / "mine"
    (folder / "prompts").mkdir(parents=True)
    datasets.Dataset.from_list([{"maze": "S G"}]).to_parquet(folder / "prompts" / "test.parquet")
    assert load_split(str(folder), "test", None).to_list() == [{"maze": "S G"}]
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(AsciiMazeError, match=r"scripts are no longer supported, but found mine\.py"):
        load_split(str(folder), "test", None)
    assert not (tmp_path / "ran").exists()


def test_the_harness_reads_nothing_but_parquet_either(tmp_path):
    (tmp_path / "test.jsonl").write_text('{"maze": "S G"}\n')
    (tmp_path / "README.md").write_text("---\nconfigs:\n- {config_name: prompts, data_files: test.jsonl}\n---\n")
    with pytest.raises(ValueError, match="its files are not Parquet"):
        load_mazes(str(tmp_path))


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (["test", "test[:100%]"], r"splits 'test' and 'test\[:100%\]' share rows of 'test'"),
        (["test[:3]", "validation", "test[2:4]"], r"splits 'test\[:3\]' and 'test\[2:4\]' share rows of 'test'"),
        (["test[-1:]", "all"], r"splits 'test\[-1:\]' and 'all' share rows of 'test'"),
        (["test+test[:1]"], r"split 'test\+test\[:1\]' repeats rows of 'test'"),
    ],
)
def test_splits_that_share_rows_are_refused(dataset, splits, message):
    with pytest.raises(UsageError, match=f"{message}; name each row once"):
        load_splits(str(dataset), splits)


def test_slices_that_share_no_row_are_loaded(dataset):
    loaded = load_splits(str(dataset), ["test[:50%]", "test[50%:]", "validation+test_larger"])
    assert list(map(len, loaded.values())) == [16, 16, 48]
    halves = [name for rows in list(loaded.values())[:2] for name in rows["id"]]
    assert halves == load_split(str(dataset), "test")["id"][:]
