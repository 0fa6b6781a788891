"""The `ascii-maze` command line: options and output only. Heavy imports stay inside the commands."""

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import AsciiMazeError, Interrupted, UsageError, one_line, printable
from ..metrics.path_validity.maze import MazeError
from ..references import find_reference
from ..terminal import print_tables, progress, waiting

if TYPE_CHECKING:
    from ..evaluation.schema import Results
    from ..models.chat import Chat
    from ..study.schema import StudyResults

app = typer.Typer(
    help="Find out what each fine-tuning method teaches a language model that walks through ASCII mazes.\n\n"
    "Start with: ascii-maze study",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Dataset = Annotated[str, typer.Option(help="Folder that `build` made, or Hub id.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Number of mazes, the first of each split.")]
Marks = Annotated[
    list[str] | None, typer.Option(help="What characters of the file stand for, as in E=G,*=S; repeatable.")
]
MovedBase = Annotated[str | None, typer.Option(help="Where an adapter's base is now, if it has moved.")]
ChatTemplate = Annotated[
    str | None, typer.Option(help="`plain`, or a Jinja file, in place of the tokenizer's own chat template.")
]
Thinking = Annotated[
    bool | None,
    typer.Option(
        "--thinking/--no-thinking", help="Let models think before they answer; default: as they were trained, else no."
    ),
]
ThinkingTokens = Annotated[
    int | None, typer.Option(min=1, help="Tokens that a thought may take, beside the answer's; default: 1,024.")
]


def named_path(text: str) -> Path:
    """A path as it was given: an empty one, of a variable that is not set, would be the working directory.

    Raises:
        UsageError: it is blank.
    """
    if not str(text).strip():
        raise UsageError("a path is empty, perhaps of a variable that is not set; name a file or a folder")
    return Path(text)


def main() -> None:
    """Run the command line; exits with 2 on bad usage, 1 on failure. Errors are one line without `--debug`."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    if "ASCII_MAZE_FOLLOW_PARENT" in os.environ:
        from ..study.runner import follow_parent

        follow_parent()
    try:
        app()
    except SystemExit as end:
        if end.code == Interrupted.exit_code:  # from Typer, which says nothing
            print("ascii-maze: interrupted", file=sys.stderr)
        raise
    except (AsciiMazeError, MazeError, OSError) as error:
        if debug:
            raise
        print(f"ascii-maze: {one_line(error)}", file=sys.stderr)
        sys.exit(2 if isinstance(error, MazeError) else getattr(error, "exit_code", 1))


@app.command(
    epilog="Examples: ascii-maze build demo --out ascii-maze --workers 2; "
    "ascii-maze build --push ORG/ascii-maze; ascii-maze build demo --out pairs --preferences-from outputs/tiny/sft"
)
def build(
    config: Annotated[
        str, typer.Argument(help="Name of a config in dataset_builder/configs, or a YAML file.")
    ] = "ascii-maze",
    out: Annotated[
        Path, typer.Option(parser=named_path, metavar="<path>", help="Output folder; load_dataset reads it.")
    ] = Path("ascii-maze"),
    seed: Annotated[int | None, typer.Option(help="Seed, overriding the config's.")] = None,
    workers: Annotated[int, typer.Option(help="Number of processes; the result does not depend on it.")] = 1,
    limit: Annotated[int | None, typer.Option(help="Maximum number of rows per split.")] = None,
    preferences_from: Annotated[
        str | None, typer.Option(help="Model whose sampled answers form the pairs of config `preference`.")
    ] = None,
    samples: Annotated[int, typer.Option(min=2, help="Answers sampled from that model per maze.")] = 8,
    chat_template: ChatTemplate = None,
    thinking: Thinking = None,
    thinking_tokens: ThinkingTokens = None,
    push: Annotated[str | None, typer.Option(help="Then publish the dataset on the Hub as ORG/NAME.")] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push: make the repository public.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be built, and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Build the dataset: mazes in disjoint splits, as parquet files with a card."""
    from dataset_builder.config import load_config, quotas

    chosen = load_config(config, seed, limit)
    if dry_run:
        plan = [{**quota._asdict(), "kind": quota.kind._asdict()} for quota in quotas(chosen)]
        lines = [f"{quota.split:<12} {quota.count:>9,}  {quota}" for quota in quotas(chosen)]
        head = f"{chosen.name}, seed {chosen.seed}, into {out}:"
        print(json.dumps(plan) if as_json else printable("\n".join([head, *lines])))
        return
    from dataset_builder.build import build as build_dataset

    from ..hub import check_target, plan_push

    if push:
        check_target("dataset", push, public)  # fail on a missing login before the build, not after it
    with progress(quiet=as_json) as on_progress, resumable():
        record = build_dataset(chosen, out, workers, on_progress)
        if preferences_from:
            from ..launch import prepare_process

            chat = chat_of(chat_template, thinking, thinking_tokens)
            prepare_process()
            from dataset_builder.on_policy import replace_preferences

            record = replace_preferences(chosen, out, preferences_from, samples, on_progress, chat)
    pushed = push_plan(plan_push("dataset", out, push, public=public), as_json) if push else None
    if as_json:
        print(json.dumps({**record, **({"pushed": pushed} if push else {})}))
        return
    for name, rows in record["rows"].items():
        print(printable(f"{name:<24} {rows:>9,} rows"))
    shared = sum(record["shared_between_splits"].values())
    print(printable(f"{shared} mazes shared between splits; load_dataset({str(out)!r})"))
    if pushed:
        print(printable(pushed_lines(pushed)))


def chat_of(template: str | None, thinking: bool | None = None, thinking_tokens: int | None = None) -> "Chat":
    """How a command's options have conversations written; see `models.chat.Chat`."""
    from ..models.chat import Chat
    from ..models.templates import read_template

    return Chat(None if template is None else read_template(template), thinking, thinking_tokens)


@contextmanager
def resumable(how: str = "run the same command again to resume"):
    """Turn Ctrl-C into one line that says how to resume."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted(f"interrupted; {how}") from stop


@app.command(
    epilog="Example: ascii-maze train recipes/tiny/sft.yaml --learning_rate 2e-3",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe; `accelerate launch RECIPE` runs it on several devices.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, print the plan, and stop.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Discard the run in the output folder and train again.")
    ] = False,
) -> None:
    """Fine-tune a model by a recipe; `--key value` overrides any of its keys."""
    from ..launch import train as train_recipe

    with resumable("the same command resumes from the last checkpoint"):
        train_recipe(recipe, context.args, dry_run, overwrite)


@app.command(epilog="Example: ascii-maze merge outputs/sft --out outputs/sft-merged")
def merge(
    adapter: Annotated[str, typer.Argument(help="Folder or Hub id of an adapter.")],
    out: Annotated[Path, typer.Option(parser=named_path, metavar="<path>", help="Output folder, a whole model.")],
    dataset: Dataset = "ascii-maze",
    split: Annotated[str, typer.Option(help="Split whose mazes the two are compared on.")] = "validation",
    limit: Limit = 200,
    margin: Annotated[
        float, typer.Option(min=0, max=1, help="Largest acceptable loss in the share of valid paths, 0-1.")
    ] = 0.02,
    base: MovedBase = None,
    chat_template: ChatTemplate = None,
    as_json: Json = False,
) -> None:
    """Merge an adapter into its base; the result is saved only if it walks as well as before."""
    from ..launch import prepare_process

    chat = chat_of(chat_template)
    prepare_process()
    from ..training.merge import merge_adapter

    with progress(quiet=as_json) as on_progress:
        figures = merge_adapter(adapter, out, dataset, split, limit, margin, on_progress, base=base, chat=chat)
    if as_json:
        print(json.dumps(figures))
        return
    written = f"{out}: {100 * figures['before']:.1f} % valid before merging, {100 * figures['after']:.1f} % after"
    print(printable(written))


@app.command(
    epilog="Examples: ascii-maze evaluate tiny sft=outputs/tiny/sft --dataset ascii-maze --out outputs/evaluation; "
    "ascii-maze evaluate ORG/ascii-maze-sft@v1 --samples 16; ascii-maze evaluate gpt=answers.jsonl --split "
    "test_larger; ascii-maze evaluate tiny --stepwise window:2 --out outputs/steps"
)
def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Folders, Hub ids (ORG/NAME or ORG/NAME@REVISION), adapters, `tiny`, or files of answers made "
            "elsewhere (.jsonl, .json or .parquet with `id` or `maze`, and `completion`), each as MODEL or NAME=MODEL."
        ),
    ],
    dataset: Dataset = "ascii-maze",
    split: Annotated[list[str], typer.Option(help="Split to evaluate; repeatable.")] = ["test"],  # noqa: B006
    limit: Limit = None,
    out: Annotated[
        Path,
        typer.Option(
            parser=named_path,
            metavar="<path>",
            help="Output folder: gallery.html, results.json, predictions.parquet, report.md, figures.",
        ),
    ] = Path("outputs/evaluation"),
    samples: Annotated[
        int, typer.Option(min=1, help="Answers per maze; more than one gives pass@k and majority vote.")
    ] = 1,
    temperature: Annotated[
        float | None,
        typer.Option(min=0, help="Sampling temperature; 0 is greedy. Default: 0, or 1.0 with several samples."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Sampling seed.")] = 0,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum answer length; default: one move per open position of the map, with --stepwise 16 a turn.",
        ),
    ] = None,
    chat_template: ChatTemplate = None,
    thinking: Thinking = None,
    thinking_tokens: ThinkingTokens = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Answers generated per batch.")] = 64,
    stepwise: Annotated[
        str | None,
        typer.Option(
            help="Walk step by step and see: full, window, window:RADIUS, local or none; any but full with +goal for "
            "the distance to the goal.",
        ),
    ] = None,
    max_moves: Annotated[
        int | None, typer.Option(min=1, help="With --stepwise: moves of a walk; default: twice the open positions.")
    ] = None,
    base: MovedBase = None,
    unquantised_base: Annotated[
        bool,
        typer.Option(
            "--unquantised-base",
            help="Add a row for the base in full precision; its own row has the precision the adapters trained in.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Score the paths of models on splits of a dataset, beside baselines. Run it again to resume."""
    from ..launch import prepare_process

    named, chat = name_models(models), chat_of(chat_template, thinking, thinking_tokens)
    prepare_process()
    from ..evaluation.run import evaluate as evaluate_models

    with progress(quiet=as_json) as on_progress, resumable():
        results = evaluate_models(
            named,
            dataset,
            split,
            out,
            limit,
            batch_size,
            on_progress=on_progress,
            samples=samples,
            temperature=temperature,
            seed=seed,
            max_new_tokens=max_new_tokens,
            pages=True,
            base=base,
            unquantised_base=unquantised_base,
            chat=chat,
            stepwise=stepwise,
            max_moves=max_moves,
        )
    if as_json:
        print(json.dumps(results))
        return
    print_table(results)
    others = "results.json, predictions.parquet, report.md and figures are in the same folder"
    print(printable(f"{out / 'gallery.html'}; {others}"))


def name_models(models: list[str]) -> dict[str, str]:
    """`MODEL` or `NAME=MODEL` -> name -> model; `sweep/lr=2e-4/model` is a folder, since no name holds a `/`.

    Raises:
        UsageError: two of one name, a name that is a baseline's, or nothing on one side of `=`.
    """
    from ..mazes.baselines import BASELINES

    named: dict[str, str] = {}
    for word in models:
        name, equals, location = word.partition("=")
        if not equals or "/" in name or "\\" in name or find_reference(word):
            name, location = word, word
        if not name or not location:
            raise UsageError(f"'{word}': expected MODEL or NAME=MODEL")
        if name in named or name in BASELINES:
            raise UsageError(f"the name '{name}' is taken; give this model another: NAME={location}")
        named[name] = location
    return named


def print_table(results: "Results") -> None:
    """Print the table of results, one part per split."""
    from ..evaluation.tables import STEP_HEADER, STEPS_IN_TERMINAL, TABLE_HEADER, sample_rows, step_rows, table_rows

    rows = table_rows(results)
    print_tables(
        [(rates_of(split), cells, {"end_section": cells[1] == "shortest_path"}) for split, *cells in rows],
        TABLE_HEADER[1:],
    )
    if steps := step_rows(results):
        places = [STEP_HEADER.index(name) for name in STEPS_IN_TERMINAL]
        title = f"step by step, {results['settings']['stepwise']['observation']} in sight"
        print_tables(
            [
                (
                    f"split {row[0]}, {title}",
                    [row[place] for place in places],
                    {"end_section": row[2] == "shortest_path"},
                )
                for row in steps
            ],
            STEPS_IN_TERMINAL,
        )
    if sampled := sample_rows(results):
        decoding = results["settings"]["decoding"]
        print_tables([(decoding, cells, {}) for cells in sampled[1:]], sampled[0])


def rates_of(split: str) -> str:
    """The title of the table of a split."""
    return f"split {split}, rates in per cent"


@app.command(
    epilog="Examples: ascii-maze prompts ascii-maze --model Qwen/Qwen3-0.6B --out prompts.jsonl; "
    "ascii-maze prompts ascii-maze --messages --out messages.jsonl, then ascii-maze evaluate api=answers.jsonl"
)
def prompts(
    dataset: Annotated[str, typer.Argument(help="Folder that `build` made, or Hub id.")],
    out: Annotated[Path, typer.Option(parser=named_path, metavar="<path>", help="File to write, of JSON lines.")],
    model: Annotated[str | None, typer.Option(help="Model that is to read them: folder, Hub id, adapter.")] = None,
    messages: Annotated[
        bool, typer.Option("--messages", help="Write chat messages, as APIs take them, in place of rendered text.")
    ] = False,
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "test",
    limit: Limit = None,
    chat_template: ChatTemplate = None,
    thinking: Thinking = None,
    thinking_tokens: ThinkingTokens = None,
    as_json: Json = False,
) -> None:
    """Write what a model would read, to have it answered elsewhere; `evaluate NAME=FILE` scores the answers."""
    if messages == (model is not None):
        raise UsageError("give --model, whose tokenizer renders the prompts, or --messages")
    from ..evaluation.prompts import write_prompts

    written = write_prompts(dataset, split, limit, out, model, chat_of(chat_template, thinking, thinking_tokens))
    if as_json:
        print(json.dumps(written))
        return
    ends = f"; an answer ends with {' or '.join(written['ends'])}" if written["ends"] else ""
    room = f", after at most {written['max_new_tokens']:,} tokens" if written["max_new_tokens"] else ""
    print(printable(f"{out}: {written['prompts']:,} prompts{ends}{room}"))
    print(printable(f"add a 'completion' to each line, then: ascii-maze evaluate NAME={out} --split {split}"))


@app.command(
    epilog="Examples: ascii-maze tokens HuggingFaceTB/SmolLM2-135M-Instruct; "
    "ascii-maze tokens Qwen/Qwen3-0.6B --dataset ascii-maze; ascii-maze tokens gpt2 --chat-template plain"
)
def tokens(
    model: Annotated[str, typer.Argument(help="Folder, Hub id, adapter, GGUF file or `tiny`.")],
    dataset: Annotated[str | None, typer.Option(help="Dataset whose first maze is looked at.")] = None,
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "test",
    maze: Annotated[
        Path | None,
        typer.Option(
            parser=named_path, metavar="<path>", help="Text file with a maze to look at; default: one of 4x4."
        ),
    ] = None,
    chat_template: ChatTemplate = None,
    thinking: Thinking = None,
    as_json: Json = False,
) -> None:
    """Show how a model's tokenizer cuts a maze, what its chat template adds, and whether an answer comes back."""
    if dataset and maze:
        raise UsageError("give --dataset or --maze, and not both")
    chat = chat_of(chat_template, thinking)
    from ..launch import prepare_process

    prepare_process()
    from ..tokens.facts import look_at

    facts = look_at(model, chat, dataset, split, maze)
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
        return
    from ..tokens.view import show as show_tokens

    show_tokens(facts)


@app.command(
    epilog="Example: ascii-maze mri --base tiny --adapter sft=outputs/tiny/sft --adapter orpo=outputs/tiny/orpo "
    "--dataset ascii-maze --split test --out mri"
)
def mri(
    adapter: Annotated[
        list[str], typer.Option(help="NAME=FOLDER or NAME=HUB_ID of a fine-tune of the base; repeatable.")
    ] = [],  # noqa: B006
    base: Annotated[str, typer.Option(help="Folder, Hub id or `tiny`, as the adapters were trained on it.")] = "tiny",
    dataset: Dataset = "ascii-maze",
    split: Annotated[str, typer.Option(help="Split whose mazes every model reads.")] = "test",
    limit: Limit = 1_000,
    out: Annotated[
        Path,
        typer.Option(
            parser=named_path, metavar="<path>", help="Output folder: report.html, figures, tables, mri.json."
        ),
    ] = Path("mri"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    chat_template: ChatTemplate = None,
    as_json: Json = False,
) -> None:
    """Show what fine-tuning changed inside the model: base against each fine-tune, layer by layer."""
    from ..launch import prepare_process

    named, chat = name_models(adapter), chat_of(chat_template)
    with resumable("run the same command again; a report starts from the beginning"):
        prepare_process()
        from ..mri.run import write_report

        with progress(quiet=as_json) as on_progress:
            results = write_report(base, named, dataset, split, out, limit, seed, on_progress, chat)
    if as_json:
        print(printable((out / "mri.json").read_text(encoding="utf-8")))
        return
    for name in results["models"][1:]:
        drift = results["drift"][name]
        drifts = f"layer {drift.index(max(drift))} drifts most, {max(drift):.2f} of the base's norm"
        print(printable(f"{name}: {drifts}"))
    for section, reason in results["missing"].items():
        print(printable(f"not in the report: {section}: {reason}"))
    print(printable(f"{out / 'report.html'}; figures, tables and mri.json are in the same folder"))


@app.command(
    epilog="Examples: ascii-maze study --dry-run; ascii-maze study my.yaml --out outputs/my; "
    "ascii-maze study my.yaml --out outputs/my --stage train-dpo"
)
def study(
    file: Annotated[
        Path | None, typer.Argument(parser=named_path, help="Study file; default: the demo on the embedded model.")
    ] = None,
    out: Annotated[Path, typer.Option(parser=named_path, metavar="<path>", help="Output folder.")] = Path(
        "outputs/demo"
    ),
    workers: Annotated[int, typer.Option(help="Number of processes that build the dataset.")] = 2,
    stage: Annotated[str | None, typer.Option(help="Run only this stage, as from a cluster's scheduler.")] = None,
    allow_launcher: Annotated[
        bool,
        typer.Option(
            "--allow-launcher", help="Allow any program as the study's `launcher`; its commands are printed first."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the stages as shell commands, and stop.")] = False,
    power: Annotated[
        bool, typer.Option("--plan-power", help="Print how many seeds and mazes show which effect, and stop.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the whole experiment: dataset, every method, evaluation, MRI, one report.

    Finished stages are kept while nothing they depend on changes. Run it again to resume.
    """
    from ..launch import silence_libraries
    from ..study.plan import check_recipes, plan
    from ..study.settings import load_study
    from ..study.view import plan_lines

    chosen = load_study(file)
    if power:
        from ..study.power import plan_power, power_lines

        foreseen = plan_power(chosen, out)
        print(json.dumps(foreseen) if as_json else printable("\n".join(power_lines(foreseen))))
        return
    stages = plan(chosen, out, workers, allow_launcher)
    silence_libraries()
    with waiting("checking the recipes"):
        check_recipes(chosen)
    everything = {one.name for one in stages}
    if dry_run:
        commands = {one.name: one.shell(everything) for one in stages}
        print(json.dumps(commands) if as_json else printable("\n".join(plan_lines(stages))))
        return
    if allow_launcher and chosen.launcher:
        for one in stages:
            if one.launcher:
                print(printable(f"{one.name} runs: {one.shell(everything)}"), file=sys.stderr)
    from ..study.report import write_report
    from ..study.results import gather
    from ..study.runner import run_stages
    from ..study.view import live_view

    with resumable(), live_view() as on_progress:
        progress = run_stages(stages, out, stage, on_progress)
    results = gather(chosen, progress, out)
    write_report(results, chosen, out)
    failed = [mine.stage.name for mine in progress if mine.state == "failed"]
    if as_json:
        print(json.dumps(results))
    else:
        print_study(results, out)
    if failed:
        logs = ", ".join(str(out / "stages" / f"{name}.log") for name in failed)
        raise AsciiMazeError(f"{', '.join(failed)} failed; the other stages are kept. For the errors see {logs}")


def print_study(results: "StudyResults", out: Path) -> None:
    """Print the table of a study, one part per split, and where its files are."""
    from ..study.report import HEADER, table_of

    shown = [HEADER.index(name) for name in ("model", "shortest", "95 %", "valid", "against its start", "time")]
    print_tables(
        [
            (
                rates_of(row["split"]),
                [row["cells"][place] for place in shown],
                {"style": "dim" if row["baseline"] else None},
            )
            for row in table_of(results)
        ],
        [HEADER[place] for place in shown],
    )
    for sentence in results["findings"]:
        print(printable(sentence))
    written = f"report: {out / 'report.html'}; as text: {out / 'report.md'}; as data: {out / 'results.json'}"
    print(printable(written))


@app.command(
    epilog="Examples: ascii-maze show ascii-maze --split test --n 8; ascii-maze show maze.txt --answer 'R R D D'; "
    "ascii-maze show predictions.parquet --html mazes.html"
)
def show(
    source: Annotated[
        str,
        typer.Argument(help="Dataset (folder or Hub id), predictions.parquet, text file with a maze, or - for stdin."),
    ] = "ascii-maze",
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "train",
    n: Annotated[int, typer.Option("--n", min=1, help="Number of mazes.")] = 4,
    answer: Annotated[
        str | None, typer.Option(help="Path to draw through the maze of a file; default: its solution.")
    ] = None,
    marks: Marks = None,
    style: Annotated[str, typer.Option(help="Maze style of the file; auto tells it by its text.")] = "auto",
    html: Annotated[
        Path | None,
        typer.Option(parser=named_path, metavar="<path>", help="Write the drawings to an HTML page instead."),
    ] = None,
) -> None:
    """Draw mazes with paths through them, in the terminal or on a page."""
    from ..evaluation import show as shown

    groups = shown.find_drawings(source, split, n, answer, marks or [], style)
    if html:
        shown.write_page(html, f"Mazes of {source}", [drawing for group in groups for drawing in group])
        print(printable(f"{html}: {sum(map(len, groups))} mazes"))
        return
    for group in groups:
        shown.draw(group)


@app.command(
    epilog="Examples: ascii-maze convert maze.txt --to cells; ascii-maze convert - --style maze_dataset --to hash; "
    "ascii-maze convert map.txt --marks 'E=G,*=S' --to boxes --out boxes.txt"
)
def convert(
    source: Annotated[str, typer.Argument(help="Text file with a maze, or - for stdin.")],
    to: Annotated[
        str,
        typer.Option(
            help="hash, dots, blocks, spaced, indexed, cells, adjacency, adjacency_shuffled, boxes or lines."
        ),
    ],
    style: Annotated[
        str, typer.Option(help="Style of the file: one of those, maze_dataset, or auto to tell by its text.")
    ] = "auto",
    marks: Marks = None,
    out: Annotated[
        Path | None, typer.Option(parser=named_path, metavar="<path>", help="File to write; default: print it.")
    ] = None,
) -> None:
    """Write the maze of a file in another style."""
    from ..mazes.convert import convert as convert_maze
    from ..mazes.convert import parse_marks

    text = convert_maze(source, to, style, parse_marks(marks or []))
    if out is None:
        print(printable(text))
    else:
        from ..files import write_text

        write_text(out, text + "\n")


@app.command(
    epilog="Examples: ascii-maze push dataset ascii-maze --repo ORG/ascii-maze; "
    "ascii-maze push adapter outputs/sft --repo ORG/ascii-maze-sft --results outputs/evaluation; "
    "ascii-maze push environment --repo ORG/ascii-maze-env"
)
def push(
    kind: Annotated[str, typer.Argument(help="dataset, adapter, model, metric, environment or report.")],
    repo: Annotated[str, typer.Option(help="Repository, ORG/NAME; created if missing.")],
    path: Annotated[
        Path | None,
        typer.Argument(
            parser=named_path, help="Folder that a command has written; an environment's is part of the package."
        ),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Make the repository public; default: private.")] = False,
    revision: Annotated[str, typer.Option(help="Branch; created if missing.")] = "main",
    tag: Annotated[str | None, typer.Option(help="Tag for the commit, as for a release.")] = None,
    base_model: Annotated[
        str | None, typer.Option(help="Hub id of an adapter's base that was local in training.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Hub id of an adapter's dataset that was local in training.")
    ] = None,
    license: Annotated[str | None, typer.Option(help="License of an adapter; default: that of its base.")] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            parser=named_path,
            metavar="<path>",
            help="Output folder of `evaluate` or `mri`, for an adapter's card; default: those beside it. Repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent, and stop; needs no network.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish a folder on the Hub in one atomic commit; files that are there already are not sent again."""
    from ..hub import plan_push, shipped_folder

    plan = plan_push(
        kind,
        path or shipped_folder(kind),
        repo,
        public=public,
        revision=revision,
        tag=tag,
        base_model=base_model,
        dataset=dataset,
        license=license,
        results=results or [],
    )
    if dry_run:
        print(json.dumps(plan.to_dict()) if as_json else printable(plan.to_text()))
        return
    pushed = push_plan(plan, as_json)
    print(json.dumps(pushed) if as_json else printable(pushed_lines(pushed)))


def push_plan(plan, quiet: bool) -> dict:
    """Carry out a plan of `ascii_maze.hub.plan_push`, with a progress bar; returns plan and outcome as JSON values."""
    from dataclasses import asdict

    from ..hub import push

    with progress(quiet) as on_progress:
        return {**plan.to_dict(), **asdict(push(plan, on_progress=on_progress))}


def pushed_lines(pushed: dict) -> str:
    """The outcome of a push as text."""
    done = f"{len(pushed['sent'])} files sent, {len(pushed['deleted'])} deleted"
    changed = pushed["sent"] or pushed["deleted"]
    visibility = "private" if pushed["private"] else "public"
    return (
        f"{done if changed else 'the repository is up to date; no commit made'}\n"
        f"{pushed['url']} ({visibility}), commit {pushed['commit']}"
    )


@app.command(epilog="Example: ascii-maze doctor")
def doctor(as_json: Json = False) -> None:
    """Check Python, packages, GPU, Hub login and disk, and print the command that fixes what does not work."""
    from rich.console import Console

    from ..doctor import examine, in_order, to_table

    with Console(stderr=True).status("testing a 4-bit layer in a new process") as status:
        checks = examine()
        status.stop()
    if as_json:
        print(json.dumps({"in_order": in_order(checks), "checks": [check._asdict() for check in checks]}))
    else:
        Console().print(to_table(checks))
        for check in checks:
            if check.fix:
                print(printable(f"{check.name}: {check.fix}"))
    if not in_order(checks):
        raise AsciiMazeError(
            f"{', '.join(check.name for check in checks if check.required and check.state != 'ok')} must be fixed "
            "before anything runs"
        )
