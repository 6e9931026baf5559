"""What an outage of one database costs everybody else, over a gateway as gunicorn runs it, on loopback, each database behind a proxy.

    python -m benchmarks chaos [hung] [outage] [memory]      (all three without a word)

hung: one database after the other accepts and never answers, several times. The same calls at the same times before and while it hangs, its
    own users among them; their samples of all times together.
outage: ClickHouse is away for a minute under 200 requests a second. Are its rows what was answered, once each?
memory: what a web worker with only PostgreSQL and DragonflyDB keeps resident.
CHAOS_SECONDS shortens every phase; the figures of the issue are for its default of 60.
"""

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clickhouse_driver import Client

from benchmarks.load import Caller, Request, Samples, merged, together
from benchmarks.memory import memory
from benchmarks.paced import Stream, paced, ratio_of_p99
from embedded.postgres import EmbeddedPostgres
from embedded.processes import wait_until
from tests.chaos.deployment import CONFIG_KEY, FLOW, Deployment, own_postgres, running_deployment
from tests.chaos.engines import NEEDS_CLICKHOUSE, as_text
from tests.chaos.matrix import is_used

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
HEALTH_P99_MS, RATIO, BACK_SECONDS = 50.0, 1.2, 5.0
RATE = 200.0
ROUNDS, SHARE = 3, 0.6  # of SECONDS, for all rounds of one database before it hangs, and again while it does
OTHERS_A_SECOND, OWN_A_SECOND = 60.0, 8.0
COUNTED = "/api"


@dataclass(frozen=True)
class Round:
    """What was seen before one database hung and while it did, by kind of request, and how soon it was used again."""

    before: Mapping[str, Samples]
    during: Mapping[str, Samples]
    back_seconds: float


def main(words: Sequence[str]) -> None:
    """Run what was asked for, each over a deployment of its own."""
    parts: Mapping[str, Callable[[Path, EmbeddedPostgres], None]] = {
        "hung": hung,
        "outage": outage,
        "memory": lambda directory, postgres: memory(directory, postgres, SECONDS / 4),
    }
    with tempfile.TemporaryDirectory() as directory, own_postgres(Path(directory)) as postgres:
        for name in words or parts:
            parts[name](Path(directory) / name, postgres)


def hung(directory: Path, postgres: EmbeddedPostgres) -> None:
    """Each database in turn."""
    seconds = SECONDS * SHARE / ROUNDS
    print(f"\nOne database hung, {ROUNDS} times {seconds:.0f} s before and {seconds:.0f} s while it hangs; two workers of eight threads")
    with running_deployment(directory, postgres, WEB_CONCURRENCY="2") as deployment:
        for name in deployment.engines:
            wait_until(lambda: _all_settled(deployment), timeout_seconds=30)
            paced(deployment.port, seconds / 2, _streams(deployment, name))  # what is loaded at first use is loaded by now
            _report(name, [_hang_one(deployment, name, seconds) for _ in range(ROUNDS)])


def _hang_one(deployment: Deployment, name: str, seconds: float) -> Round:
    before = paced(deployment.port, seconds, _streams(deployment, name))
    for proxy in deployment.engines[name].proxies:
        proxy.mode = "hang"
    during = paced(deployment.port, seconds, _streams(deployment, name))
    for proxy in deployment.engines[name].proxies:
        proxy.mode = "pass"
    lifted = time.monotonic()
    back = wait_until(lambda: is_used(deployment, name), timeout_seconds=30)
    back_seconds = time.monotonic() - lifted if back else float("inf")
    wait_until(lambda: _all_settled(deployment), timeout_seconds=30)
    return Round(before, during, back_seconds)


def _all_settled(deployment: Deployment) -> bool:
    """Whether every database is well, as every worker sees it: each answers some of so many requests."""
    return all(deployment.all_healthy() for _ in range(12))


def _report(name: str, rounds: Sequence[Round]) -> None:
    before = {each: together(*(one.before[each] for one in rounds)) for each in rounds[0].before}
    during = {each: together(*(one.during[each] for one in rounds)) for each in rounds[0].during}
    ratio, low, high = ratio_of_p99(before["others"], during["others"])
    singly = ", ".join(f"{ratio_of_p99(one.before['others'], one.during['others'])[0]:.2f}" for one in rounds)
    p99, back_seconds = during["/health"].quantile(0.99), max(one.back_seconds for one in rounds)
    print(f"  {name}")
    print(f"    /health   {during['/health'].shown}  [p99 ≤ {HEALTH_P99_MS:.0f}: {_verdict(p99 <= HEALTH_P99_MS)}]")
    print(f"    others    before {before['others'].shown}, statuses {dict(before['others'].statuses)}")
    print(f"              hung {during['others'].shown}, statuses {dict(during['others'].statuses)}")
    print(
        f"              p99 x {ratio:.2f}, 90 % within {low:.2f} to {high:.2f}; by round {singly}  [≤ {RATIO}: {_verdict(ratio <= RATIO)}]"
    )
    print(f"    its users before {before['own'].shown}; hung {during['own'].shown}, statuses {dict(during['own'].statuses)}")
    print(f"    used again after {back_seconds:.1f} s at the most  [≤ {BACK_SECONDS:.0f}: {_verdict(back_seconds <= BACK_SECONDS)}]")


def _streams(deployment: Deployment, name: str) -> list[Stream]:
    """/health, what does not ask this database, and what does: the same before and while it hangs."""
    other = "redis" if name == "postgres" else "postgres"
    now = datetime.now(UTC)
    since, until = ((now + timedelta(seconds=shift)).strftime("%Y-%m-%dT%H:%M:%SZ") for shift in (-60, 600))
    analytics = ("GET", f"/api/v1/analytics/requests?since={since}&until={until}", None)
    routes: dict[str, tuple[str, str, str | None]] = {
        "config": ("GET", f"/api/v1/config/{CONFIG_KEY}", None),
        "flow": ("GET", f"/api/v1/flows/{FLOW['id']}", None),
        "status": ("GET", "/api/v1/status/databases", None),
        "other": ("POST", f"/api/v1/databases/{other}/query", as_text(deployment.engines[other].question)),
        "execute": ("POST", f"/api/v1/flows/{FLOW['id']}/execute", '{"parameters": {}}'),
        "analytics": analytics,
        "topology": ("GET", "/api/v1/topology", None),
    }
    query = Request("own", "POST", f"/api/v1/databases/{name}/query", as_text(deployment.engines[name].question))
    role = {"postgres": "execute", "clickhouse": "analytics", "arangodb": "topology"}.get(name)
    own = [query, Request("own", *routes.pop(role))] if role else [query]
    others = [Request("others", *route) for route in routes.values()]
    return [
        Stream([Request("/health", "GET", "/health")], 20.0, 2),
        Stream(others, OTHERS_A_SECOND, 8),
        Stream(own, OWN_A_SECOND, int(3 * OWN_A_SECOND)),  # each waits for two seconds at the worst
    ]


def outage(directory: Path, postgres: EmbeddedPostgres) -> None:
    """ClickHouse is away in the middle of a steady load."""
    print(f"\nClickHouse down for {SECONDS:.0f} s under {RATE:.0f} requests a second")
    with running_deployment(directory, postgres, WEB_CONCURRENCY="2") as deployment:
        if "clickhouse" not in deployment.engines:
            print(f"  not measured: {NEEDS_CLICKHOUSE}")
            return
        callers = [Caller(deployment.port, [Request("all", "GET", COUNTED)], RATE / 8) for _ in range(8)]
        (proxy,) = deployment.engines["clickhouse"].proxies
        for caller in callers:
            caller.start()
        time.sleep(SECONDS / 12)
        proxy.refuse()
        time.sleep(SECONDS)
        proxy.accept_again()
        time.sleep(SECONDS / 12)
        for caller in callers:
            caller.finish()
        _compare(proxy.port, merged(callers)["all"])


def _compare(port: int, sent: Samples) -> None:
    answered, began = sum(sent.statuses.values()), time.monotonic()

    def rows() -> tuple[int, int]:
        client = Client("127.0.0.1", port=port)
        try:
            ((count, distinct),) = client.execute(
                "SELECT count(), uniqExact(event_id) FROM gateway_requests WHERE route = %(route)s", {"route": COUNTED}
            )
        finally:
            client.disconnect()
        return count, distinct

    arrived = wait_until(lambda: rows()[0] >= answered, timeout_seconds=120)
    count, distinct = rows()
    print(f"  requests {answered}, {sent.shown}, statuses {dict(sent.statuses)}")
    print(f"  rows {count}, distinct {distinct}, complete {time.monotonic() - began:.1f} s after the load ended")
    print(f"  [rows = requests: {_verdict(arrived and count == answered)}; no duplicates: {_verdict(count == distinct)}]")


def _verdict(holds: bool) -> str:
    return "yes" if holds else "NO"
