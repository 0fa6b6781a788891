"""Cost of the MRI report: its extraction against llm-mri's, and the whole report.

    python benchmarks/mri.py extraction --prompts 3500 --rounds 3
    python benchmarks/mri.py report --mazes 1000 --adapter sft=outputs/tiny/sft --adapter orpo=outputs/tiny/orpo
    python benchmarks/mri.py report --mazes 100 --base HuggingFaceTB/SmolLM2-135M-Instruct --random 5

`extraction`: the embedded model processes the same prompts in float32. llm-mri keeps the first token of each; ours
keeps the last token of the prompt (`last_prompt`) and, in a third row, every named position of prompt and answer. Each
measurement runs in its own process. Seconds cover the extraction, including loading the model and tokenising the
prompts; the peak is that of the whole process. `--sizes` sets the lengths of the prompts and how much they differ:
llm-mri pads all of them to the longest.
`report`: `ascii-maze mri` from start to end, in its own process, on 4x4 and 5x5 depth-first mazes; seconds and CPU
seconds of every stage, and the peak. `--random` puts that many LoRAs of rank 8 with random weights on the 4-bit base,
to measure a report without any training.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from dataset_builder.build import build
from dataset_builder.config import BuildConfig

# The last line that a process prints: seconds, and its peak memory in kB.
FIGURES = """
import json, resource
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""
PROMPTS = """
import sys, tempfile, time
from pathlib import Path
from ascii_maze.launch import prepare_process
prepare_process()
from dataset_builder.load import load_mazes
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.models.sources import resolve_model
rows = load_mazes(sys.argv[1], "test", None)
path = str(resolve_model("tiny"))
"""
THEIRS = """
from datasets import ClassLabel, Dataset
from llm_mri import ActivationAreas
tokenizer = load_tokenizer("tiny")
texts = [tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True) for row in rows]
dataset = Dataset.from_dict({"text": texts, "label": [index % 2 for index in range(len(texts))]})
dataset = dataset.cast_column("label", ClassLabel(names=["even", "odd"]))
begun = time.perf_counter()
areas = ActivationAreas(path, dataset, None)
areas.dataset = areas._initialize_dataset()
areas.hidden_states_dataset = areas.dataset.map(areas._extract_all_hidden_states, batched=True)
seconds = time.perf_counter() - begun
"""
OURS = """
from transformers import AutoModelForCausalLM
from ascii_maze.mri.activations import extract
from ascii_maze.mri.models import as_models
from ascii_maze.mri.positions import locate_walks
begun = time.perf_counter()
tokenizer = load_tokenizer("tiny")
walks = locate_walks(rows, tokenizer, seed=0)
model = AutoModelForCausalLM.from_pretrained(path).eval()
with tempfile.TemporaryDirectory() as folder:
    extract(as_models(model, tokenizer, []), walks, Path(folder){positions})
seconds = time.perf_counter() - begun
"""
ADAPTERS = """
import json, sys
from pathlib import Path
import torch
from peft import LoraConfig, get_peft_model
from trl import ModelConfig
from ascii_maze.models.loading import load_base
from ascii_maze.models.sources import settle_name
base, count, folder = settle_name(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
torch.manual_seed(0)
lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
model = get_peft_model(load_base(ModelConfig(model_name_or_path=base, dtype="float32")), lora)
model.peft_config["default"].base_model_name_or_path = base
recipe = {"method": "sft", "model_name_or_path": base, "dtype": "float32", "load_in_4bit": True, "use_peft": True}
for number in range(count):
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data.normal_(std=0.01)
    model.save_pretrained(folder / f"random-{number}", save_embedding_layers=False)
    (folder / f"random-{number}" / "recipe.yaml").write_text(json.dumps(recipe))
"""
REPORT = """
import json, resource, sys, time
from pathlib import Path
from ascii_maze.launch import prepare_process
prepare_process()
from ascii_maze.mri.options import Options
from ascii_maze.mri.run import write_report
base, adapters, dataset, limit, out = json.loads(sys.argv[1])
last, stages = [time.perf_counter(), time.process_time(), 0], {}
def on_progress(what, done, total):
    now = [time.perf_counter(), time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9]
    stages[what] = [one + after - before for one, after, before in zip(stages.get(what, [0, 0, 0]), now, last)]
    last[:] = now
    print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)
write_report(base, adapters, dataset, "test", Path(out), Options(limit=limit), on_progress)
print(json.dumps([stages, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""
WAYS = {
    "llm-mri": THEIRS,
    "ours, one position": OURS.format(positions=', positions=["last_prompt"]'),
    "ours, all positions": OURS.format(positions=""),
}


def make_dataset(folder: Path, count: int, sizes: list[str]) -> Path:
    """Build depth-first mazes, `count` of them in `test`."""
    splits = {"train": 64, "validation": 64, "test": count}
    config = BuildConfig(name="mri", sizes=dict.fromkeys(sizes, 1), generators={"depth_first": 1}, splits=splits)
    build(config, folder)
    return folder


def measure_extraction(prompts: int, rounds: int, sizes: list[str]) -> None:
    """Print a table of medians over alternating rounds."""
    found: dict[str, list] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        data = make_dataset(Path(folder) / "data", prompts, sizes)
        for _ in range(rounds):
            for way, program in WAYS.items():
                command = [sys.executable, "-c", PROMPTS + program + FIGURES, str(data)]
                # A new cache, or llm-mri would read back the Arrow files of the round before.
                with tempfile.TemporaryDirectory() as cache:
                    environment = {"HF_DATASETS_CACHE": cache, "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
                    done = subprocess.run(
                        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
                    )
                found[way].append(json.loads(done.stdout.splitlines()[-1]))
                print(f"{way}: {found[way][-1][0]:.1f} s, {found[way][-1][1] / 1e3:,.0f} MB", file=sys.stderr)
    medians = {way: [statistics.median(column) for column in zip(*figures)] for way, figures in found.items()}
    print(f"{prompts} prompts of {', '.join(sizes)}; medians of {rounds}\n")
    print("| | seconds | prompts/s | speedup | peak, MB | relative to llm-mri |\n|---|---|---|---|---|---|")
    slow, large = medians["llm-mri"]
    for way, (seconds, peak) in medians.items():
        speed = f"{seconds:.1f} | {prompts / seconds:,.0f} | {slow / seconds:.2f}"
        print(f"| {way} | {speed} | {peak * 1024 / 1e6:,.0f} | {peak / large:.2f} |")


def measure_report(mazes: int, base: str, adapters: dict[str, str], random: int) -> None:
    """Print a table of the time of each stage of the report.

    Args:
        random: number of additional adapters with random weights.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = make_dataset(Path(folder) / "data", mazes, ["4x4", "5x5"])
        if random:
            subprocess.run([sys.executable, "-c", ADAPTERS, base, str(random), folder], check=True)
            adapters = {**adapters, **{f"random-{n}": f"{folder}/random-{n}" for n in range(random)}}
        what = [base, adapters, str(data), mazes, f"{folder}/mri"]
        command = [sys.executable, "-c", REPORT, json.dumps(what)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    stages, peak = json.loads(done.stdout.splitlines()[-1])
    of_models = [stages.pop(name) for name in ("base", *adapters)]
    rows = {"extraction, with loading": [sum(column) for column in zip(*of_models)], **stages}
    print("| stage | seconds | CPU seconds | raises the peak by, GB |\n|---|---|---|---|")
    for name, (seconds, busy, more) in {**rows, "total": [sum(column) for column in zip(*rows.values())]}.items():
        print(f"| {name} | {seconds:.0f} | {busy:.0f} | {more:.1f} |")
    print(f"\n{base} and {len(adapters)} adapters on {mazes} mazes; peak {peak * 1024 / 1e9:.1f} GB")


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    extraction = commands.add_parser("extraction")
    extraction.add_argument("--prompts", type=int, default=3_500)
    extraction.add_argument("--rounds", type=int, default=3)
    extraction.add_argument("--sizes", nargs="+", default=["4x4", "5x5"])
    report = commands.add_parser("report")
    report.add_argument("--mazes", type=int, default=1_000)
    report.add_argument("--base", default="tiny")
    report.add_argument("--adapter", action="append", default=[], metavar="NAME=FOLDER")
    report.add_argument("--random", type=int, default=0, help="adapters with random weights")
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores", file=sys.stderr)
    if arguments.command == "extraction":
        measure_extraction(arguments.prompts, arguments.rounds, arguments.sizes)
    else:
        named = dict(word.split("=", 1) for word in arguments.adapter)
        measure_report(arguments.mazes, arguments.base, named, arguments.random)


if __name__ == "__main__":
    main()
