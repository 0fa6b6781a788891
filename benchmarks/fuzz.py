"""Search, for longer than the tests do, for untrusted files that cause a traceback or change a user's files.

    python benchmarks/fuzz.py                 # ten minutes
    python benchmarks/fuzz.py --minutes 60 --seed 7

Runs tests/test_fuzz.py and tests/test_strangers.py repeatedly, each time with new examples, until one fails or the
time is up. A failure is printed with its example, shrunk by hypothesis.
"""

import argparse
import subprocess
import sys
import time

TESTS = ("tests/test_fuzz.py", "tests/test_strangers.py")


def main() -> None:
    """Run rounds of the tests until the time is up; exit code 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first round, incremented each round")
    arguments = parser.parse_args()
    began, rounds = time.monotonic(), 0
    while time.monotonic() - began < 60 * arguments.minutes:
        seed = ["--hypothesis-profile", "other-examples", f"--hypothesis-seed={arguments.seed + rounds}"]
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:xdist", *TESTS, *seed])
        if done.returncode:
            sys.exit(1)
        rounds += 1
        print(f"{rounds} rounds, {(time.monotonic() - began) / 60:.1f} minutes: no failures", flush=True)


if __name__ == "__main__":
    main()
