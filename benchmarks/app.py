"""Start-up time of the web pages, and time from a key press to its answer on the screen.

    python benchmarks/app.py                # needs Chromium, and the extras `app` and `dev`

Start-up is measured for the command in a new process, until its page responds. Key presses are timed in the browser,
from the key event to the next question, which appears once the answer is on disk, and to the end of the frame that
paints it.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from ascii_maze.preferences.annotate_app import annotate_page
from ascii_maze.preferences.collector import Collector
from ascii_maze.preferences.opening import Wishes, new_collection
from ascii_maze.preferences.serving import serve

ROUNDS, PRESSES = 3, 30
# Milliseconds from a key's event to the end of the frame in which the answer is marked, to the next question in the
# page, and to the end of the frame that paints it.
TIMED = """() => new Promise((done) => {
  let since = 0;
  const took = [];
  const frame = (then) => {
    const paint = new MessageChannel();
    paint.port1.onmessage = then;
    requestAnimationFrame(() => paint.port2.postMessage(0));
  };
  const now = () => performance.now() - since;
  addEventListener("keydown", (event) => {
    since = event.timeStamp;
    frame(() => { took[0] = now(); });
  }, { capture: true, once: true });
  const watch = new MutationObserver(() => {
    watch.disconnect();
    took[1] = now();
    frame(() => { took[2] = now(); took[0] ??= took[2]; done(took); });
  });
  watch.observe(document.querySelector("#sides"), { childList: true });
})"""


def start_up(words: list[str]) -> float:
    """Seconds until the page of a command responds."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "ascii_maze", *words, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            url = json.loads(process.stdout.readline())["url"]
            urllib.request.urlopen(url, timeout=10).read()
            return time.perf_counter() - began
        finally:
            process.terminate()


def press(page) -> tuple[float, float, float]:
    """Milliseconds from a key press to its mark on the screen, the next question in the page, and on the screen."""
    page.evaluate(f"() => {{ window.took = ({TIMED})() }}")
    page.keyboard.press("1")
    marked, there, painted = page.evaluate("() => window.took")
    return marked, there, painted


def presses(browser, collection) -> list[tuple[float, float, float]]:
    """Consecutive presses of `1` on the page of `annotate`."""
    with tempfile.TemporaryDirectory() as folder:
        serving = serve(annotate_page(Collector(Path(folder), collection, [])), port=0)
        page = browser.new_page()
        page.goto(serving.url)
        page.fill("#annotator", "bench")
        page.keyboard.press("Enter")
        page.wait_for_selector("#question:not([hidden])")
        found = [press(page) for _ in range(PRESSES)]
        page.close()
        serving.close()
        return found


def row(name: str, found: list[float]) -> str:
    """A line of the table, in milliseconds."""
    late = statistics.quantiles(found, n=20)[-1]
    return f"| {name} | {statistics.median(found):.0f} | {late:.0f} | {max(found):.0f} |"


def main() -> None:
    """Print both tables."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run([sys.executable, "-m", "ascii_maze", "build", "demo", "--out", "mazes"], check=True, stdout=2)
        commands = {
            "annotate": ["annotate", "mazes", "--out", "preferences"],
            "play tiny": ["play", "tiny"],
        }
        print(
            f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start\n"
        )
        print("| start-up | seconds, median of three |\n|---|---|")
        for name, words in commands.items():
            print(f"| {name} | {statistics.median(start_up(words) for _ in range(ROUNDS)):.1f} |", flush=True)
        collection = new_collection(Wishes("mazes", limit=PRESSES * 2))
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
            found = [one for _ in range(ROUNDS) for one in presses(browser, collection)]
            browser.close()
    print(f"\n| response to a key, {len(found)} presses | median, ms | 95 %, ms | max, ms |\n|---|---|---|---|")
    titles = ("answer marked on the screen", "answer saved, next question in the page", "next question on the screen")
    for title, times in zip(titles, zip(*found)):
        print(row(title, list(times)))


if __name__ == "__main__":
    main()
