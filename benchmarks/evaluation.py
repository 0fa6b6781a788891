"""Cost of an evaluation: time against a loop of `model.generate` over single prompts, and memory over many mazes.

    python benchmarks/evaluation.py speed --mazes 64 --model tiny
    python benchmarks/evaluation.py memory --mazes 2000 --mazes 20000
    python benchmarks/evaluation.py turns --mazes 32 --model tiny

`speed`: greedy decoding, one thread per core. Exits with an error unless all ways give the same completions.
`memory`: peak memory of one process that scores the baselines and a file of predictions, for each number of mazes.
Pages of mapped files, which the system can evict at any time, are reported separately (Linux).
`turns`: CPU time of one thread for step-by-step rollouts, where each turn follows the preceding turns of a depth-first
explorer. Processing only the new tokens must give the same completions as processing the whole conversation.
"""

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import torch

from ascii_maze import generate_mazes
from ascii_maze.environment.demonstrations import demonstrate
from ascii_maze.environment.observations import Observation
from ascii_maze.models import generation
from ascii_maze.models.generation import GREEDY, complete, conversing, generate
from ascii_maze.models.loading import load_model
from dataset_builder.build import build
from dataset_builder.config import BuildConfig
from dataset_builder.load import load_mazes

MEASURED = """
import resource, sys, threading
from pathlib import Path
from ascii_maze.evaluation.run import evaluate
dataset, predictions, out = sys.argv[1:]
own = [0]
done = threading.Event()
def watch():
    while not done.wait(0.01):
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
        own[0] = max(own[0], int(line.split()[1]))
watcher = threading.Thread(target=watch)
watcher.start()
evaluate({"made": predictions}, dataset, ["test"], Path(out))
done.set()
watcher.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, own[0])
"""


def make_dataset(folder: Path, count: int) -> Path:
    """Build 5x5 depth-first mazes, `count` of them in `test`."""
    splits = {"train": 64, "validation": 64, "test": count}
    config = BuildConfig(name="many", sizes={"5x5": 1}, generators={"depth_first": 1}, splits=splits)
    build(config, folder)
    return folder


def one_by_one(model, tokenizer, prompts: list, max_new_tokens: int) -> list[str]:
    """The naive loop: one prompt at a time."""
    answers = []
    for prompt in prompts:
        text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False)
        with torch.inference_mode():
            output = model.generate(
                **inputs, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=tokenizer.pad_token_id
            )
        answers.append(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return answers


def read_whole(model, tokenizer, prompts: list, max_new_tokens: int) -> list[str]:
    """`generate` without shared prefixes."""
    shared = generation.sharing
    generation.sharing = lambda model, rows, copies: nullcontext()
    try:
        return generate(model, tokenizer, prompts, max_new_tokens)
    finally:
        generation.sharing = shared


def measure_speed(name: str, count: int, rounds: int, loop: bool) -> None:
    """Print a table of medians over alternating rounds, with the naive loop or without."""
    model, tokenizer = load_model(name)
    with tempfile.TemporaryDirectory() as folder:
        prompts = [row["prompt"] for row in load_mazes(str(make_dataset(Path(folder) / "data", count)), "test", count)]
    ways = {
        "loop of model.generate": lambda: one_by_one(model, tokenizer, prompts, 64),
        "evaluate, without a shared prefix": lambda: read_whole(model, tokenizer, prompts, 64),
        "evaluate": lambda: generate(model, tokenizer, prompts, 64),
    }
    if not loop:
        del ways["loop of model.generate"]
    seconds: dict[str, list[float]] = {what: [] for what in ways}
    for _ in range(rounds):
        answers = []
        for what, way in ways.items():
            began = time.perf_counter()
            answers.append(way())
            seconds[what].append(time.perf_counter() - began)
        if any(of != answers[0] for of in answers):
            sys.exit("the completions differ")
    times = {what: statistics.median(of) for what, of in seconds.items()}
    first = next(iter(times.values()))
    print("| what | s | mazes/s | speedup |\n|---|---|---|---|")
    for what, time_taken in times.items():
        print(f"| {what} | {time_taken:.2f} | {count / time_taken:.1f} | {first / time_taken:.1f} |")
    print(f"\n{count} mazes, {torch.get_num_threads()} threads; the same completions in every round")


def measure_memory(counts: list[int]) -> None:
    """Print a table of peak memory."""
    print("| mazes | peak, MB | relative to the first | with mapped files, MB |\n|---|---|---|---|")
    first = None
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            dataset = make_dataset(folder / "data", count)
            rows = load_mazes(str(dataset), "test", None)
            with (folder / "made.jsonl").open("w") as file:
                file.writelines(json.dumps({"id": row["id"], "completion": row["solution"]}) + "\n" for row in rows)
            words = [sys.executable, "-c", MEASURED, dataset, folder / "made.jsonl", folder / "out"]
            done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
            resident, own = (int(kilobytes) / 1024 for kilobytes in done.stdout.split()[-2:])
            first = first or own
            print(f"| {len(rows):,} | {own:.0f} | {own / first:.2f} | {resident:.0f} |", flush=True)


def measure_turns(name: str, count: int) -> None:
    """Print the CPU time of step-by-step rollouts, with and without the cache of earlier turns."""
    torch.set_num_threads(1)
    model, tokenizer = load_model(name)
    mazes, seen = generate_mazes("depth_first", 5, 5, count, 0), Observation.parse("window:2")
    walks = [demonstrate(maze, seen, "depth_first", random.Random(0)) for maze in mazes]
    ways = {
        "new tokens only": conversing(model, tokenizer),
        "the whole conversation": lambda names, *asked: [one for (one,) in complete(model, tokenizer, *asked)],
    }
    answers: dict[str, list[str]] = {way: [] for way in ways}
    print("| each turn processes | turns | CPU s |\n|---|---|---|")
    for way, ask in ways.items():
        began = time.process_time()
        for turn in range(max(len(walk.completion) for walk in walks) // 2 + 1):
            live = [number for number, walk in enumerate(walks) if len(walk.completion) > 2 * turn]
            talks = [[*walks[number].prompt, *walks[number].completion[: 2 * turn]] for number in live]
            answers[way] += ask(live, talks, 6, GREEDY)
        print(f"| {way} | {len(answers[way])} | {time.process_time() - began:.1f} |")
    if len({tuple(said) for said in answers.values()}) > 1:
        sys.exit("the completions differ")


def main() -> None:
    """Print the requested measurement as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "memory", "turns"])
    parser.add_argument("--mazes", type=int, action="append")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--no-loop", action="store_true", help="leave out the loop, which takes minutes on a real model"
    )
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}\n")
    if options.what == "speed":
        measure_speed(options.model, (options.mazes or [64])[0], options.rounds, not options.no_loop)
    elif options.what == "turns":
        measure_turns(options.model, (options.mazes or [32])[0])
    else:
        measure_memory(options.mazes or [2000, 20_000])


if __name__ == "__main__":
    main()
