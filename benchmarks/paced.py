"""Open-loop load from a process of its own: requests are sent when they are due, and their time counts from then on.

A slow answer delays nobody's schedule but its own connection's, and what waits there is counted as waiting. In a process of its own, so
that neither the fault proxies nor the bench take turns with the senders.
"""

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.load import Connection, Request, Samples

START_SECONDS = 0.2  # until every thread stands ready
RESAMPLINGS = 400


@dataclass(frozen=True)
class Stream:
    """`requests` in turn, `rate` a second in all, over `senders` connections. Enough of them and none is ever late."""

    requests: Sequence[Request]
    rate: float
    senders: int


def paced(port: int, seconds: float, streams: Sequence[Stream]) -> dict[str, Samples]:
    """Send for so long; the samples by the requests' names."""
    order = json.dumps({"port": port, "seconds": seconds, "streams": [asdict(stream) for stream in streams]})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.paced"], input=order, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    found = json.loads(done.stdout)
    return {name: Samples(each["ms"], Counter({int(status): n for status, n in each["statuses"].items()})) for name, each in found.items()}


def ratio_of_p99(before: Samples, during: Samples) -> tuple[float, float, float]:
    """p99 during by p99 before, and the bounds that nine in ten resamplings of both stay within."""
    dice = random.Random(1)

    def drawn(samples: Samples) -> float:
        return Samples(dice.choices(samples.ms, k=len(samples.ms))).quantile(0.99)

    drawn_ratios = sorted(drawn(during) / max(0.001, drawn(before)) for _ in range(RESAMPLINGS))
    low, high = (drawn_ratios[int(share * RESAMPLINGS)] for share in (0.05, 0.95))
    return during.quantile(0.99) / max(0.001, before.quantile(0.99)), low, high


class _Sender(threading.Thread):
    def __init__(self, port: int, due: Sequence[tuple[float, Request]]) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[str, float, int]] = []
        self._port, self._due = port, due

    def run(self) -> None:
        connection = Connection(self._port)
        for due, request in self._due:
            time.sleep(max(0.0, due - time.perf_counter()))
            status, _ = connection.send(request)
            self.seen.append((request.name, (time.perf_counter() - due) * 1000, status))
        connection.close()


def _send_all(port: int, seconds: float, streams: Sequence[Stream]) -> Mapping[str, Samples]:
    senders, began = [], time.perf_counter() + START_SECONDS
    for stream in streams:
        schedule = [
            (began + number / stream.rate, stream.requests[number % len(stream.requests)]) for number in range(int(seconds * stream.rate))
        ]
        senders += [_Sender(port, schedule[turn :: stream.senders]) for turn in range(stream.senders)]
    samples: dict[str, Samples] = {request.name: Samples() for stream in streams for request in stream.requests}
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
        for name, ms, status in sender.seen:
            samples[name].ms.append(ms)
            samples[name].statuses[status] += 1
    return samples


def main() -> None:
    """Read an order from standard input, carry it out, and write what was seen to standard output."""
    order = json.load(sys.stdin)
    streams = [Stream([Request(**each) for each in stream["requests"]], stream["rate"], stream["senders"]) for stream in order["streams"]]
    seen = _send_all(order["port"], order["seconds"], streams)
    json.dump({name: {"ms": each.ms, "statuses": each.statuses} for name, each in seen.items()}, sys.stdout)


if __name__ == "__main__":
    main()
