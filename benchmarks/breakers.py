"""What breakers and the retry budget cost and save.

    python -m benchmarks.breakers [hung] [budget] [guard]      (all three without a word)

hung: PostgreSQL, a Redis-protocol server and a hung ClickHouse; two gateway processes of eight threads. How soon every process gives the
    hung one up, and what its users and those of PostgreSQL wait then.
budget: attempts per request while a target always fails, and successes while one call in a hundred fails. No server, seeded.
guard: what a guarded call costs.
BREAKER_SECONDS is the length of each phase under load (10).
"""

import contextlib
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.load import Caller, Request, run_for
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
CLICKHOUSE = Request("clickhouse", "POST", "/api/v1/databases/clickhouse/query", QUERY)
POSTGRES = Request("postgres", "POST", "/api/v1/databases/postgres/query", QUERY)


def main(words: list[str]) -> None:
    """Run what was asked for."""
    parts: Mapping[str, Callable[[], None]] = {"budget": budget, "guard": guard, "hung": hung}
    for name in words or parts:
        parts[name]()


def hung() -> None:
    """A database that accepts and never answers: first given up by traffic alone, then with pollers as they are by default."""
    with (
        tempfile.TemporaryDirectory() as directory,
        own_postgres(Path(directory)) as server,
        socket.create_server(("127.0.0.1", 0), backlog=1024) as listener,
    ):
        port = listener.getsockname()[1]
        with gateway(Path(directory) / "slow", server, port, POLL_INTERVAL_SECONDS="60", POLL_DOWN_INTERVAL_SECONDS="60") as deployment:
            give_up(deployment)
        with gateway(Path(directory) / "usual", server, port) as deployment:
            serve(deployment)


def gateway(directory: Path, server: EmbeddedPostgres, port: int, **variables: str) -> AbstractContextManager[Deployment]:
    """Two processes of eight threads; ClickHouse is said to be at `port`."""
    clickhouse = {"CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_NATIVE_PORT": str(port), "CLICKHOUSE_TIMEOUT_SECONDS": "2"}
    size = {"WEB_CONCURRENCY": str(PROCESSES), "WEB_THREADS": str(THREADS)}
    return running_deployment(directory, server, only={"postgres", "dragonflydb"}, **clickhouse, **size, **variables)


def give_up(deployment: Deployment) -> None:
    """All threads of all processes at once."""
    began, answers = time.monotonic(), [threading.Event() for _ in range(PROCESSES * THREADS)]

    def ask(answered: threading.Event) -> None:
        deployment.ask("POST", CLICKHOUSE.path, QUERY)
        answered.set()

    for answered in answers:
        threading.Thread(target=ask, args=(answered,), daemon=True).start()
    first = _seconds_until(lambda: any(answered.is_set() for answered in answers), began)
    everywhere = _seconds_until(lambda: opened(deployment.log()) >= PROCESSES, began)
    print(f"hung: first answer after {first:.1f} s, given up by every process after {everywhere:.1f} s (limit: 3 s after the first)")


def serve(deployment: Deployment) -> None:
    """Its own users' waiting time, and that of PostgreSQL's users, under load."""
    before = run_for(SECONDS, [Caller(deployment.port, [POSTGRES], 40)])["postgres"]
    _seconds_until(lambda: opened(deployment.log()) >= PROCESSES, time.monotonic())
    during = run_for(SECONDS, [Caller(deployment.port, [POSTGRES], 40), Caller(deployment.port, [CLICKHOUSE], 40)])
    print(f"hung: given up, its users wait {during['clickhouse'].shown}; {dict(during['clickhouse'].statuses)} (limit: p99 10 ms)")
    print(f"hung: PostgreSQL's users: p99 {before.quantile(0.99):.1f} ms before, {during['postgres'].quantile(0.99):.1f} ms with both")


def opened(log: str) -> int:
    """How many processes gave ClickHouse up, by what they logged."""
    lines = (line for line in log.splitlines() if "breaker_changed" in line and "database:clickhouse" in line)
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


if __name__ == "__main__":
    main(sys.argv[1:])
