"""The cards of what is released, from `released.json`: of each method, and the tables in those of base and metric.

    make cards                        # generates them; a test compares them with what this would write
    make cards STUDY=outputs/paper    # first reads the first seed of a study of recipes/tiny/paper.yaml

`released.json` is what was measured, nothing of it by hand: each run's recipe and metrics, the rates of all models on
the same mazes, and a few walks. The cards name the organisation as ORG, like all examples here.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ascii_maze.evaluation.tables import TABLE_HEADER, table_rows
from ascii_maze.files import write_text
from ascii_maze.hub.adapter import publishable_run, with_figures
from ascii_maze.hub.cards import render_card
from ascii_maze.hub.evidence import Evidence, Example, about, pick_walks
from ascii_maze.mazes.baselines import BASELINES
from ascii_maze.recipe import load_recipe
from ascii_maze.recipe.methods import METHODS
from ascii_maze.recipe.run_metrics import read_metrics
from dataset_builder.schema import read_record

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FACTS = HERE / "released.json"
TINY, METRIC = ROOT / "ascii_maze" / "tiny", ROOT / "ascii_maze" / "metrics" / "path_validity"
BASE, DATASET = "ORG/ascii-maze-tiny", "ORG/ascii-maze-demo"
# What a run of the study sets beside its recipe, or finds on its machine.
OF_THE_RUN = (
    *("seed", "dataset_name", "output_dir", "adapter_name_or_path", "reward_model_name_or_path", "report_to"),
    *("eval_steps", "eval_limit", "eval_on_start"),
)
RATES = ("n", "valid", "valid_ci", "optimal", "legal", "reaches_goal", "parsed")
LOGGED = ("step", "loss", "reward", "rewards/validity/mean")


def measure(study: Path) -> dict:
    """The content of released.json, from the folder of a study of several seeds: its dataset and its first seed."""
    runs = study / "seed-0"
    results = json.loads((runs / "evaluation" / "results.json").read_bytes())
    methods = {}
    for name in METHODS:
        values = {"method": name, **load_recipe(runs / name / "recipe.yaml").values}
        metrics = read_metrics(runs / name)
        shown = ({key: line[key] for key in line if _is_shown(key)} for line in metrics["history"])
        metrics["history"] = [line for line in shown if len(line) > 1]
        solved, failed = pick_walks(runs / "evaluation" / "predictions.parquet", name)
        walks = {"solved": [asdict(walk) for walk in solved], "failed": [asdict(walk) for walk in failed]}
        published, metrics = publishable_run(values, metrics, BASE, DATASET)
        methods[name] = {"recipe": published, "metrics": metrics, **walks}
    measured = results["models"]
    models = {name: measured[name] for name in ("base", *METHODS, *BASELINES) if name in measured}
    return {
        "weights_sha256": hashlib.sha256((TINY / "model.safetensors").read_bytes()).hexdigest(),
        "dataset": read_record(study / "dataset")["versions"],
        "decoding": results["settings"]["decoding"],
        "dataset_sha256": results["settings"]["dataset_sha256"],
        "system_prompt": results["settings"]["system_prompt"],
        "models": {name: {"test": _rates(of["test"])} for name, of in models.items()},
        "paired": [test for test in results["paired"] if "base" in (test["a"], test["b"]) and test["split"] == "test"],
        "methods": methods,
    }


def _is_shown(key: str) -> bool:
    return key in LOGGED or (key.startswith("eval_") and not key.startswith(("eval_runtime", "eval_s", "eval_step")))


def _rates(summary: dict) -> dict:
    kept = {key: summary[key] for key in RATES}
    sizes = {size: {key: cell[key] for key in RATES} for size, cell in summary["by_size"].items()}
    return {**kept, "by_size": sizes}


def render(facts: dict) -> Iterator[tuple[Path, str]]:
    """Every card with its text, those of the dataset aside, which a build writes; see `render_dataset`."""
    for name, method in facts["methods"].items():
        yield HERE / name / "README.md", render_method(facts, name, method)
    base = {"tiny": facts["models"]["base"], "tiny + sft": facts["models"]["sft"]}
    yield TINY / "README.md", with_table(TINY / "README.md", table(base))
    called = {"base": "tiny", **{name: f"tiny + {name}" for name in METHODS}}
    on_test = {called.get(name, name): {"test": of["test"]} for name, of in facts["models"].items()}
    yield METRIC / "README.md", with_table(METRIC / "README.md", table(on_test, sizes=False))


def render_method(facts: dict, name: str, method: dict) -> str:
    """The card of a method's adapter, as a push writes it."""
    repo = f"ORG/ascii-maze-tiny-{name}"
    evidence = Evidence(name)
    if name in facts["models"]:
        settings = {"dataset": DATASET, "limit": None, "models": {"base": BASE}}
        settings |= {key: facts[key] for key in ("decoding", "dataset_sha256", "system_prompt")}
        on_test = {model: {"test": of["test"]} for model, of in facts["models"].items()}
        results = about({"models": on_test, "paired": facts["paired"], "settings": settings}, name, BASE)
        solved, failed = ([Example(**walk) for walk in method[kind]] for kind in ("solved", "failed"))
        evidence = Evidence(name, results, solved, failed)
    text = render_card(method["recipe"], method["metrics"], repo, "apache-2.0", evidence)
    return with_figures(text, BASE, "apache-2.0", evidence, repo)[0]


def table(models: dict, sizes: bool = True) -> str:
    """The table of results in Markdown, with a row for each size or for all of them alone."""
    rows = [row for row in table_rows({"models": models}) if sizes or row[1] == "all"]
    lines = [TABLE_HEADER, ["---"] * len(TABLE_HEADER), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def with_table(card: Path, rows: str) -> str:
    """The text of a card, with the table between its two marks replaced."""
    text, begin, end = card.read_text(encoding="utf-8"), "<!-- measured: make cards -->\n\n", "\n\n<!-- end of it -->"
    start, stop = text.index(begin) + len(begin), text.index(end)
    return text[:start] + rows + text[stop:]


def render_dataset(facts: dict, folder: Path) -> str:
    """The card of the demo's dataset, rebuilt in a folder, with the versions of the first build."""
    from dataset_builder.build import build
    from dataset_builder.card import render_card as render
    from dataset_builder.config import load_config

    config = load_config("demo")
    record = {**build(config, folder), "versions": facts["dataset"]}
    return render(config, record, folder.joinpath).replace(
        f'load_dataset("{config.name}"', f'load_dataset("{DATASET}"'
    )


def stale(facts: dict) -> Iterator[str]:
    """What has changed since the measurement, so that it has to be repeated."""
    if hashlib.sha256((TINY / "model.safetensors").read_bytes()).hexdigest() != facts["weights_sha256"]:
        yield "the weights of the embedded model"
    for name, method in facts["methods"].items():
        now = {"method": name, **load_recipe(ROOT / "recipes" / "tiny" / f"{name}.yaml").values}
        then = {**method["recipe"], "model_name_or_path": now["model_name_or_path"]}
        changed = [key for key in {*now, *then} - {*OF_THE_RUN} if now.get(key) != then.get(key)]
        if changed:
            yield f"recipes/tiny/{name}.yaml: {', '.join(sorted(changed))}"


def main() -> None:
    """Measure if asked to, then write every card."""
    from ascii_maze.training.outcome import draw_curves

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, help="read again, from the study in this folder")
    arguments = parser.parse_args()
    if arguments.study:
        write_text(FACTS, json.dumps(measure(arguments.study), indent=1, ensure_ascii=False) + "\n")
    facts = json.loads(FACTS.read_bytes())
    for path, text in render(facts):
        write_text(path, text)
        print(path.relative_to(ROOT))
    for name, method in facts["methods"].items():
        draw_curves(HERE / name / "learning_curve.png", method["metrics"]["history"])
    with tempfile.TemporaryDirectory() as folder:
        write_text(HERE / "dataset" / "README.md", render_dataset(facts, Path(folder) / "ascii-maze"))
        write_text(HERE / "dataset" / "samples.svg", (Path(folder) / "ascii-maze" / "samples.svg").read_text())
    print("model_cards/dataset/README.md")


if __name__ == "__main__":
    main()
