"""What benchmarks import of the project is there; nobody runs all of them after a move."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))


def names_of(module: str) -> set[str]:
    """What a module defines or imports, and the modules of a package; it is read, not run."""
    spec = find_spec(module)
    path = Path(spec.origin)
    found = {each.stem for each in path.parent.iterdir()} if spec.submodule_search_locations else set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # names that `__getattr__` offers
    return found


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("ascii_maze", "dataset_builder"):
            assert find_spec(node.module), f"line {node.lineno}: no {node.module}"
            missing = {alias.name for alias in node.names} - names_of(node.module)
            assert not missing, f"line {node.lineno}: {node.module} has no {missing}"


@pytest.mark.slow
def test_the_small_llama_learns_and_answers(monkeypatch):
    import numpy as np
    from tokenizers import Tokenizer, decoders
    from tokenizers import models as kinds

    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from small_llama import BATCH, MARKS, Texts, answer, train

    tokenizer = Tokenizer(kinds.WordLevel({word: place for place, word in enumerate([*MARKS, *"UDLR"])}))
    tokenizer.decoder = decoders.Fuse()
    up, right = (np.array([tokenizer.token_to_id(letter)] * 2) for letter in "UR")
    texts = Texts([up, right] * (BATCH // 2), [right, up] * (BATCH // 2))
    model, loss, tokens = train(texts, 60, tokenizer.get_vocab_size(), 0, "cpu")
    assert loss < 0.1
    assert tokens == 60 * BATCH * 7  # two, two, and a mark before, between and after
    assert answer(model, tokenizer, [up, right], 4, "cpu") == ["RR", "UU"]
    with pytest.raises(ValueError, match="less than a batch"):
        train(Texts([up], [right]), 2, 8, 0, "cpu")


@pytest.mark.slow
def test_prompts_of_a_style_and_answers_of_a_reasoning_make_the_rows_of_both(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from representation import TOKENIZERS, build, read, rows_of, tokens_of, train_tokenizers
    from tokenizers import Tokenizer

    rows = rows_of("cells", "steps", "train", 20, tmp_path)
    assert rows == read(build("cells", "steps", 20, tmp_path), "train")
    train_tokenizers([("cells", "steps")], 20, tmp_path)
    for name in TOKENIZERS:
        tokenizer = Tokenizer.from_file(str(tmp_path / f"{name}.json"))
        for key, style, reasoning in (("prompt", "cells", "none"), ("completion", "hash", "steps")):
            for _ in ("encoded", "stored"):
                ids = tokens_of(name, style, reasoning, key, 20, tmp_path)
                assert [tokenizer.decode(one) for one in ids] == [row[key] for row in rows]
