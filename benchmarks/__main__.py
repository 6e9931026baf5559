"""`make bench`: every measurement, each in a process of its own.

`make bench ARGS=chaos` runs the one of that name, `make bench ARGS="chaos memory"` one part of it. SIGTERM ends it as Ctrl-C does:
what a measurement started is stopped, and its directory goes.
"""

import importlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NAMES = ("patterns", "cache", "breakers", "chaos", "broker", "restarts", "probes", "failing")


def main(words: Sequence[str]) -> int:
    """The number of measurements that could not run."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not words:
        return sum(run(name) for name in NAMES)
    if words[0] not in NAMES:
        sys.stderr.write(f"make bench: {words[0]} is none of {', '.join(NAMES)}\n")
        return 2
    importlib.import_module(f"benchmarks.{words[0]}").main(words[1:])
    return 0


def run(name: str) -> bool:
    """Measure; whether it could not. Who interrupts us interrupts the measurement, and waits until it has cleared up."""
    command = [sys.executable, "-m", "benchmarks", name]
    measurement = subprocess.Popen(command, cwd=Path(__file__).parents[1], process_group=0)  # Ctrl-C comes through us alone
    try:
        return measurement.wait() != 0
    except KeyboardInterrupt:
        measurement.terminate()
        measurement.wait()
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
