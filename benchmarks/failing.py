"""What a failing request costs over one that succeeds: classifying, deciding, learning, writing the answer.

    python -m benchmarks failing

A gateway as gunicorn runs it. One connection sends the two in turn, at a low rate, so that nothing but their own work is measured. Each
pair takes the same route and asks the same servers; only what fails differs. FAILING_SECONDS is the time of each pair (30).
"""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load import Caller, Request, run_for
from embedded.processes import wait_until
from tests.chaos.deployment import FLOW, Deployment, own_postgres, running_deployment

SECONDS = float(os.environ.get("FAILING_SECONDS", "30"))
RATE = 100.0
ADDED_P99_MS = 1.0
DATABASES = ("postgres", "dragonflydb", "redis")
NOBODY = "00000000-0000-4000-8000-000000000000"
Pair = tuple[str, Request, Request]


def main(_words: Sequence[str]) -> None:
    """Pair after pair over one deployment."""
    print(f"\nA failing request beside one that succeeds, in turn, {SECONDS:.0f} s each pair")
    with (
        tempfile.TemporaryDirectory() as name,
        own_postgres(Path(name)) as postgres,
        running_deployment(Path(name) / "deployment", postgres, only=DATABASES, direct=DATABASES, WEB_CONCURRENCY="1") as deployment,
    ):
        shut(deployment, "database:redis")
        for pair in pairs(deployment):
            compare(deployment, pair)


def shut(deployment: Deployment, breaker: str) -> None:
    """Force a breaker open."""
    path = f"/api/v1/breakers/{breaker}/force-open"
    if not wait_until(lambda: deployment.ask("POST", path).status == 200, timeout_seconds=10):
        raise AssertionError(deployment.ask("POST", path).raw)


def pairs(deployment: Deployment) -> list[Pair]:
    """What is asked, the one that succeeds and the one that fails."""
    started = deployment.ask("POST", f"/api/v1/flows/{FLOW['id']}/execute", '{"parameters": {}}')
    execution_id = started.body["data"]["executionId"]
    return [
        ("a query, division by zero", query("succeeds", "postgres", "SELECT 1/1"), query("fails", "postgres", "SELECT 1/0")),
        ("a query, breaker open", query("succeeds", "dragonflydb", "ECHO one"), query("fails", "redis", "ECHO one")),
        ("a query, refused statement", query("succeeds", "dragonflydb", "ECHO one"), query("fails", "dragonflydb", "FLUSHALL")),
        ("an execution that nobody started", execution("succeeds", execution_id), execution("fails", NOBODY)),
        ("a list, invalid limit", listed("succeeds", "10"), listed("fails", "ten")),
    ]


def query(name: str, database: str, statement: str) -> Request:
    """One read of a database."""
    return Request(name, "POST", f"/api/v1/databases/{database}/query", json.dumps({"statement": statement}))


def execution(name: str, execution_id: str) -> Request:
    """One execution."""
    return Request(name, "GET", f"/api/v1/executions/{execution_id}")


def listed(name: str, limit: str) -> Request:
    """A list of recoveries."""
    return Request(name, "GET", f"/api/v1/recoveries?limit={limit}")


def compare(deployment: Deployment, pair: Pair) -> None:
    """Send the two in turn and print how they differ."""
    title, *requests = pair
    run_for(min(2.0, SECONDS), [Caller(deployment.port, requests, RATE)])  # what is loaded at first use is loaded by now
    seen = run_for(SECONDS, [Caller(deployment.port, requests, RATE)])
    good, bad = seen["succeeds"], seen["fails"]
    median, tail = (bad.quantile(share) - good.quantile(share) for share in (0.5, 0.99))
    print(f"  {title}")
    for name, samples in (("succeeds", good), ("fails", bad)):
        spread = f"p50 {samples.quantile(0.5):.2f}, p99 {samples.quantile(0.99):.2f} ms of {len(samples.ms)}"
        print(f"    {name:8} {spread}, statuses {dict(samples.statuses)}")
    verdict = "yes" if tail <= ADDED_P99_MS else "NO"
    print(f"    [added: p50 {median:+.2f}, p99 {tail:+.2f} ms, ≤ {ADDED_P99_MS:.0f}: {verdict}]")
