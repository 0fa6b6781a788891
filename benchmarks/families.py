"""Every text chat template that TRL ships: a small random model memorises 24 mazes with it and is then evaluated.

    python benchmarks/families.py                  # adds missing rows to benchmarks/FAMILIES.md
    python benchmarks/families.py qwen3 gemma      # measures these again

Errors on memorised mazes mean that training and evaluation render the template differently. The page also lists what
the unmodified template would do to our conversations. Rows are written as they are measured, and an interrupted run
resumes with the missing ones.
"""

import argparse
import platform
import re
import shutil
import sys
import tempfile
import time
from itertools import takewhile
from pathlib import Path

from ascii_maze.errors import AsciiMazeError
from ascii_maze.files import write_text
from ascii_maze.mazes.prompts import PLAIN, Message, prompt_messages
from ascii_maze.metrics.path_validity.scoring import opened_thought
from ascii_maze.models.templates import PINNED_DATE, render, take_apart
from ascii_maze.packages import versions

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.training.families import FAMILIES, tokenizer_of

PAGE = Path(__file__).with_name("FAMILIES.md")
HEADER = "| template | valid | steps | CPU, s | unmodified template |\n|---|---|---|---|---|\n"
OPEN, ANSWER = "  S \n  # \n G  ", "R D D L"  # no wall at the map's edges: blanks may be trimmed
ABOUT = """# Chat templates of model families

`python benchmarks/families.py`: with each template, a random two-layer model is trained on 24 mazes of 3x3 until it
has memorised them, through `recipes/sft.yaml`, and then evaluated on them with `evaluate`. `valid`: share of valid
paths under strict parsing. The last column says what the unmodified template would do to our conversations, which
`ascii_maze/models/templates.py` corrects. Names in `_training` are TRL's training variants. TRL {trl},
transformers {transformers}; {machine}.
The table has {done} of {all} templates; rerun the command to add missing ones.

"""


def by_itself(family: str) -> list[str]:
    """What a family's unmodified template does to rules, map and answer, in words."""
    own = tokenizer_of(family)
    did, talk = [], prompt_messages(OPEN)
    try:
        prompt = render(own, talk, add_generation_prompt=True)
    except AsciiMazeError:
        did.append("rejects the system role")
        talk = [{"role": "user", "content": f"{PLAIN.system_prompt}\n\n{OPEN}"}]
        prompt = render(own, talk, add_generation_prompt=True)
    if PLAIN.system_prompt not in prompt:
        did.append("drops the rules")
    if OPEN not in prompt:
        did.append("trims whitespace from the map")
    if any(PINNED_DATE.strftime(form) in prompt for form in ("%d %b %Y", "%Y-%m-%d")):
        did.append("inserts today's date")
    did += around_the_answer(own, talk, prompt)
    plain, thinking = take_apart(own)[:2]
    if plain.opening != thinking.opening:
        did.append("in thinking mode, changes the start of the prompt")
    if plain.before_answer != thinking.before_answer:
        opened = opened_thought(thinking.before_answer)
        did.append(f"in thinking mode, {f'opens {shown(opened)}' if opened else 'lets the model open the thought'}")
    return did


def around_the_answer(own, talk: list[Message], prompt: str) -> list[str]:
    """What it writes between prompt and answer, and after the answer."""
    whole = render(own, [*talk, {"role": "assistant", "content": ANSWER}])
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(prompt, whole)))
    before, _, after = whole[common:].rpartition(ANSWER)
    did = []
    if prompt[common:]:
        did.append(f"ends the prompt with {shown(prompt[common:])}, missing from the full text")
    if before:
        did.append(f"inserts {shown(before)} before the answer")
    if not any(token.content in after for token in own.added_tokens_decoder.values()):
        did.append("has no end-of-turn token after the answer")
    return did


def shown(text: str) -> str:
    """A text as code in a Markdown cell."""
    return "`" + text.replace("\n", "\\n").replace("|", "\\|") + "`"


def measure(family: str, dataset: Path, folder: Path) -> tuple[float, int, float]:
    """Share of memorised mazes answered correctly, training steps, and CPU seconds for both."""
    from ascii_maze.evaluation.options import Options
    from ascii_maze.evaluation.run import evaluate
    from tests.training.by_heart import WHOLE, learn

    began = time.process_time()
    run = learn(family, dataset, folder)
    results = evaluate({"sft": str(run)}, str(dataset), ["train"], folder / "evaluation", Options(baselines=False))
    return results["models"]["sft"]["train"]["valid"], WHOLE["max_steps"], time.process_time() - began


def lines_of(page: Path) -> dict[str, str]:
    """Template -> its row."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    return {match[1]: match[0] for match in re.finditer(r"^\| (\w+) \| \d.*\|$", text, flags=re.M)}


def write_page(lines: dict[str, str]) -> None:
    """Write the page with the rows measured so far, sorted by name."""
    machine = f"{platform.machine()}, one thread, Python {platform.python_version()}"
    counts = {"done": len(lines), "all": len(FAMILIES)}
    about = ABOUT.format(machine=machine, **counts, **versions(["trl", "transformers"]))
    write_text(PAGE, about + HEADER + "".join(lines[name] + "\n" for name in sorted(lines)))


def main() -> None:
    """Measure the requested templates, or all that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", choices=[[], *FAMILIES])
    named = parser.parse_args().families
    lines = lines_of(PAGE)
    from dataset_builder.build import build
    from tests.training.by_heart import MAZES, one_thread

    with tempfile.TemporaryDirectory() as work, one_thread():
        dataset = Path(work) / "ascii-maze"
        build(MAZES, dataset)
        missing = sorted(set(FAMILIES) - set(lines), key=lambda name: (name.endswith("_training"), name))
        for family in named or missing:
            folder = Path(work) / family
            valid, steps, seconds = measure(family, dataset, folder)
            shutil.rmtree(folder)
            said = "; ".join(by_itself(family)) or "no relevant change"
            lines[family] = f"| {family} | {valid:.3f} | {steps} | {seconds:.1f} | {said} |"
            print(lines[family], flush=True)
            write_page(lines)
    write_page(lines)


if __name__ == "__main__":
    main()
