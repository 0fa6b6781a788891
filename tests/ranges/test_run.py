"""What `make test-ranges` runs is there: a test that has moved would only be missed with the registry at hand."""

from .run import LEFT_OUT, ROOT, TESTS


def test_every_path_exists():
    assert [path for path in TESTS if not (ROOT / path).exists()] == []


def test_what_is_left_out_exists():
    file, name = LEFT_OUT[1].split("::")
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
