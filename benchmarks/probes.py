"""How many calls probe a target that is down, in each time that its breaker is half open, counted at the target over all processes.

    python -m benchmarks.probes [service] [database]      (both without a word)

service: an upstream that answers 503 to everything, called by eight children of a Celery worker; two gateway processes start the flows.
database: a hung ClickHouse, asked by clients through two gateway processes of eight threads, and by what every process, the worker's
    children among them, writes down for analytics. Looks are no probes, so pollers and recoveries rest meanwhile; at their usual pace no
    client's call is spent on probing at all.
A breaker is open for 0.7 s at least, so calls that come closer together than `GAP_SECONDS` are of one half-open time. PROBE_SECONDS is the
time under load (60).
"""

import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.load import Caller, Request, run_for
from embedded.postgres import EmbeddedPostgres
from tests.chaos.deployment import Deployment, ask, own_postgres, running_deployment
from tests.fakes.celery_process import celery_worker

SECONDS = float(os.environ.get("PROBE_SECONDS", "60"))
GAP_SECONDS, MOST = 0.6, 3
BASIC = ("postgres", "dragonflydb")
SIZE = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "8", "WORKER_CONCURRENCY": "8"}
# Looks are no probes: pollers look once and then rest, and no recovery connects.
UNWATCHED = {"POLL_INTERVAL_SECONDS": "60", "POLL_DOWN_INTERVAL_SECONDS": "60", "RECOVERY_ACTIONS": "retry"}
WATCHED_SECONDS = 12.0  # so long after a look of the poller no call is spent on probing
UPSTREAM, WORK = "flaky", "/work"
CALL = {
    "id": "chaos-call",
    "name": "Call",
    "type": "custom",
    "version": "1.0.0",
    "createdBy": "chaos",
    "retryPolicy": {"maxAttempts": 1},
    "nodes": [{"id": "call", "name": "Call", "type": "service", "config": {"service": UPSTREAM, "path": WORK}}],
    "edges": [],
}


def main(words: Sequence[str]) -> None:
    """Run what was asked for, each over a deployment of its own."""
    parts = {"service": service, "database": database}
    with tempfile.TemporaryDirectory() as directory, own_postgres(Path(directory)) as postgres:
        for name in words or parts:
            parts[name](Path(directory) / name, postgres)


def service(directory: Path, postgres: EmbeddedPostgres) -> None:
    """Flows that call it, twenty a second."""
    with failing_upstream() as (port, calls), running_deployment(directory, postgres, only=BASIC, direct=BASIC, **SIZE) as deployment:
        furnish(deployment, port)
        with celery_worker(deployment.environment, directory):
            start = Request("starts", "POST", f"/api/v1/flows/{CALL['id']}/execute", '{"parameters": {}}')
            seen = run_for(SECONDS, [Caller(deployment.port, [start], 5.0) for _ in range(4)])
            report("service, answering 503", calls, f"starts {dict(seen['starts'].statuses)}")


def furnish(deployment: Deployment, port: int) -> None:
    """The upstream and the flow that calls it, both registered."""
    registry = int(deployment.environment["FLOW_REGISTRY_URL"].rpartition(":")[2])
    instance = {"name": UPSTREAM, "host": "127.0.0.1", "port": port, "ttlSeconds": 3600}
    answers = (
        ask(registry, "POST", "/api/v1/services/register", json.dumps(instance)),
        deployment.ask("POST", "/api/v1/flows", json.dumps(CALL)),
    )
    if {answer.status for answer in answers} - {200, 201}:
        raise AssertionError(f"refused: {[answer.raw for answer in answers]}")


@contextmanager
def failing_upstream() -> Iterator[tuple[int, list[float]]]:
    """Its port, and when it was called; a recovery's questions to its health endpoint are looks and do not count."""
    calls: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith(WORK):
                calls.append(time.monotonic())
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield int(server.server_address[1]), calls
    finally:
        server.shutdown()
        server.server_close()


def database(directory: Path, postgres: EmbeddedPostgres) -> None:
    """Clients that ask it, forty a second, and the writers of analytics."""
    with hung_server() as (port, calls):
        variables = {"CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_NATIVE_PORT": str(port), "CLICKHOUSE_TIMEOUT_SECONDS": "2"}
        with (
            running_deployment(directory, postgres, only=BASIC, direct=BASIC, **SIZE, **UNWATCHED, **variables) as deployment,
            celery_worker(deployment.environment, directory),
        ):
            time.sleep(WATCHED_SECONDS)
            calls.clear()
            query = Request("queries", "POST", "/api/v1/databases/clickhouse/query", '{"statement": "SELECT 1", "timeoutMs": 2000}')
            seen = run_for(min(SECONDS, 45.0), [Caller(deployment.port, [query], 5.0) for _ in range(8)])  # before the next look
            report("database, hung", calls, f"queries {dict(seen['queries'].statuses)}, {seen['queries'].shown}")


@contextmanager
def hung_server() -> Iterator[tuple[int, list[float]]]:
    """Its port, and when it was connected to. It accepts and never answers."""
    calls: list[float] = []
    held: list[socket.socket] = []

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return  # closed: it is over
            calls.append(time.monotonic())

    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        try:
            yield int(listener.getsockname()[1]), calls
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in held:
                connection.close()


def report(title: str, calls: Sequence[float], seen: str) -> None:
    """The calls of each half-open time; the first group opened the breakers."""
    groups = windows(sorted(calls))
    opening, sizes = (groups[0] if groups else 0), groups[1:]
    spread: Mapping[int, int] = Counter(sizes)
    holds = bool(sizes) and max(sizes) <= MOST
    print(f"\nProbes of a {title}: {seen}")
    print(
        f"  {opening} calls until the breakers were open, then {len(sizes)} half-open times; calls in each: {dict(sorted(spread.items()))}"
    )
    print(f"  [at most {MOST} in each: {'yes' if holds else 'NO'}]")


def windows(calls: Sequence[float]) -> list[int]:
    """How many calls came in each group; a group ends where none came for `GAP_SECONDS`."""
    sizes: list[int] = []
    for number, at in enumerate(calls):
        if number and at - calls[number - 1] < GAP_SECONDS:
            sizes[-1] += 1
        else:
            sizes.append(1)
    return sizes


if __name__ == "__main__":
    main(sys.argv[1:])
