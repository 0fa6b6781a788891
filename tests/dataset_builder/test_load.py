import datasets
import pytest

from dataset_builder.load import first_rows, limited_first, limited_rows


def rows_of(kinds):
    columns = ("generator", "width", "height", "solved_by")
    return datasets.Dataset.from_dict({name: [kind[k] for kind in kinds] for k, name in enumerate(columns)})


HARD, EASY, LARGE = ("wilson", 4, 4, ""), ("wilson", 4, 4, "greedy"), ("wilson", 5, 4, "greedy right_hand")


@pytest.mark.parametrize(
    ("limit", "counts"), [(10, (6, 3, 1)), (20, (12, 6, 2)), (5, (3, 1, 1)), (100, (60, 30, 10)), (1, (1, 0, 0))]
)
def test_a_limit_takes_of_every_stratum_its_share(limit, counts):
    rows = rows_of([LARGE] * 10 + [EASY] * 30 + [HARD] * 60)  # the first rows would be of one stratum
    found = limited_rows(rows, limit)
    kinds = [tuple(row.values()) for row in found]
    assert tuple(kinds.count(kind) for kind in (HARD, EASY, LARGE)) == counts
    assert kinds == [LARGE] * counts[2] + [EASY] * counts[1] + [HARD] * counts[0]  # in their order


def test_the_rows_that_a_limit_leaves_out_stand_behind_it():
    rows = rows_of([LARGE] * 10 + [EASY] * 30 + [HARD] * 60).add_column("place", list(range(100)))
    found, count = limited_first(rows, 10)
    assert count == 10
    assert found["place"][:10] == limited_rows(rows, 10)["place"]
    assert sorted(found["place"]) == list(range(100))
    assert found["place"][10:] == sorted(found["place"][10:])


def test_without_strata_or_with_room_for_all_the_first_rows_are_taken():
    rows = rows_of([LARGE] * 3 + [HARD] * 3)
    assert limited_rows(rows, None).to_list() == limited_rows(rows, 6).to_list() == rows.to_list()
    assert limited_rows(rows, 99).to_list() == rows.to_list()
    bare = rows.remove_columns("solved_by")
    assert limited_rows(bare, 4).to_list() == first_rows(bare, 4).to_list() == bare.to_list()[:4]
