"""A Configuration Service and a gateway as gunicorn runs them, over the six engines behind their proxies."""

import http.client
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

from config.settings import groups
from embedded.ports import remembered_port
from embedded.postgres import EmbeddedPostgres
from embedded.processes import end, is_alive, spawn, wait_until
from tests.chaos.engines import Engine, started_engines
from tests.conftest import execute, migrate

ROOT = Path(__file__).parents[2]
KNOWN_SETTINGS = {name for group in groups().values() for variable in group.variables().values() for name in variable.names}
PATIENCE_SECONDS = 20.0  # a request that takes longer hangs
START_SECONDS = 60.0
CONFIG_KEY = "chaos.greeting"
FLOW = {
    "id": "chaos-double",
    "name": "Double",
    "type": "custom",
    "version": "1.0.0",
    "status": "active",
    "createdBy": "chaos",
    "nodes": [{"id": "double", "name": "Double", "type": "transform", "config": {"output": "${1 + 1}"}}],
    "edges": [],
}
COMMANDS = {
    "registry": ("gunicorn_configservice.conf.py", "wsgi:configuration_service"),
    "gateway": ("gunicorn.conf.py", "wsgi:app"),
}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """What a client saw: a status of 0 means that it saw none."""

    status: int
    ms: float
    headers: Mapping[str, str]
    body: Any
    raw: str

    @property
    def served_by(self) -> str | None:
        data = self.body.get("data") if isinstance(self.body, dict) else None
        return data.get("servedBy") if isinstance(data, dict) else None

    @property
    def code(self) -> str | None:
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass
class Deployment:
    """The running gateway. `engines` are what stands behind it."""

    directory: Path
    port: int
    gateway: Popen[bytes]
    engines: dict[str, Engine]
    environment: dict[str, str]

    def ask(self, method: str, path: str, body: str | None = None) -> Answer:
        """One request over a connection of its own."""
        return ask(self.port, method, path, body)

    def log(self) -> str:
        """What the gateway's processes have logged so far."""
        return (self.directory / "gateway.log").read_text()

    def workers(self) -> list[int]:
        """The pids of the gateway's worker processes."""
        children = Path(f"/proc/{self.gateway.pid}/task/{self.gateway.pid}/children").read_text()
        return [int(pid) for pid in children.split() if is_alive(int(pid))]

    def state_of(self, database: str) -> dict[str, Any]:
        """The database as /api/v1/status/databases shows it."""
        answer = self.ask("GET", "/api/v1/status/databases")
        state: dict[str, Any] = answer.body["data"]["health"][database]
        return state

    def all_healthy(self) -> bool:
        """Whether every database that stands behind the gateway is, as the worker that answers sees it."""
        states = self.ask("GET", "/api/v1/status/databases").body["data"]["health"]
        return all(states[name]["status"] == "healthy" and states[name]["breaker"] == "closed" for name in self.engines)


def ask(port: int, method: str, path: str, body: str | None = None) -> Answer:
    """One request over a connection of its own, answered anew and not from a cache."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    sent = {"Cache-Control": "no-cache", **({"Content-Type": "application/json"} if body is not None else {})}
    try:
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        raw = response.read().decode()
        ms = (time.perf_counter() - began) * 1000
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, ms, answered, json.loads(raw) if "json" in answered.get("content-type", "") else None, raw)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, (time.perf_counter() - began) * 1000, {}, None, repr(error))
    finally:
        connection.close()


@contextmanager
def running_deployment(
    directory: Path, postgres: EmbeddedPostgres, *, only: Collection[str] | None = None, direct: Collection[str] = (), **variables: str
) -> Iterator[Deployment]:
    """Everything up and seen healthy. `postgres` runs and its database `gateway` is migrated: the deployment's own is cloned from it.

    `only` these databases, else all six; `direct`: those asked past their proxies; `variables` are further settings of the gateway.
    """
    with ExitStack() as stack:
        database = f"chaos_{os.getpid()}_{next(_numbers)}"
        execute(postgres.url_of("postgres"), f"CREATE DATABASE {database} TEMPLATE gateway")
        stack.callback(execute, postgres.url_of("postgres"), f"DROP DATABASE {database} WITH (FORCE)")
        engines = stack.enter_context(started_engines(directory, postgres, database, only))
        registry_port = _port(directory, "registry")
        inherited = {name: value for name, value in os.environ.items() if name not in KNOWN_SETTINGS}
        registry = {**inherited, "DATABASE_URL": postgres.url_of(database), "CONFIG_SERVICE_PORT": str(registry_port)}
        service = _run(stack, directory, "registry", registry)
        _wait_or_fail(directory, "registry", service, lambda: ask(registry_port, "GET", "/health").status == 200)
        _furnish(registry_port)
        environment = {
            **inherited,
            **{name: value for engine in engines.values() for name, value in _way_to(engine, direct).items()},
            "PORT": str(_port(directory, "web")),
            "FLOW_REGISTRY_URL": f"http://127.0.0.1:{registry_port}",
            "SPOOL_DIRECTORY": str(directory / "spool"),
            "RATE_LIMIT_REQUESTS": "10000000",
            "DRAIN_SECONDS": "0",
            "GRACEFUL_TIMEOUT_SECONDS": "2",
            **variables,
        }
        gateway = _run(stack, directory, "gateway", environment)
        deployment = Deployment(directory, int(environment["PORT"]), gateway, engines, environment)
        _wait_or_fail(directory, "gateway", gateway, lambda: deployment.ask("GET", "/readyz").status == 200)
        if not wait_until(deployment.all_healthy, timeout_seconds=START_SECONDS):
            raise AssertionError(f"not every database became healthy: {deployment.ask('GET', '/api/v1/status/databases').raw}")
        yield deployment


@contextmanager
def own_postgres(directory: Path) -> Iterator[EmbeddedPostgres]:
    """A migrated PostgreSQL, for who has no fixture for it."""
    server = EmbeddedPostgres(directory / "postgres", durable=False)
    try:
        server.start()
        migrate(server.url)
        yield server
    finally:
        server.remove()


def _wait_or_fail(directory: Path, name: str, process: Popen[bytes], is_true: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Wait; what does not come true within `seconds` fails with the process's last words."""
    wait_until(lambda: process.poll() is not None or is_true(), timeout_seconds=seconds)
    if process.poll() is not None or not is_true():
        raise AssertionError(f"{name} did not get there:\n{(directory / f'{name}.log').read_text()[-4000:]}")


def _way_to(engine: Engine, direct: Collection[str]) -> dict[str, str]:
    return engine.direct if engine.name in direct else engine.environment


def _port(directory: Path, name: str) -> int:
    (directory / name).mkdir(parents=True)
    return remembered_port(directory / name)


def _run(stack: ExitStack, directory: Path, name: str, environment: dict[str, str]) -> Popen[bytes]:
    configuration, application = COMMANDS[name]
    command = [sys.executable, "-m", "gunicorn", "-c", f"config/{configuration}", application]
    process = spawn(command, log=directory / f"{name}.log", directory=ROOT, environment=environment)
    stack.callback(end, process, signal.SIGTERM, patience_seconds=6)
    return process


def _furnish(registry_port: int) -> None:
    """A configuration value and a flow for the gateway to find."""
    value = ask(registry_port, "POST", "/api/v1/config", json.dumps({"key": CONFIG_KEY, "value": "hello"}))
    flow = ask(registry_port, "POST", "/api/v1/flows", json.dumps(FLOW))
    if value.status not in {200, 201} or flow.status != 201:
        raise AssertionError(f"the Configuration Service refuses: {value.raw} {flow.raw}")
