"""What the cache saves: the same read asked for anew and given again, in turns, in one run.

    python -m benchmarks cache [rounds]

Through the gateway's app in this process, without a socket before it: PostgreSQL and a redis-server embedded, the reference
Configuration Service as gunicorn runs it. Two gateways read the same keys, as two processes do: one asks each time, the other finds the
copy in the cache.
A hung cache is measured over the same keys, behind a proxy that takes what comes and never answers.
"""

import http.client
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from config.groups import ProcessSettings
from config.settings import Settings
from embedded.ports import remembered_port
from embedded.postgres import EmbeddedPostgres
from embedded.processes import end, spawn, wait_until
from embedded.redis import EmbeddedRedis
from gateway.app import create_app
from gateway.container import build_container
from gateway.observability.logging import configure_logging
from tests.conftest import execute, migrate
from tests.servers.fault_proxy import FaultProxy

Ways = dict[str, list[float]]  # ms of each read, by the way it went

ROOT = Path(__file__).parent.parent
ROUNDS = 300  # at the most: as many keys as there are
EVENTS = 100_000  # requests in the log that analytics counts
ANALYTICS = "/api/v1/analytics/requests?groupBy=route,status&bucket=1m"
LOG = f"""INSERT INTO analytics_requests (event_id, at, route, method, status, duration_ms, bytes_sent, served_from)
SELECT gen_random_uuid(), now() - random() * interval '1 hour', '/r/' || n % 40, 'GET', 200 + (n % 5), random() * 100, 100, 'live'
FROM generate_series(1, {EVENTS}) n"""


def main(words: Sequence[str]) -> None:
    """Print one line a way of reading, and how many times as fast it is as asking anew."""
    rounds = int(words[0]) if words else ROUNDS
    configure_logging(ProcessSettings.read({"LOG_LEVEL": "ERROR"}))
    with tempfile.TemporaryDirectory() as directory, servers(Path(directory)) as environment, ExitStack() as stack:
        anew, again = (stack.enter_context(gateway(environment, seconds)) for seconds in ("0", "300"))
        configuration(rounds, anew, again)
        analytics(max(10, rounds // 10), anew, again)
        hung(rounds // 3, environment, stack)


def configuration(rounds: int, anew: FlaskClient, again: FlaskClient) -> None:
    """One key after the other: anew, from the cache, from memory."""
    ways: Ways = {name: [] for name in ("asked anew", "from the shared cache", "from memory")}
    for number in range(rounds):
        path = f"/api/v1/config/bench.{number}"
        read(anew, path, ways["asked anew"], "fwd=miss")
        read(again, path, ways["from the shared cache"], "shared-cache")
        read(again, path, ways["from memory"], "memory")
    show("a configuration value", ways)


def analytics(rounds: int, anew: FlaskClient, again: FlaskClient) -> None:
    """A count over EVENTS requests in PostgreSQL."""
    ways: Ways = {name: [] for name in ("computed anew", "given again")}
    read(again, ANALYTICS, [], "fwd=miss")
    for _ in range(rounds):
        read(anew, ANALYTICS, ways["computed anew"], "fwd=bypass")
        read(again, ANALYTICS, ways["given again"], "hit")
    show(f"a count over {EVENTS:,} requests", ways)


def hung(rounds: int, environment: Mapping[str, str], stack: ExitStack) -> None:
    """The first read after a cache hangs pays its limit; the others must not notice."""
    url = urlsplit(environment["DRAGONFLY_URL"])
    proxy = stack.enter_context(FaultProxy(str(url.hostname), int(url.port or 0)))
    behind = url._replace(netloc=f":{url.password}@127.0.0.1:{proxy.port}").geturl()
    client = stack.enter_context(gateway({**environment, "DRAGONFLY_URL": behind}, "0"))
    ways: Ways = {name: [] for name in ("with the cache", "while it hangs")}
    for number in range(rounds):
        read(client, f"/api/v1/config/bench.{number}", ways["with the cache"], "fwd=miss")
    proxy.mode = "hang"
    for number in range(rounds):
        read(client, f"/api/v1/config/bench.{number}", ways["while it hangs"], "fwd=miss")
    show("a configuration value asked anew", ways)


def read(client: FlaskClient, path: str, samples: list[float], status: str) -> None:
    """One read, which must have gone the way that is measured."""
    began = time.perf_counter()
    response = client.get(path)
    samples.append((time.perf_counter() - began) * 1000)
    if response.status_code != http.client.OK or status not in response.headers["Cache-Status"]:
        raise SystemExit(f"{path}: {response.status_code}, {response.headers.get('Cache-Status')} instead of {status}")


def show(title: str, ways: Ways) -> None:
    base = median(next(iter(ways.values())))
    print(f"\n{title}")
    for name, ms in ways.items():
        p99 = sorted(ms)[int(0.99 * len(ms))]
        print(f"  {name:<22} p50 {median(ms):.1f}, p99 {p99:.1f}, max {max(ms):.0f} ms of {len(ms)}; {base / median(ms):.1f} times as fast")


@contextmanager
def gateway(environment: Mapping[str, str], fresh_seconds: str) -> Iterator[FlaskClient]:
    """A gateway whose copies and answers are fresh for so long."""
    fresh = dict.fromkeys(("CONFIG_FRESH_SECONDS", "RESPONSE_FRESH_SECONDS"), fresh_seconds)
    container = build_container(Settings.from_environment({**environment, **fresh, "RATE_LIMIT_REQUESTS": "1000000"}))
    yield create_app(container=container).test_client()
    container.stop()


@contextmanager
def servers(directory: Path) -> Iterator[dict[str, str]]:
    """The environment of a gateway over servers of this run's own."""
    postgres, redis = EmbeddedPostgres(directory / "postgres"), EmbeddedRedis(directory / "redis")
    with ExitStack() as stack:
        for server in (postgres, redis):
            server.start()
            stack.callback(server.remove)
        migrate(postgres.url)
        execute(postgres.url, LOG)
        registry = stack.enter_context(configuration_service(directory, postgres.url))
        yield {"DATABASE_URL": postgres.url, "DRAGONFLY_URL": redis.url, "FLOW_REGISTRY_URL": f"http://127.0.0.1:{registry}"}


@contextmanager
def configuration_service(directory: Path, postgres_url: str) -> Iterator[int]:
    """The reference service with the keys of this run; its port."""
    port = remembered_port(directory)
    own = {**os.environ, "DATABASE_URL": postgres_url, "CONFIG_SERVICE_PORT": str(port), "LOG_LEVEL": "WARNING"}
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn_configservice.conf.py", "wsgi:configuration_service"]
    process = spawn(command, log=directory / "registry.log", directory=ROOT, environment=own)
    try:
        if not wait_until(lambda: answers(port, "GET", "/health"), timeout_seconds=30):
            raise SystemExit((directory / "registry.log").read_text())
        for number in range(ROUNDS):
            answers(port, "POST", "/api/v1/config", json.dumps({"key": f"bench.{number}", "value": "x" * 100, "type": "string"}))
        yield port
    finally:
        end(process, signal.SIGTERM, patience_seconds=10)


def answers(port: int, method: str, path: str, body: str | None = None) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status < http.client.BAD_REQUEST
    except OSError:
        return False
    finally:
        connection.close()
