"""What the how-to pages promise beyond their commands, which tests/test_readme.py runs."""

from pathlib import Path
from types import MappingProxyType

from ascii_maze.mazes import carvers, generators
from dataset_builder import config
from dataset_builder.build import build

from ..test_readme import blocks

PAGES = "docs/howto"


def test_the_generator_of_its_page_fills_the_config_of_its_page(tmp_path: Path, monkeypatch):
    page = f"{PAGES}/generator.md"
    kernel = blocks(page, 'python title="ascii_maze/mazes/carvers.py"')[0].replace(
        "cache=True, ", ""
    )  # no file to cache
    namespace = dict(vars(carvers))
    exec(compile(kernel, page, "exec"), namespace)  # noqa: S102, it is ours
    known = MappingProxyType({**generators.GENERATORS, "columns": namespace["carve_columns"]})
    for module in (generators, config):
        monkeypatch.setattr(module, "GENERATORS", known)
    (tmp_path / "my.yaml").write_text(blocks(page, "yaml")[0])
    record = build(config.load_config(str(tmp_path / "my.yaml")), tmp_path / "my-mazes")
    assert record["rows"]["prompts/test_unseen"] == 20
