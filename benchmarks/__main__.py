"""`make bench`: every measurement, each in a process of its own.

`make bench ARGS=chaos` runs the one of that name, `make bench ARGS="chaos memory"` one part of it.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NAMES = ("patterns", "cache", "breakers", "chaos", "broker", "restarts", "probes", "failing")


def main(words: Sequence[str]) -> int:
    """The number of measurements that could not run."""
    if not words:
        return sum(run(name) for name in NAMES)
    if words[0] not in NAMES:
        sys.stderr.write(f"make bench: {words[0]} is none of {', '.join(NAMES)}\n")
        return 2
    return run(words[0], words[1:])


def run(name: str, parts: Sequence[str] = ()) -> bool:
    """Measure; whether it could not."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *parts]
    return subprocess.run(command, cwd=Path(__file__).parents[1], check=False).returncode != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
