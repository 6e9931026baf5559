"""How many calls probe a target that is down, in each time that its breaker is half open, counted at the target over all processes.

    python -m benchmarks probes [service] [database]      (both without a word)

service: an upstream that answers 503 to everything, called by eight children of a Celery worker; two gateway processes start the flows.
database: a hung ArangoDB, asked by clients through two gateway processes of eight threads, and by a worker's tasks. Its request lines tell
    calls from looks (pollers', recoveries'), which are counted apart. Pollers look only when a call waits in vain: at their usual pace no
    client's call is spent on probing at all.
A failed probe opens the breaker for 0.7 s at least, so what comes sooner after the first call of a half-open time is of the same one. The
calls at the beginning, which open it, last longer than that: every process makes its own until it hears of the opening, within 0.5 s.
PROBE_SECONDS is the time under load (60).
"""

import json
import os
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.load import Caller, Request, run_for
from embedded.postgres import EmbeddedPostgres
from tests.chaos.deployment import Deployment, ask, own_postgres, running_deployment
from tests.fakes.celery_process import celery_beat, celery_worker

SECONDS = float(os.environ.get("PROBE_SECONDS", "60"))
MOST = 3
SHORTEST_OPEN_SECONDS, HUNG_SECONDS = 0.65, 2.0  # a probe that gets no answer has failed after so long
QUIET_SECONDS = 0.3  # calls that nobody refuses come closer together: the beginning is over
LOOK = b"/_api/version"  # what a ping asks for
BASIC = ("postgres", "dragonflydb")
SIZE = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "8", "WORKER_CONCURRENCY": "8"}
UNWATCHED = {"POLL_INTERVAL_SECONDS": "3600", "POLL_DOWN_INTERVAL_SECONDS": "3600"}
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
            report("service, answering 503", windows(calls, SHORTEST_OPEN_SECONDS), f"starts {dict(seen['starts'].statuses)}")


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
    """Clients that ask it, forty a second, and the tasks that refresh the topology."""
    with hung_server() as (port, calls, looks):
        variables = {"ARANGO_URL": f"http://127.0.0.1:{port}", "ARANGO_TIMEOUT_SECONDS": "2", **SIZE, **UNWATCHED}
        with (
            running_deployment(directory, postgres, only=BASIC, direct=BASIC, **variables) as deployment,
            celery_beat(deployment.environment, directory),
            celery_worker(deployment.environment, directory),
        ):
            time.sleep(WATCHED_SECONDS)
            for seen_before in (calls, looks):
                seen_before.clear()
            query = Request("queries", "POST", "/api/v1/databases/arangodb/query", '{"statement": "RETURN 1", "timeoutMs": 2000}')
            seen = run_for(SECONDS, [Caller(deployment.port, [query], 5.0) for _ in range(8)])["queries"]
            groups = windows(calls, HUNG_SECONDS + SHORTEST_OPEN_SECONDS)
            report("database, hung", groups, f"queries {dict(seen.statuses)}, {seen.shown}; looks besides: {len(looks)}")


@contextmanager
def hung_server() -> Iterator[tuple[int, list[float], list[float]]]:
    """Its port, when it was called, and when it was looked at. It accepts and never answers."""
    calls: list[float] = []
    looks: list[float] = []
    held: list[socket.socket] = []

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed: it is over
            held.append(connection)
            asked, at = request_line(connection), time.monotonic()
            if asked:
                (looks if LOOK in asked else calls).append(at)

    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        try:
            yield int(listener.getsockname()[1]), calls, looks
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in held:
                connection.close()


def request_line(connection: socket.socket) -> bytes:
    """Method and path; empty when the client said nothing."""
    connection.settimeout(1.0)
    try:
        return connection.recv(4096).partition(b"\r\n")[0]
    except OSError:
        return b""


def report(title: str, groups: Sequence[int], seen: str) -> None:
    """The calls of each half-open time; the first group opened the breakers."""
    opening, sizes = sum(groups[:1]), groups[1:]
    spread = dict(sorted(Counter(sizes).items()))
    print(f"\nProbes of a {title}: {seen}")
    print(f"  {opening} calls at the beginning, then {len(sizes)} half-open times; calls in each: {spread}")
    print(f"  [at most {MOST} in each: {'yes' if sizes and max(sizes) <= MOST else 'NO'}]")


def windows(calls: Sequence[float], seconds: float) -> list[int]:
    """How many calls came in each group, which begins with the first call that comes `seconds` or more after the last one's beginning.

    The first group, of calls that no breaker holds back yet, goes on until they pause.
    """
    sizes: list[int] = []
    began = last = float("-inf")
    for at in sorted(calls):
        if at - began < seconds or (len(sizes) == 1 and at - last < QUIET_SECONDS):
            sizes[-1] += 1
        else:
            sizes.append(1)
            began = at
        last = at
    return sizes
