"""A real Celery worker on a real broker: end to end, and killed in the middle of a node."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.settings import Settings
from gateway.container import Container, build_container
from gateway.executions.model import ExecutionStatus
from gateway.observability.context import request_context
from tests.fakes.executions import flow_document
from tests.fakes.platform import Platform

ROOT = Path(__file__).parents[2]
FLOW = flow_document(
    {
        "fetch": {"type": "service", "config": {"service": "prices", "path": "/today", "timeoutMs": 60000}},
        "double": {"output": "${nodes.fetch.output.body.close * 2.0}"},
    },
    [("fetch", "double")],
)


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform().serving() as platform:
        platform.flows["f1"] = FLOW
        yield platform


@pytest.fixture
def environment(postgres_url: str, redis_url: str, platform: Platform, tmp_path: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": postgres_url,
        "DRAGONFLY_URL": redis_url,
        "FLOW_REGISTRY_URL": f"http://127.0.0.1:{platform.port}",
        "NODE_LEASE_SECONDS": "2",
        "SWEEP_INTERVAL_SECONDS": "1",
        "WORKER_CONCURRENCY": "2",
        "LOG_FORMAT": "json",
        "SPOOL_DIRECTORY": str(tmp_path / "spool"),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def container(environment: dict[str, str]) -> Iterator[Container]:
    """The web process's part: it starts executions and relays their messages, nothing more."""
    container = build_container(Settings.from_environment(environment))
    container.relay.start()
    yield container
    container.stop()


class Celery:
    """One `celery` command and all its children."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tasks.app", *arguments],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill_everything(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill_everything()
            raise


@contextmanager
def celery(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[Celery]:
    command = Celery(arguments, environment, log)
    try:
        yield command
    finally:
        command.kill_everything()


def worker(environment: dict[str, str], tmp_path: Path, name: str = "w1"):  # type: ignore[no-untyped-def]
    return celery(["worker", "--without-gossip", "--without-mingle", "-n", f"{name}@test"], environment, tmp_path / f"{name}.log")


def beat(environment: dict[str, str], tmp_path: Path):  # type: ignore[no-untyped-def]
    return celery(["beat", "--pidfile", ""], environment, tmp_path / "beat.log")


def start(container: Container) -> str:
    with request_context("caller-1"):
        return container.executions.start("f1", {}, triggered_by="tests", execution_context={}).execution.id


def logged(tmp_path: Path, name: str) -> str:
    return (tmp_path / f"{name}.log").read_text()


def until_ready(tmp_path: Path, name: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while " ready." not in logged(tmp_path, name):
        assert time.monotonic() < deadline, logged(tmp_path, name)
        time.sleep(0.05)


def test_a_flow_runs_on_a_real_worker_and_the_request_id_goes_all_the_way(
    environment: dict[str, str], container: Container, platform: Platform, tmp_path: Path
) -> None:
    execution_id = start(container)
    with worker(environment, tmp_path) as running:
        view = container.executions.wait(execution_id, 30)
        assert view.status is ExecutionStatus.COMPLETED, logged(tmp_path, "w1")
        assert view.result == 25.0
        assert platform.reported.wait(10), logged(tmp_path, "w1")
        assert running.stop() == 0, logged(tmp_path, "w1")
    assert platform.calls[0]["x-request-id"] == "caller-1"
    assert platform.calls[0]["idempotency-key"] == f"{execution_id}:fetch"
    assert platform.reports == [{"status": "completed", "result": 25.0}]
    log = logged(tmp_path, "w1")
    finished = [line for line in log.splitlines() if '"task_finished"' in line]
    assert finished
    assert all('"request_id": "caller-1"' in line and '"duration_ms"' in line for line in finished)
    assert "Traceback" not in log
    container.worker_health.refresh()
    assert container.worker_health.snapshot()["queues"]["executions"]["lastConsumedAt"] is not None


@pytest.mark.parametrize("whole_worker", [True, False], ids=["worker", "child"])
def test_a_worker_killed_in_the_middle_of_a_node_loses_nothing(
    environment: dict[str, str], container: Container, platform: Platform, tmp_path: Path, whole_worker: bool
) -> None:
    platform.gate.clear()
    execution_id = start(container)
    with beat(environment, tmp_path), worker(environment, tmp_path) as first:
        assert platform.called.acquire(timeout=30), logged(tmp_path, "w1")
        if whole_worker:
            first.kill_everything()
        else:
            for child in first.children():
                os.kill(child, signal.SIGKILL)
        platform.gate.set()
        with worker(environment, tmp_path, "w2"):
            view = container.executions.wait(execution_id, 40)
    assert view.status is ExecutionStatus.COMPLETED, logged(tmp_path, "w2")
    assert view.nodes[0].attempts == 2
    assert view.nodes[1].attempts == 1
    assert {call["idempotency-key"] for call in platform.calls} == {f"{execution_id}:fetch"}


def test_a_worker_that_is_asked_to_leave_hands_back_what_it_has_in_hand(
    environment: dict[str, str], container: Container, platform: Platform, tmp_path: Path
) -> None:
    environment |= {"NODE_LEASE_SECONDS": "300", "WORKER_SOFT_SHUTDOWN_SECONDS": "1", "REMAP_SIGTERM": "SIGQUIT"}
    platform.gate.clear()
    execution_id = start(container)
    with worker(environment, tmp_path) as first:  # no beat: nobody sweeps
        assert platform.called.acquire(timeout=30), logged(tmp_path, "w1")
        with worker(environment, tmp_path, "w2"):
            until_ready(tmp_path, "w2")
            first.stop()
            taken_over = platform.called.acquire(timeout=60)  # far sooner than its lease would end
            assert taken_over, logged(tmp_path, "w1") + logged(tmp_path, "w2")
            platform.gate.set()
            view = container.executions.wait(execution_id, 30)
    assert view.status is ExecutionStatus.COMPLETED, logged(tmp_path, "w2")
    assert (view.nodes[0].attempts, view.result) == (2, 25.0)
    assert "leases_handed_back" in logged(tmp_path, "w1")
    assert "Traceback" not in logged(tmp_path, "w1")


def test_a_broker_that_comes_late_gets_everything(
    environment: dict[str, str], container: Container, platform: Platform, tmp_path: Path
) -> None:
    deaf = build_container(Settings.from_environment({**environment, "DRAGONFLY_URL": "redis://127.0.0.1:1/0"}))
    deaf.relay.start()
    execution_id = start(deaf)
    deaf.stop()
    with worker(environment, tmp_path):
        assert container.executions.wait(execution_id, 30).status is ExecutionStatus.COMPLETED, logged(tmp_path, "w1")
