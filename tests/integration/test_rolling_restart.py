"""The gateway under load: SIGHUP replaces its workers and drops no request; the registry lease goes with the gateway, not with a worker."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import groups
from embedded.ports import remembered_port
from embedded.processes import end, is_alive, spawn, wait_until

ROOT = Path(__file__).parents[2]
SETTINGS = {name for group in groups().values() for variable in group.variables().values() for name in variable.names}


class Deployment:
    """A Configuration Service and a gateway with two workers, as gunicorn runs them."""

    def __init__(self, directory: Path, postgres_url: str, redis_url: str) -> None:
        self._directory = directory
        self.port, self.registry_port = self._free_port("web"), self._free_port("registry")
        inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        self._environment = {
            **inherited,
            "DATABASE_URL": postgres_url,
            "DRAGONFLY_URL": redis_url,
            "PORT": str(self.port),
            "CONFIG_SERVICE_PORT": str(self.registry_port),
            "FLOW_REGISTRY_URL": f"http://127.0.0.1:{self.registry_port}",
            "WEB_CONCURRENCY": "2",
            "RATE_LIMIT_REQUESTS": "1000000",
            "DRAIN_SECONDS": "0.5",
            "GRACEFUL_TIMEOUT_SECONDS": "5",
        }
        self.registry = self._run("gunicorn_configservice.conf.py", "wsgi:configuration_service")
        self.gateway = self._run("gunicorn.conf.py", "wsgi:app")

    def _free_port(self, name: str) -> int:
        (self._directory / name).mkdir()
        return remembered_port(self._directory / name)

    def _run(self, configuration: str, application: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gunicorn", "-c", f"config/{configuration}", application]
        return spawn(command, log=self._directory / f"{configuration}.log", directory=ROOT, environment=self._environment)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def registered(self) -> list[dict[str, Any]]:
        """The gateway's instances, as the Configuration Service knows them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.registry_port}/api/v1/services", timeout=5) as answer:
            services = json.load(answer)["data"]
        return [instance for service in services if service["name"] == "api-gateway" for instance in service["instances"]]

    def workers(self) -> set[int]:
        """The pids of the gateway's worker processes."""
        children = Path(f"/proc/{self.gateway.pid}/task/{self.gateway.pid}/children").read_text()
        return {int(pid) for pid in children.split() if is_alive(int(pid))}


@pytest.fixture
def deployment(tmp_path: Path, postgres_url: str, redis_url: str) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path, postgres_url, redis_url)
    try:
        assert wait_until(deployment.is_ready, timeout_seconds=40), (tmp_path / "gunicorn.conf.py.log").read_text()
        assert wait_until(lambda: bool(deployment.registered()), timeout_seconds=20)
        yield deployment
    finally:
        for process in (deployment.gateway, deployment.registry):
            end(process, signal.SIGQUIT, patience_seconds=5)


class Caller(threading.Thread):
    """Asks without pause until told otherwise; notes every answer that is not 200 and every connection that broke."""

    def __init__(self, port: int, path: str, *, keep_alive: bool) -> None:
        super().__init__(daemon=True)
        self.answered, self.failures = 0, list[str]()
        self._port, self._path, self._keep_alive, self._enough = port, path, keep_alive, threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        while not self._enough.is_set():
            try:
                connection.request("GET", self._path)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200:
                    self.answered += 1
                else:
                    self.failures.append(f"{answer.status} {body[:200]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            if not self._keep_alive:
                connection.close()
        connection.close()

    def finish(self) -> None:
        self._enough.set()
        self.join(20)


def test_a_rolling_restart_under_load_drops_no_request_and_keeps_the_lease(deployment: Deployment) -> None:
    old, lease = deployment.workers(), deployment.registered()[0]["id"]
    assert len(old) == 2
    callers = [
        Caller(deployment.port, path, keep_alive=keep_alive)
        for path in ("/livez", "/api/v1/services", "/health")
        for keep_alive in (True, False)
    ]
    for caller in callers:
        caller.start()
    assert wait_until(lambda: all(caller.answered > 5 for caller in callers), timeout_seconds=20)

    deployment.gateway.send_signal(signal.SIGHUP)
    assert wait_until(lambda: not any(is_alive(pid) for pid in old), timeout_seconds=30)
    for caller in callers:
        caller.finish()

    assert [failure for caller in callers for failure in caller.failures] == []
    assert len(deployment.workers()) == 2
    assert [instance["id"] for instance in deployment.registered()] == [lease]


def test_a_stop_gives_the_lease_up(deployment: Deployment) -> None:
    deployment.gateway.send_signal(signal.SIGTERM)
    assert deployment.gateway.wait(20) == 0
    assert deployment.registered() == []
