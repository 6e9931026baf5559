"""`make bench`: every measurement, each in a process of its own. `make bench ARGS=chaos` runs the one of that name."""

import subprocess
import sys
from pathlib import Path

NAMES = ("patterns", "cache", "breakers", "chaos", "broker", "restarts", "probes", "failing")


def main(wanted: list[str]) -> int:
    """The number of measurements that could not run."""
    return sum(
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=Path(__file__).parents[1], check=False).returncode != 0
        for name in wanted or NAMES
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
