"""Plans a push: the files of a folder, the repository and the card. Works offline.

Files are chosen by an allow list; the plan lists everything that is left out.
"""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from ..errors import AsciiMazeError, UsageError, did_you_mean, reason
from ..files import MARK, UNFINISHED
from ..references import is_hub_name, is_revision
from .content import Content, Wishes, parse_card, read, sha256, size
from .kinds import KINDS, PREFERENCES, Kind
from .rules import broken_results, broken_rules
from .secrets import find_secret

# Of no use to others: state for resuming a run; start.json also has local paths.
NEVER = (
    ".*", "checkpoint-*", "optimizer*", "scheduler*", "trainer_state*", "training_args*", "start.json", "__pycache__"
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What a push would send. `contents` is by path in the repository; `card` is the metadata of its README.md."""

    kind: str
    folder: Path
    repo: str
    revision: str
    tag: str | None
    private: bool
    contents: dict[str, Content]
    left_out: list[str]
    card: dict[str, Any]

    @property
    def spec(self) -> Kind:
        """The kind of thing that is pushed."""
        return KINDS[self.kind]

    @cached_property
    def digests(self) -> dict[str, str]:
        """The sha256 of every file, by path in the repository."""
        return {path: sha256(content) for path, content in self.contents.items()}

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON values, files with their sizes in bytes."""
        sizes = {path: size(content) for path, content in self.contents.items()}
        return {
            "kind": self.kind,
            "repo": self.repo,
            "repo_type": self.spec.repo_type,
            "revision": self.revision,
            "tag": self.tag,
            "private": self.private,
            "files": sizes,
            "bytes": sum(sizes.values()),
            "left_out": self.left_out,
            "card": self.card,
        }

    def to_text(self) -> str:
        """The plan as text: the destination, a line per file, the card, and what is left out."""
        sizes = {path: size(content) for path, content in self.contents.items()}
        visibility = "private" if self.private else "public"
        tag = f", tag {self.tag}" if self.tag else ""
        card = ", ".join(f"{key} {self.card[key]}" for key in ("license", "base_model", "sdk") if self.card.get(key))
        return "\n".join(
            [
                f"{self.folder} -> {self.spec.repo_type} {self.repo}, {visibility}, branch {self.revision}{tag}",
                *(f"{count:>14,}  {path}" for path, count in sizes.items()),
                f"{sum(sizes.values()):>14,}  bytes in {len(sizes)} files; files that are there already are not sent",
                f"card: {card}",
                f"stays here: {', '.join(self.left_out) or 'nothing'}",
            ]
        )


def plan_push(
    kind: str,
    folder: Path,
    repo: str,
    *,
    public: bool = False,
    revision: str = "main",
    tag: str | None = None,
    base_model: str | None = None,
    dataset: str | None = None,
    license: str | None = None,
    results: Sequence[Path] = (),
) -> Plan:
    """Plan the push of a folder.

    Args:
        repo: `ORG/NAME`.
        revision: the branch, created if missing.
        tag: a tag for the commit.
        base_model: for an adapter, the Hub id of the model it was trained on, if that was local.
        dataset: for an adapter, the Hub id of the dataset it was trained and evaluated on, if that was local.
        license: for an adapter, the licence; default: that of its base.
        results: for an adapter, folders of evaluations and MRIs for its card; default: those next to it.

    Raises:
        UsageError: the folder is not finished or is something else, its card is invalid, the Hub rejects a name,
            or a file seems to contain a credential.
        AsciiMazeError: a record of the run is malformed.
    """
    if kind == "dataset" and (folder / PREFERENCES).is_file():
        kind = "preferences"
    spec = find_kind(kind)
    check_repo_name(repo)
    for option, name in (("--revision", revision), ("--tag", tag)):
        if name is not None and not is_revision(name):
            raise UsageError(
                f"{option} '{name}' is not a name for git; expected letters, digits and - _ . /, such as v1.0"
            )
    said = {"--base-model": base_model, "--dataset": dataset, "--license": license, "--results": results}
    if kind != "adapter" and any(said.values()):
        raise UsageError(f"{next(option for option, value in said.items() if value)} is for adapters only")
    check_folder(kind, folder, repo)
    contents, left_out = choose_files(spec, folder)
    check_weights(kind, folder, contents)
    wishes = Wishes(repo, base_model, dataset, license, tuple(results))
    try:
        contents = {**contents, **spec.prepare(folder, contents, wishes)}
    except (AsciiMazeError, OSError):
        raise
    except Exception as error:  # malformed records may raise anything
        raise AsciiMazeError(f"{folder} holds a record that cannot be read: {reason(error)}") from error
    left_out = [name for name in left_out if name not in contents]
    card = check_card(spec, folder, contents)
    refuse_secrets(folder, contents)
    return Plan(kind, folder, repo, revision, tag, not public, dict(sorted(contents.items())), left_out, card)


def find_kind(kind: str) -> Kind:
    """A kind of `KINDS` by its name.

    Raises:
        UsageError: there is none.
    """
    if kind not in KINDS:
        raise UsageError(f"cannot push '{kind}'; expected one of {', '.join(KINDS)}{did_you_mean(kind, KINDS)}")
    return KINDS[kind]


def check_repo_name(repo: str) -> None:
    """Check that the Hub takes the name of a repository, and that it has a namespace.

    Raises:
        UsageError: the name is invalid; says why.
    """
    if not is_hub_name(repo):
        raise UsageError(f"'{repo}' is not a repository name; expected ORG/NAME of letters, digits and - _ .")
    if "/" not in repo:
        raise UsageError(f"'{repo}' has no namespace; write ORG/{repo} with your user name or organisation")


def check_folder(kind: str, folder: Path, repo: str) -> None:
    """Check that a folder holds a complete result of its kind.

    Raises:
        UsageError: something is missing; names it and the command that makes it.
    """
    spec = KINDS[kind]
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}; `{spec.made_by}` makes one")
    if (folder / UNFINISHED).exists():
        raise UsageError(
            f"{folder} is not finished; run the `{spec.made_by}` that began it again, or remove {folder / UNFINISHED} "
            "to push what was there before"
        )
    missing = _missing(spec, folder, repo)
    if missing:
        others = [name for name, other in KINDS.items() if other.needs and not _missing(other, folder, repo)]
        article = "an" if others and others[0][0] in "aeiou" else "a"
        hint = f"it looks like {article} {others[0]}: push {others[0]}" if others else f"`{spec.made_by}` makes one"
        raise UsageError(f"{folder} is not a finished {kind}, it lacks {', '.join(missing)}; {hint}")


def _missing(spec: Kind, folder: Path, repo: str) -> list[str]:
    paths = [folder / need.format(name=repo.split("/")[-1]) for need in spec.needs]
    return [path.name for path in paths if path.is_symlink() or not path.is_file()]


def choose_files(spec: Kind, folder: Path) -> tuple[dict[str, Content], list[str]]:
    """Files to send, by path in the repository, and the names of those left out (a whole folder counts as one)."""
    chosen: dict[str, Content] = {}
    left_out: set[str] = set()
    files = (path for path in folder.rglob("*") if path.name != MARK and (path.is_symlink() or not path.is_dir()))
    for path in sorted(files):
        name = path.relative_to(folder)
        inside = name.parent.as_posix()
        allowed = (
            path.suffix in spec.suffixes
            and not path.is_symlink()
            and not any(fnmatch.fnmatch(part, never) for part in name.parts for never in NEVER)
            and (inside == "." or (inside.count("/") == 0 and any(fnmatch.fnmatch(inside, f) for f in spec.folders)))
        )
        if allowed:
            chosen[name.as_posix()] = path
        else:
            left_out.add(name.as_posix())
    kept = {PurePosixPath(name).parts[0] for name in chosen}
    tops = {name.split("/")[0] for name in left_out if "/" in name} - kept
    alone = {name for name in left_out if name.split("/")[0] not in tops}
    return chosen, sorted({f"{top}/" for top in tops} | alone)


def check_weights(kind: str, folder: Path, contents: dict[str, Content]) -> None:
    """Check that every safetensors file is whole, by its head alone, and that a model has one.

    Raises:
        UsageError: a file is torn, empty or of another format, or there is none.
    """
    from safetensors import safe_open

    names = [name for name in contents if name.endswith(".safetensors")]
    if kind == "model" and not names:
        raise UsageError(f"{folder} is not a finished model, it lacks model.safetensors")
    for name in names:
        try:
            with safe_open(folder / name, "np"):
                pass
        except Exception as error:  # safetensors' own error class derives from Exception
            raise UsageError(f"{folder / name} is not whole: {reason(error)}; make or download it again") from error


def check_card(spec: Kind, folder: Path, contents: dict[str, Content]) -> dict[str, Any]:
    """The metadata of README.md, parsed as the Hub does, checked against its rules together with `.eval_results`.

    Raises:
        UsageError: it is not YAML, lacks a key, breaks a rule, or names data files that do not exist.
    """
    where = folder / "README.md"
    card = parse_card(spec.repo_type, read(contents["README.md"]).decode()).data.to_dict()
    missing = [key for key in spec.card_keys if not card.get(key)]
    if missing:
        raise UsageError(f"{where}: no {', '.join(missing)} in its metadata")
    for broken in broken_rules(spec.repo_type, card):
        raise UsageError(f"{where}: the Hub would reject its metadata: {broken}")
    for path in [path for path in contents if path.startswith(".eval_results/")]:
        for broken in broken_results(yaml.safe_load(read(contents[path]))):
            raise UsageError(f"{folder / path}: {broken}")
    try:
        named = [
            (config["config_name"], pattern)
            for config in card.get("configs", [])
            for pattern in _patterns(config.get("data_files", []))
        ]
    except (AttributeError, TypeError, LookupError) as error:
        raise UsageError(
            f"{where}: 'configs' in its metadata is not a list of config_name with data_files; see those of a dataset "
            "that `ascii-maze build` made"
        ) from error
    for name, pattern in named:
        if not fnmatch.filter(contents, pattern):
            raise UsageError(f"{where}: config '{name}' names {pattern}, which is not there")
    return card


def _patterns(files: Any) -> list[str]:
    """The patterns of `data_files` in any form that the Hub takes: one, a list of them, or of splits with theirs."""
    if isinstance(files, list):
        return [pattern for part in files for pattern in _patterns(part)]
    return [str(files)] if isinstance(files, str) else _patterns(files["path"])


def refuse_secrets(folder: Path, contents: dict[str, Content]) -> None:
    """Check that no file to be sent holds a credential; the error names the place, not the credential.

    Raises:
        UsageError: a file has one; names file and line.
    """
    for path, content in contents.items():
        found = find_secret(content)
        if found:
            name, line = found
            raise UsageError(f"{folder / path}, line {line}: this looks like a credential ({name}); nothing was sent")
