"""What breakers and the retry budget cost and save.

    python -m benchmarks breakers [hung] [budget] [guard]      (all three without a word)

hung: PostgreSQL, a Redis-protocol server and ClickHouse behind proxies; two gateway processes of eight threads. ClickHouse hangs, then
    PostgreSQL: how soon every process gives it up, and what its users and those of another database wait then, by the same load as before.
budget: attempts per request while a target always fails, and successes while one call in a hundred fails. No server, seeded.
guard: what a guarded call costs.
BREAKER_SECONDS is the length of each phase under load (10).
"""

import contextlib
import logging
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import structlog

from benchmarks.load import Request
from benchmarks.paced import Stream, paced, ratio_of_p99
from embedded.postgres import EmbeddedPostgres
from gateway.clock import SystemClock
from gateway.errors import GatewayError
from gateway.outbound.errors import UpstreamUnreachable
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.registry import Breakers
from tests.chaos.deployment import Deployment, own_postgres, running_deployment
from tests.fakes.clock import FakeClock

SECONDS = float(os.environ.get("BREAKER_SECONDS", "10"))
PROCESSES, THREADS = 2, 8
QUERY = '{"statement": "SELECT 1", "timeoutMs": 2000}'
ECHO = '{"statement": "ECHO one", "timeoutMs": 2000}'


def main(words: Sequence[str]) -> None:
    """Run what was asked for."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # thousands of calls are repeated here
    parts: Mapping[str, Callable[[], None]] = {"budget": budget, "guard": guard, "hung": hung}
    for name in words or parts:
        parts[name]()


def hung() -> None:
    """One that accepts and never answers: first given up by traffic alone, then with pollers as they are by default."""
    with tempfile.TemporaryDirectory() as directory, own_postgres(Path(directory)) as server:
        with gateway(Path(directory) / "slow", server, POLL_INTERVAL_SECONDS="60", POLL_DOWN_INTERVAL_SECONDS="60") as deployment:
            print("hung, nobody polls:")
            for name in _hangable(deployment):
                _hang(deployment, name)
                give_up(deployment, name)
        with gateway(Path(directory) / "usual", server) as deployment:
            print("hung:")
            for name in _hangable(deployment):
                serve(deployment, name)


def gateway(directory: Path, server: EmbeddedPostgres, **variables: str) -> AbstractContextManager[Deployment]:
    """Two processes of eight threads."""
    size = {"WEB_CONCURRENCY": str(PROCESSES), "WEB_THREADS": str(THREADS)}
    return running_deployment(directory, server, only={"postgres", "dragonflydb", "clickhouse"}, **size, **variables)


def give_up(deployment: Deployment, name: str) -> None:
    """All threads of all processes at once."""
    given_up = opened(deployment.log(), name)
    began, answers = time.monotonic(), [threading.Event() for _ in range(PROCESSES * THREADS)]

    def ask(answered: threading.Event) -> None:
        deployment.ask("POST", query(name).path, QUERY)
        answered.set()

    for answered in answers:
        threading.Thread(target=ask, args=(answered,), daemon=True).start()
    first = _seconds_until(lambda: any(answered.is_set() for answered in answers), began)
    everywhere = _seconds_until(lambda: opened(deployment.log(), name) >= given_up + PROCESSES, began)
    last = _seconds_until(lambda: all(answered.is_set() for answered in answers), began)
    print(
        f"  {name}: first answer after {first:.1f} s, given up by every process after {everywhere:.1f} s (limit: 3 s after the first), "
        f"last of {len(answers)} callers answered after {last:.1f} s"
    )


def serve(deployment: Deployment, name: str) -> None:
    """What its own users wait, and those of another database, under the same load before it hangs and once it is given up."""
    other = "postgres" if name == "clickhouse" else "dragonflydb"
    streams = [Stream([query(other)], 40.0, 8), Stream([query(name)], 40.0, 8)]
    paced(deployment.port, SECONDS / 4, streams)  # what is loaded at first use is loaded by now
    before = paced(deployment.port, SECONDS, streams)
    _hang(deployment, name)
    give_up(deployment, name)
    during = paced(deployment.port, SECONDS, streams)
    for proxy in deployment.engines[name].proxies:
        proxy.mode = "pass"
    _seconds_until(lambda: all(deployment.all_healthy() for _ in range(12)), time.monotonic())
    ratio, low, high = ratio_of_p99(before[other], during[other])
    print(f"    given up, its users wait {during[name].shown}; {dict(during[name].statuses)} (limit: p99 10 ms)")
    print(f"    {other}'s users: {before[other].shown} before, {during[other].shown} with both; {dict(during[other].statuses)}")
    print(f"    p99 x {ratio:.2f}, 90 % within {low:.2f} to {high:.2f} (limit: 1.2)")


def query(name: str) -> Request:
    """A read of this database; the samples bear its name."""
    return Request(name, "POST", f"/api/v1/databases/{name}/query", QUERY if name != "dragonflydb" else ECHO)


def _hangable(deployment: Deployment) -> list[str]:
    return [name for name in ("clickhouse", "postgres") if name in deployment.engines]


def _hang(deployment: Deployment, name: str) -> None:
    for proxy in deployment.engines[name].proxies:
        proxy.mode = "hang"


def opened(log: str, name: str) -> int:
    """How often a process gave the database up, by what they logged."""
    lines = (line for line in log.splitlines() if "breaker_changed" in line and f"database:{name}" in line)
    return sum("closed" in line and ('new": "open"' in line or 'new":"open"' in line or "new=open" in line) for line in lines)


def budget() -> None:
    """The budget alone, the breaker disabled, at a hundred requests a second."""
    for share, count in ((1.0, 20_000), (0.01, 50_000)):
        attempts, succeeded = _serve(share, count, breaker=False)
        with_breaker, _ = _serve(share, count, breaker=True)
        print(
            f"budget: {share:.0%} failing: {attempts:.3f} attempts a request without the breaker, {with_breaker:.3f} with it; "
            f"{succeeded:.3%} succeed"
        )


def guard() -> None:
    """A guarded call that does nothing, closed and open."""
    breaker = Breakers(SystemClock()).of("database:postgres")
    for state, count in (("closed", 100_000), ("forced_open", 100_000)):
        if state == "forced_open":
            breaker.force_open()
        began = time.perf_counter()
        for _ in range(count):
            with contextlib.suppress(GatewayError), breaker.guard():
                pass
        print(f"guard: {(time.perf_counter() - began) / count * 1e6:.1f} µs a call, {state}")


def _serve(share: float, requests: int, *, breaker: bool) -> tuple[float, float]:
    clock, rolls, attempts, succeeded = FakeClock(), random.Random(4), 0, 0
    breakers = Breakers(clock, roll=rolls.random)
    recovery = ImmediateRecovery(breakers, clock, sleep=clock.advance, roll=rolls.random)
    if not breaker:
        breakers.of("service:prices").disable()

    def attempt(_left: float) -> None:
        nonlocal attempts
        attempts += 1
        if rolls.random() < share:
            raise UpstreamUnreachable("x", sent=True)

    for _ in range(requests):
        with contextlib.suppress(GatewayError):
            recovery.run("service:prices", attempt, timeout_seconds=5, repeatable=True)
            succeeded += 1
        clock.advance(0.01)
    return attempts / requests, succeeded / requests


def _seconds_until(holds: Callable[[], bool], began: float) -> float:
    while not holds():
        time.sleep(0.005)
        if time.monotonic() - began > 30:
            raise TimeoutError("it did not happen in time")
    return time.monotonic() - began
