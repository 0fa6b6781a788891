"""Bases in GGUF files, dequantised once into the user's cache, from which all loaders read them like other models.

transformers can dequantise a GGUF file too, at every load, but its result can be neither quantised nor saved. The
cache holds float32 weights, exactly those of the file, under its sha256: 135 M parameters take 540 MB and are read
in a second. They have the file's rounding, so no record identifies them with the original model.
"""

import functools
import json
import sys
from pathlib import Path

from ..errors import UsageError, printable, reason
from ..files import cache_folder, output_folder, sha256_of, staged, write_text
from ..recipe.run_metrics import GGUFFile
from .adapter_config import ModelError

SOURCE = "source.json"  # written last, so that a folder that has it is complete
INSTALL = "pip install 'ascii-maze[gguf]'"


def find_gguf(name: str) -> Path | None:
    """The GGUF file that a name refers to: the file itself, or a folder with one and no other weights.

    Raises:
        UsageError: there are several in the folder.
    """
    path = Path(name)
    if path.suffix == ".gguf" and path.is_file():
        return path
    if not name or not path.is_dir() or any(path.glob("*.safetensors")):
        return None
    found = sorted(path.glob("*.gguf"))
    if len(found) > 1:
        raise UsageError(f"'{name}' has {len(found)} GGUF files; name one of them, such as {found[0]}")
    return found[0] if found else None


def identify_gguf(name: str | None) -> GGUFFile | None:
    """The entry for records on the GGUF file that a name refers to; None if there is none.

    Raises:
        UsageError: as `find_gguf`, or the file cannot be read.
    """
    path = find_gguf(name or "")
    return None if path is None else {"file": path.name, "sha256": _sha256(path)}


def in_words(gguf: GGUFFile) -> str:
    """A one-line description of a GGUF file, for plans and pages."""
    return f"{gguf['file']} (sha256 {gguf['sha256'][:16]}), dequantised; these are not the Hub's own weights"


def unpack(file: Path) -> Path:
    """The cache folder with a GGUF file converted to a transformers model, made at the first call.

    Raises:
        ModelError: the package gguf is missing, or the file cannot be read.
        AsciiMazeError: the cache cannot be written.
    """
    folder = _unpacked(file)
    if not (folder / SOURCE).is_file():
        with output_folder(folder, wait=True):
            if not (folder / SOURCE).is_file():  # another process made it while this one waited
                _dequantise(file, folder)
    return folder


def check_unpackable(name: str) -> None:
    """Check that a model that is a GGUF file can be read here, before anything else is loaded.

    Raises:
        ModelError: the package gguf is missing, and the cache does not have the file.
        UsageError: as `identify_gguf`.
    """
    file = find_gguf(name)
    if file is None:
        return
    from transformers.utils import is_gguf_available

    if not is_gguf_available() and not (_unpacked(file) / SOURCE).is_file():
        raise ModelError(f"'{file}' is a GGUF file, and the package gguf is missing or too old: {INSTALL}")


def _unpacked(file: Path) -> Path:
    return cache_folder() / "dequantised" / _sha256(file)


def _dequantise(file: Path, folder: Path) -> None:
    """Write config, weights and tokenizer of a GGUF file as transformers saves them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    check_unpackable(str(file))
    print(printable(f"dequantising {file} into {folder}, once"), file=sys.stderr, flush=True)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(file.parent),
            gguf_file=file.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.float32,
            local_files_only=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name, local_files_only=True)
    except Exception as error:  # transformers and gguf may raise anything on malformed files
        raise ModelError(f"cannot load the model of '{file}': {reason(error)}") from error
    with staged(folder) as stage:
        model.save_pretrained(stage)
        tokenizer.save_pretrained(stage)
        _drop_foreign_tokens(stage / "tokenizer.json", model.get_input_embeddings().weight.shape[0])
    write_text(folder / SOURCE, json.dumps({"file": file.name, "sha256": _sha256(file)}))


def _drop_foreign_tokens(path: Path, rows: int) -> None:
    """Drop tokens for which the model has no row: transformers adds GPT-2's `<|endoftext|>` if a file has none."""
    values = json.loads(path.read_bytes())
    values["added_tokens"] = [token for token in values["added_tokens"] if token["id"] < rows]
    write_text(path, json.dumps(values, ensure_ascii=False))


def _sha256(file: Path) -> str:
    try:
        facts = file.stat()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    return _sha256_once(file.resolve(), facts.st_size, facts.st_mtime_ns)


@functools.cache
def _sha256_once(file: Path, size: int, modified: int) -> str:
    """The digest of a file, cached under its size and modification time."""
    return sha256_of(file)
