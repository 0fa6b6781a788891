"""The kinds of things that can be pushed.

Each is an entry of `KINDS`: which files its folder must have, which are sent, and what is changed in the copies that
are sent. A new kind is a new entry, and a function if its files have to be changed.
"""

import importlib.metadata
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from dataset_builder.schema import RECORD, parse_record

from ..configuration import read_yaml_mapping
from ..errors import UsageError
from . import benchmark
from .adapter import prepare_adapter
from .content import Content, Wishes, parse_json, read, read_json, sha256, to_json
from .local_paths import cut, cut_page, texts_of, without_local_paths

PACKAGE = Path(__file__).resolve().parents[1]
# Files of a report, in addition to JSON, that may contain local paths.
TEXTS = (".html", ".md", ".csv", ".svg")


@dataclass(frozen=True)
class Kind:
    """A kind of thing that can be pushed.

    Attributes:
        repo_type: `dataset`, `model` or `space`.
        needs: files that a folder of this kind must have; `{name}` is the repository's name.
        suffixes: of the files that are sent.
        folders: patterns of subfolders whose files are sent too.
        card_keys: required keys in the metadata of README.md.
        made_by: the command that makes such a folder.
        prepare: (folder, contents by path, wishes) -> contents that are added to the folder's, or replace them.
        manifest: the file whose `files` lists what a push uploaded, so that a later push can delete it.
        space_sdk: of a Space.
        shipped: the folder of this kind in the package, if it includes one.
    """

    repo_type: str
    needs: tuple[str, ...]
    suffixes: tuple[str, ...]
    folders: tuple[str, ...]
    card_keys: tuple[str, ...]
    made_by: str
    prepare: Callable[[Path, dict[str, Content], Wishes], dict[str, bytes]]
    manifest: str | None = None
    space_sdk: str | None = None
    shipped: str | None = None


def prepare_dataset(folder: Path, contents: dict[str, Content], wishes: Wishes) -> dict[str, bytes]:
    """The card with the repository's name in its snippets, eval.yaml, and build.json without local paths.

    The parquet files must be those that build.json lists.

    Raises:
        UsageError: a file is missing, has changed, or is not part of this build.
    """
    record = parse_record(read(contents[RECORD]), RECORD)
    listed = record["files"]
    for path in sorted(set(listed) - set(contents)):
        raise UsageError(
            f"{path} is missing, although build.json lists it; build the dataset again in an empty folder"
        )
    for path in contents:
        if path.endswith(".parquet") and path not in listed:
            raise UsageError(
                f"{path} is not part of this build, according to build.json; build the dataset again elsewhere"
            )
    for path, digest in listed.items():
        if sha256(contents[path]) != digest:
            raise UsageError(
                f"{path} has changed since it was built, according to build.json; build the dataset again"
            )
    card = read(contents["README.md"]).decode()
    name = record["config"].get("name")
    prepared = {"README.md": card.replace(f'load_dataset("{name}"', f'load_dataset("{wishes.repo}"').encode()}
    if benchmark.FILE not in contents:
        splits = [split for split in record["config"]["splits"] if record["rows"].get(f"prompts/{split}")]
        prepared[benchmark.FILE] = benchmark.render_eval_yaml(str(name), wishes.repo, splits).encode()
    if "preferences_from" in record:
        prepared[RECORD] = to_json(without_local_paths(record))
    return prepared


# The record of a collection of preferences; a folder with it is pushed as a dataset, by separate rules.
PREFERENCES = "preferences.json"


AGAIN = "`ascii-maze annotate --out FOLDER` exports the answers again when it ends"


def prepare_preferences(folder: Path, contents: dict[str, Content], wishes: Wishes) -> dict[str, bytes]:
    """The card with the repository's name in its snippet; the parquet files must be those that were exported.

    Raises:
        UsageError: a file is missing, has changed, or is not part of this export.
    """
    record = read_json({PREFERENCES: folder / PREFERENCES}, PREFERENCES)  # which is not sent
    listed = record.get("files")
    if not isinstance(listed, dict):
        raise UsageError(f"{PREFERENCES} has no 'files'; {AGAIN}")
    found = {path for path in contents if path.endswith(".parquet")}
    for path in sorted(found ^ set(listed)):
        said = f"is missing; {AGAIN}" if path in listed else "is not part of this export; move it elsewhere"
        raise UsageError(f"according to {PREFERENCES}, {path} {said}")
    for path, digest in listed.items():
        if sha256(contents[path]) != digest:
            raise UsageError(f"{path} has changed since it was exported; {AGAIN}")
    card = read(contents["README.md"]).decode()
    snippet = re.compile(r'load_dataset\("[^"\n]*"')
    return {"README.md": snippet.sub(f'load_dataset("{wishes.repo}"', card, count=1).encode()}


def as_it_lies(folder: Path, contents: dict[str, Content], wishes: Wishes) -> dict[str, bytes]:
    """Send the folder's files unchanged."""
    return {}


def prepare_model(folder: Path, contents: dict[str, Content], wishes: Wishes) -> dict[str, bytes]:
    """The files that say where the model was loaded from, without local paths."""
    named = [path for path in ("config.json", "merge.json") if path in contents]
    return {path: to_json(without_local_paths(read_json(contents, path), folder)) for path in named}


def prepare_report(folder: Path, contents: dict[str, Content], wishes: Wishes) -> dict[str, bytes]:
    """Pages and figures without local paths, and a card that shows report.html as a static Space.

    A README.md in the folder takes the place of that card.
    """
    figures = {path: parse_json(contents, path) for path in contents if path.endswith(".json")}
    written = {path: read(contents[path]).decode("utf-8", "replace") for path in contents if path.endswith(TEXTS)}
    texts = [text for values in figures.values() for text in texts_of(values)]
    texts += [text for path, text in written.items() if path.endswith(".md")]
    prepared = {path: to_json(without_local_paths(values, folder)) for path, values in figures.items()}
    for path, text in written.items():
        clean = cut_page(text, texts, folder) if path.endswith((".html", ".svg")) else cut_lines(text, folder)
        prepared[path] = clean.encode()
    if "README.md" in contents:
        return prepared
    title = wishes.repo.split("/")[1]
    head = f"title: {title}\nsdk: static\napp_file: report.html\nlicense: apache-2.0\ntags:\n- ascii-maze\n"
    card = f"---\n{head}---\n\n# {title}\n\nA report of ascii-maze: see report.html.\n"
    return {**prepared, "README.md": card.encode()}


# The modules, and folders of modules, of this package that the environment's server imports.
SERVED = (
    *("__init__.py", "errors.py", "files.py", "environment", "mazes", "metrics/__init__.py"),
    *("metrics/path_validity", "integrations/__init__.py", "integrations/seeded.py", "integrations/openenv"),
)
OF_THE_SPACE = ("app.py", "tests.py")  # files that only the metric's Space needs


def prepare_environment(folder: Path, contents: dict[str, Content], wishes: Wishes) -> dict[str, bytes]:
    """The container file, and the modules of this package that the server runs on, so that it needs no release."""
    served = [file for name in SERVED for file in sorted((PACKAGE / name).glob("*.py")) or [PACKAGE / name]]
    modules = {
        f"{PACKAGE.name}/{file.relative_to(PACKAGE).as_posix()}": file.read_bytes()
        for file in served
        if file.name not in OF_THE_SPACE
    }
    card = read(contents["README.md"]).decode().replace("ORG-NAME", wishes.repo.replace("/", "-").lower())
    return {**modules, "Dockerfile": (folder / "Dockerfile").read_bytes(), "README.md": card.encode()}


# The suffixes of the files of the packages that the page of `play` needs.
OF_THE_PAGE = (".py", ".html", ".js", ".css", ".jinja", ".json", ".safetensors", ".yaml")


def prepare_space(folder: Path, contents: dict[str, Content], wishes: Wishes) -> dict[str, bytes]:
    """The page of `play` with the packages that it needs, so that it needs no release, and the adapters of a folder.

    Local paths are cut from the adapters' recipes and metrics.
    """
    space = PACKAGE / "preferences" / "space"
    sent = {file.name: file.read_bytes() for file in sorted(space.iterdir()) if file.suffix in (".py", ".md")}
    for package in (PACKAGE, PACKAGE.parent / "dataset_builder"):
        files = (file for file in sorted(package.rglob("*")) if file.suffix in OF_THE_PAGE and file.is_file())
        sent |= {
            file.relative_to(PACKAGE.parent).as_posix(): file.read_bytes()
            for file in files
            if space not in file.parents
        }
    required = [line for line in importlib.metadata.requires("ascii-maze") or [] if "extra ==" not in line]
    sent["requirements.txt"] = "".join(f"{line}\n" for line in sorted(required)).encode()
    for path in contents:
        if path.endswith(".json"):
            sent[path] = to_json(without_local_paths(parse_json(contents, path)))
        elif path.endswith(".yaml"):
            values = without_local_paths(read_yaml_mapping(folder / path))
            sent[path] = yaml.safe_dump(values, sort_keys=False, allow_unicode=True).encode()
    return sent


def shipped_folder(kind: str) -> Path:
    """The folder of a kind that the package includes.

    Raises:
        UsageError: it includes none of that kind.
    """
    spec = KINDS.get(kind)
    if spec is None or spec.shipped is None:
        makes = f", which `{spec.made_by}` makes" if spec else ""
        raise UsageError(f"no folder to push as {kind}; name it{makes}")
    return PACKAGE / spec.shipped


def cut_lines(text: str, folder: Path) -> str:
    """Markdown or CSV without local paths, line by line."""
    return "".join(cut(line, folder) for line in text.splitlines(keepends=True))


KINDS = {
    "dataset": Kind(
        repo_type="dataset",
        needs=(RECORD, "README.md"),
        suffixes=(".parquet", ".json", ".md", ".yaml", ".png", ".svg"),
        folders=("*",),
        card_keys=("license", "configs"),
        made_by="ascii-maze build",
        prepare=prepare_dataset,
        manifest=RECORD,
    ),
    "preferences": Kind(
        repo_type="dataset",
        needs=(PREFERENCES, "README.md"),
        suffixes=(".parquet", ".md"),
        folders=("preference", "annotations"),
        card_keys=("license", "configs"),
        made_by="ascii-maze annotate",
        prepare=prepare_preferences,
    ),
    "adapter": Kind(
        repo_type="model",
        needs=("adapter_config.json", "adapter_model.safetensors", "metrics.json", "recipe.yaml", "README.md"),
        suffixes=(".safetensors", ".json", ".md", ".jinja", ".yaml", ".png", ".svg"),
        folders=("figures",),
        card_keys=("library_name", "base_model"),
        made_by="ascii-maze train",
        prepare=prepare_adapter,
    ),
    "model": Kind(
        repo_type="model",
        needs=("config.json", "tokenizer_config.json", "README.md"),
        suffixes=(".safetensors", ".json", ".md", ".jinja", ".yaml", ".png", ".svg"),
        folders=("figures",),
        card_keys=("library_name", "license"),
        made_by="ascii-maze merge, with a card of your own,",
        prepare=prepare_model,
    ),
    "metric": Kind(
        repo_type="space",
        needs=("{name}.py", "app.py", "requirements.txt", "README.md"),
        suffixes=(".py", ".txt", ".md", ".json", ".yaml", ".png", ".svg"),
        folders=(),
        card_keys=("title", "sdk", "tags"),
        made_by="ascii_maze.metric_path()",
        prepare=as_it_lies,
        space_sdk="gradio",
    ),
    "environment": Kind(
        repo_type="space",
        needs=("Dockerfile", "openenv.yaml", "requirements.txt", "README.md"),
        suffixes=(".md", ".yaml", ".txt"),
        folders=(),
        card_keys=("title", "sdk", "tags"),
        made_by="pip install ascii-maze",
        prepare=prepare_environment,
        space_sdk="docker",
        shipped="integrations/openenv",
    ),
    "space": Kind(
        repo_type="space",
        needs=(),
        suffixes=(".safetensors", ".json", ".jinja", ".yaml"),
        folders=("*",),
        card_keys=("title", "sdk", "tags"),
        made_by="ascii-maze train",
        prepare=prepare_space,
        space_sdk="gradio",
        shipped="preferences/space",
    ),
    "report": Kind(
        repo_type="space",
        needs=("report.html",),
        suffixes=(".html", ".json", ".md", ".png", ".svg", ".csv"),
        folders=("figures", "tables", "evaluation"),
        card_keys=("title", "sdk"),
        made_by="ascii-maze study",
        prepare=prepare_report,
        space_sdk="static",
    ),
}
