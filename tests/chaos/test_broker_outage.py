"""The broker is killed under load: no answer suffers, and every intent and every flow is carried out after its return."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from config.settings import Settings
from embedded.processes import wait_until
from embedded.redis import EmbeddedRedis
from gateway.app import create_app
from gateway.container import Container, build_container
from gateway.executions.model import ExecutionStatus
from gateway.recovery.ledger.model import RecoveryStatus
from gateway.recovery.model import Action, Decision, Strategy
from tests.fakes.celery_process import celery_worker, worker_settings
from tests.fakes.executions import flow_document
from tests.fakes.platform import Platform
from tests.fakes.recoveries import fault

OUTAGE_SECONDS = 3.0  # the figure of 120 s is measured by the bench; what must hold is the same
CALLERS = 4
FLOW = flow_document({"a": {"output": 1}})
PROBE = Decision(Action.RETRY, Strategy.DELAYED, "tests")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path / "broker")
    server.start()
    yield server
    server.remove()


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform(f1=FLOW).serving() as platform:
        yield platform


@pytest.fixture
def environment(postgres_url: str, broker: EmbeddedRedis, platform: Platform, tmp_path: Path) -> dict[str, str]:
    quiet = {"RATE_LIMIT_REQUESTS": "1000000", "LOG_LEVEL": "WARNING"}
    return worker_settings(postgres_url, broker.url, tmp_path, registry_url=platform.url, **quiet)


@pytest.fixture
def app(environment: dict[str, str]) -> Iterator[Flask]:
    settings = Settings.from_environment(environment)
    container = build_container(settings)
    container.start()
    container.settle(5)
    yield create_app(settings, container)
    container.stop()


class Load:
    """Callers that start flows until told to stop; a recovery of a target of its own is opened beside each tenth."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._container: Container = app.extensions["container"]
        self._stopping = threading.Event()
        self.statuses: list[int] = []
        self.executions: list[str] = []
        self.recoveries: list[str] = []

    def run(self, caller: int) -> None:
        client, number = self._app.test_client(), 0
        while not self._stopping.is_set():
            number += 1
            response = client.post("/api/v1/flows/f1/execute", json={})
            self.statuses.append(response.status_code)
            if response.status_code == 202:
                self.executions.append(response.get_json()["data"]["executionId"])
            if number % 10 == 1:
                self._open(f"service:s{caller}-{number}")
            self._stopping.wait(0.05)

    def _open(self, target: str) -> None:
        recovery_id = self._container.recoveries.intend(fault(target), PROBE)
        assert recovery_id
        self.recoveries.append(recovery_id)

    def stop(self) -> None:
        self._stopping.set()


def ended(container: Container, load: Load) -> dict[str, Any]:
    """What has not ended yet."""
    runs = [each for each in load.executions if container.executions.get(each).status is not ExecutionStatus.COMPLETED]
    open_ones = [each for each in load.recoveries if not container.recoveries.get(each).attempts]
    return {"executions": len(runs), "recoveries": len(open_ones)}


def test_a_broker_killed_under_load_costs_no_answer_and_loses_nothing(
    app: Flask, environment: dict[str, str], broker: EmbeddedRedis, tmp_path: Path
) -> None:
    container: Container = app.extensions["container"]
    load = Load(app)
    with celery_worker(environment, tmp_path) as worker, ThreadPoolExecutor(CALLERS) as callers:
        running = [callers.submit(load.run, caller) for caller in range(CALLERS)]
        assert wait_until(lambda: len(load.statuses) >= 20, timeout_seconds=20)
        broker.kill()
        before, until = len(load.statuses), time.monotonic() + OUTAGE_SECONDS
        assert wait_until(lambda: time.monotonic() >= until and len(load.statuses) > before + 20, timeout_seconds=30)
        broker.start()
        load.stop()
        for each in running:
            each.result(10)
        assert set(load.statuses) == {202}
        assert wait_until(lambda: ended(container, load) == {"executions": 0, "recoveries": 0}, timeout_seconds=60), (
            ended(container, load),
            worker.said()[-3000:],
        )
    assert container.recoveries.list_page(status=RecoveryStatus.SUPERSEDED).total == 0
