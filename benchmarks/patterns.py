"""100,000 errors of 60 known causes over the six drivers: how well patterns tell them apart, and what that costs.

    python -m benchmarks patterns [errors]

Pairwise F1: of all pairs of errors, those of one cause should share a pattern and no others. Wrong merges: the share of pairs in one
pattern that are of two causes. With DATABASE_URL set to a migrated, empty database, the same errors are learned by four workers there, and
uploaded twice to a registry: the counts must be the same after both.
"""

import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.causes import CAUSES, Values
from gateway.clock import SystemClock
from gateway.recovery.classify import classify
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.configuration_room import build_room
from tests.fakes.patterns import PatternsRoom

SEED = 20_260_101
TOLD_EVERY = 5000


@dataclass(frozen=True)
class Quality:
    """How well patterns tell causes apart."""

    errors: int
    patterns: int
    precision: float
    recall: float
    wrong_merges: float

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / (self.precision + self.recall) if self.precision + self.recall else 0.0


def measure(groups: Mapping[tuple[str, str], int]) -> Quality:
    """From how many errors of each cause got each fingerprint."""
    causes: Counter[str] = Counter()
    patterns: Counter[str] = Counter()
    for (cause, fingerprint), count in groups.items():
        causes[cause] += count
        patterns[fingerprint] += count
    right = sum(map(_pairs, groups.values()))
    together, belonging = sum(map(_pairs, patterns.values())), sum(map(_pairs, causes.values()))
    precision = right / together if together else 1.0
    return Quality(sum(causes.values()), len(patterns), precision, right / belonging if belonging else 1.0, 1 - precision)


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def draw(errors: int, seed: int = SEED) -> tuple[Counter[tuple[str, str]], list[float]]:
    """The errors, counted by cause and fingerprint, and how long each took to classify, in µs."""
    dice = random.Random(seed)
    values = Values(dice)
    groups: Counter[tuple[str, str]] = Counter()
    times = []
    for _ in range(errors):
        cause = dice.choice(CAUSES)
        error = cause.make(values)
        began = time.perf_counter_ns()
        fault = classify(error, source=cause.source)
        times.append((time.perf_counter_ns() - began) / 1000)
        groups[cause.name, fault.fingerprint] += 1
    return groups, times


def learn_and_upload(url: str, errors: int, workers: int = 4) -> None:
    """The whole way: observed by workers, merged, uploaded twice."""
    with PlatformConfigurationService() as service, tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        registry = stack.enter_context(closing(build_room(service.url, SystemClock()))).registry
        rooms = [PatternsRoom(url, Path(directory) / str(number), SystemClock(), registry=registry) for number in range(workers)]
        for room in rooms:
            stack.callback(room.close)
        learn(rooms, errors)
        counts = []
        for _ in range(2):
            began = time.perf_counter()
            taken = rooms[0].uploads.upload()
            counts.append({name: flow["metadata"]["count"] for name, flow in service.flows.items()})
            print(f"uploaded {taken} patterns in {time.perf_counter() - began:.2f} s; the registry has {sum(counts[-1].values())} errors")
        print("counts unchanged by the second upload:", counts[0] == counts[1])


def learn(rooms: Sequence[PatternsRoom], errors: int) -> None:
    """Each worker in turn sees an error; each tells every few thousand."""
    dice = random.Random(SEED)
    values = Values(dice)
    began = time.perf_counter()
    for number in range(errors):
        cause = dice.choice(CAUSES)
        room = rooms[number % len(rooms)]
        room.patterns.observe(classify(cause.make(values), source=cause.source))
        if number % TOLD_EVERY < len(rooms):
            room.patterns.flush()
    for room in rooms:
        room.patterns.flush()
    print(f"learned by {len(rooms)} workers in {time.perf_counter() - began:.1f} s")


def main(words: Sequence[str]) -> None:
    errors = int(words[0]) if words else 100_000
    groups, times = draw(errors)
    quality = measure(groups)
    times.sort()
    print(f"{quality.errors} errors of {len(CAUSES)} causes: {quality.patterns} patterns")
    print(f"pairwise F1 {quality.f1:.4f} (precision {quality.precision:.4f}, recall {quality.recall:.4f})")
    print(f"wrong merges {quality.wrong_merges:.4%}")
    print(f"classifying: median {times[len(times) // 2]:.0f} µs, p99 {times[len(times) * 99 // 100]:.0f} µs")
    if url := os.environ.get("DATABASE_URL"):
        learn_and_upload(url, errors)
