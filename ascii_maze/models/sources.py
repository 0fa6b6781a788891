"""A name -> what to load: an embedded model, a folder or a Hub id, of a whole model or of an adapter with its base."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError
from ..files import read_json
from ..references import HUB_FORM, Reference, find_reference, hub_answers
from ..tiny import EMBEDDED
from .adapter_config import CONFIG, ModelError, fetch, read_config
from .chat import AS_IT_IS, Chat, reading_of
from .devices import precision_for, this_device
from .gguf import check_unpackable, find_gguf, identify_gguf, in_words, unpack
from .packaged import say_once, stand_in
from .pins import weights_of

# Not every command has the option; a merged model needs no base.
MOVED = "name where it is with the --base of `evaluate`, `mri` or `merge`, whose result any command takes"
# The fields of TRL's ModelConfig by which two bases of one name differ.
HOW_LOADED = ("load_in_4bit", "load_in_8bit", "bnb_4bit_quant_type", "use_bnb_nested_quant", "dtype")


class BaseMoved(ModelError):
    """The base that an adapter names is not where it was."""


class Source(NamedTuple):
    """The location of a model, and how to load it.

    Attributes:
        name: folder, Hub id, or name of an embedded model.
        revision: of the Hub's repository; None for the newest.
        adapter: PEFT's config, if the model is an adapter.
        model_args: TRL's ModelConfig of the base, or of the model itself.
        chat: how conversations are rendered, as far as that is not left to its tokenizer.
    """

    name: str
    revision: str | None
    adapter: Any
    model_args: Any
    chat: Chat = AS_IT_IS


def resolve_model(name: str) -> str:
    """The name of an embedded model -> its folder; a folder with a GGUF file -> that file; other names stay the same.

    Raises:
        UsageError: a folder has several GGUF files.
    """
    return str(EMBEDDED.get(name) or find_gguf(name) or name)


def is_same_model(one: str, other: str) -> bool:
    """Whether two names without revisions refer to the same repository, or to the same folder."""
    first, second = (Path(resolve_model(name)) for name in (one, other))
    return first == second or (first.exists() and first.resolve() == second.resolve())


def loadable(name: str) -> str:
    """The folder or Hub id that transformers loads for the name of a model; see `gguf.unpack`.

    Raises:
        AsciiMazeError: a GGUF file cannot be read.
    """
    gguf = find_gguf(name)
    return str(unpack(gguf)) if gguf else resolve_model(name)


def settle_name(name: str) -> str:
    """The name of a model, or the local file that replaces it, which is reported once; see `packaged.stand_in`."""
    found = stand_in(name)
    if found is None:
        return name
    say_once(f"'{name}' is not in the Hub's cache and the Hub cannot be reached; using {found} instead")
    return str(found)


def find_model(name: str, task: str = "CAUSAL_LM", base: str | None = None, chat: Chat = AS_IT_IS) -> Source:
    """The source of a model by its name; see `loading.load_model`.

    Args:
        base: the location of an adapter's base, if it is not that in its config; taken as it is.
        chat: how conversations are rendered; by default with the tokenizer's own settings.

    Raises:
        UsageError: the name is not of a valid form.
        AsciiMazeError: it is a model for another task, its config is invalid, or the weights of its base have changed.
    """
    reference = find_named(name)
    name, revision = reference.name, reference.revision
    adapter = None if name in EMBEDDED else read_config(name, revision)
    scores = adapter is not None and adapter.task_type == "SEQ_CLS"
    if scores != (task == "SEQ_CLS"):
        is_a = (
            "it is a reward model, which writes no paths" if scores else "it writes paths, and is not a reward model"
        )
        raise ModelError(f"'{name}' cannot be used here: {is_a}")
    source = Source(name, revision, adapter, _model_args(name, revision, adapter, base), chat)
    if adapter is not None and base is None:
        check_base_unchanged(source)
    return source


def find_on(base: str, find: Callable[..., Source]) -> Source:
    """An adapter that is compared with a base: read on that one if its own is not where it was.

    Args:
        base: the name of that base; an embedded one cannot have moved.
        find: called with `base`, where that of the adapter is now, or without for where the adapter says.

    Raises:
        AsciiMazeError: as `find_model`.
    """
    try:
        return find()
    except BaseMoved:
        if base in EMBEDDED:
            raise
        return find(base=base)


def check_base_unchanged(adapter: Source) -> None:
    """Check that a local base has the weights on which its adapter was trained, if metrics.json of the run has them.

    Raises:
        ModelError: it has others.
    """
    path, base = fetch(adapter.name, adapter.revision, "metrics.json"), adapter.model_args.model_name_or_path
    before, now = None, weights_of(base)
    if path:
        with suppress(UsageError):  # an adapter of others may have any file of this name
            before = read_json(path).get("base_weights")
    if before and now and before != now:
        raise ModelError(
            f"the weights of '{base}' are not those on which '{adapter.name}' was trained: put them back or train "
            f"again; or {MOVED}"
        )


def find_named(name: str) -> Reference:
    """The folder, file or repository of a model, or the local file that replaces it.

    Raises:
        UsageError: the name is not of a valid form.
        ModelError: it is a GGUF file, which cannot be read here.
    """
    name = settle_name(name)
    reference = Reference(name) if name in EMBEDDED else find_reference(name)
    if reference is None:
        raise UsageError(f"no model '{name}': there is no such folder, nor is it {HUB_FORM}, or 'tiny'")
    if reference.is_local and not Path(name).is_dir() and not name.lower().endswith(".gguf"):
        raise UsageError(f"'{name}' is not a folder; a model is one, or a .gguf file, {HUB_FORM}, or 'tiny'")
    if not reference.is_local and name not in EMBEDDED:
        hub_answers()
    check_unpackable(name)
    return reference


def _model_args(name: str, revision: str | None, adapter, base: str | None):
    """TRL's ModelConfig of a whole model, or of an adapter's base, from the recipe of its run if the folder has it."""
    from trl import ModelConfig

    from ..recipe import load_resolved, parse_model

    if adapter is None:
        args = ModelConfig(model_name_or_path=name, dtype=precision_for(this_device()).dtype)
        args.model_revision = revision
        return args
    if recipe := fetch(name, revision, "recipe.yaml"):
        args = parse_model(load_resolved(recipe))
        args.attn_implementation = None  # chosen for the training machine; results are the same with any other
    else:
        args = ModelConfig(
            model_name_or_path=adapter.base_model_name_or_path,
            dtype=precision_for(this_device()).dtype,
            lora_task_type=adapter.task_type,
        )
        args.model_revision = adapter.revision
    if base is not None:
        args.model_name_or_path, args.model_revision, _ = find_named(base)
    elif not args.model_revision:
        args.model_name_or_path = settle_name(args.model_name_or_path or "")
    if not args.model_name_or_path:
        raise BaseMoved(f"{CONFIG} of '{name}' names no base model; {MOVED}")
    if args.model_name_or_path not in EMBEDDED and find_reference(args.model_name_or_path) is None:
        raise BaseMoved(
            f"the base of '{name}', '{args.model_name_or_path}', is not here, and not of the form {HUB_FORM}; {MOVED}"
        )
    return args


def how_loaded(source: Source) -> dict[str, Any]:
    """The settings that two bases of the same name must share to have equal weights."""
    args = source.model_args
    return {"model_revision": args.model_revision or "main", **{key: getattr(args, key) for key in HOW_LOADED}}


def match_bases(sources: Mapping[str, Any], unquantised: bool = False) -> dict[str, Any]:
    """The same sources, with a base loaded, and its conversations rendered, as its adapters were trained.

    A base in full precision would differ from adapters of the 4-bit base by more than their training.

    Args:
        sources: name -> `Source`; other values are returned unchanged.
        unquantised: add an entry `NAME (float32)` after a base that was changed, to show the effect of quantisation.

    Raises:
        UsageError: the adapters were trained on a base that was loaded in different ways.
    """
    adapters = {name: one for name, one in sources.items() if isinstance(one, Source) and one.adapter is not None}
    matched: dict[str, Any] = {}
    for name, source in sources.items():
        matched[name] = source
        if not isinstance(source, Source) or source.adapter is not None:
            continue
        mine = {other: one for other, one in adapters.items() if is_base_of(source, one)}
        for (one, first), (other, second) in zip(mine.items(), list(mine.items())[1:]):
            for key, value in how_loaded(first).items():
                if value != how_loaded(second)[key]:
                    raise UsageError(
                        f"'{one}' was trained on '{source.name}' with {key} {value}, and '{other}' with "
                        f"{how_loaded(second)[key]}: no single base matches both; evaluate them separately"
                    )
        if mine:
            source = source._replace(chat=_chat_beside(source, mine))
            matched[name] = source._replace(model_args=next(iter(mine.values())).model_args)
            plain = f"{name} ({source.model_args.dtype})"
            if unquantised and how_loaded(matched[name]) != how_loaded(source) and plain not in sources:
                matched[plain] = source
    return matched


def _chat_beside(base: Source, adapters: Mapping[str, Source]) -> Chat:
    """How conversations are rendered for a base next to its adapters: as requested, else as in their training.

    Raises:
        UsageError: they were trained in different ways.
    """
    if base.chat != AS_IT_IS:
        return base.chat
    found = {name: _chat_of(adapter) for name, adapter in adapters.items()}
    (first, chat), *others = found.items()
    for name, other in others:
        if other != chat:
            raise UsageError(
                f"'{first}' and '{name}' were trained to read conversations in different ways (chat template, "
                "thinking): no single base matches both; evaluate them separately"
            )
    return chat


def _chat_of(adapter: Source) -> Chat:
    path = fetch(adapter.name, adapter.revision, "tokenizer_config.json")
    reading = reading_of(read_json(path)) if path else reading_of({})
    template = "plain" if reading.template == "plain" else None
    if reading.template == "given" and (path := fetch(adapter.name, adapter.revision, "chat_template.jinja")):
        template = path.read_text(encoding="utf-8")
    return Chat(template, reading.thinking or None, reading.thinking_tokens or None)


def is_base_of(source: Source, adapter: Source) -> bool:
    """Whether a whole model is the one that an adapter was trained on."""
    args = adapter.model_args
    if not is_same_model(source.name, args.model_name_or_path):
        return False
    here = Path(resolve_model(source.name)).exists()
    return here or (source.revision or "main") == (args.model_revision or "main")


def describe(source: Source) -> dict[str, Any]:
    """All that is needed to load the same model again, as JSON."""
    import torch

    args = source.model_args
    gguf = identify_gguf(args.model_name_or_path)
    quantised = f"4-bit {args.bnb_4bit_quant_type}" if args.load_in_4bit else "8-bit" * args.load_in_8bit
    return {
        "revision": source.revision,
        "base": args.model_name_or_path if source.adapter else None,
        **({"gguf": gguf} if gguf else {}),
        "base_revision": args.model_revision if source.adapter else None,
        "dtype": str(args.dtype),
        "quantisation": quantised or None,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else this_device().kind,
    }


def loaded_in_words(facts: Mapping[str, Any]) -> str:
    """A short description for a page of how a model was loaded, from the result of `describe`."""
    precision = f"{facts['quantisation'] or 'not quantised'}, {facts['dtype']}"
    return f"{precision}, from {in_words(facts['gguf'])}" if "gguf" in facts else precision
