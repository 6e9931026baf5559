"""A real Celery worker on a real broker: end to end, and killed in the middle of a node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from embedded.processes import wait_until
from gateway.container import Container, build_container
from gateway.executions.model import ExecutionStatus
from gateway.observability.context import request_context
from tests.fakes.celery_process import SHORT_LEASES, celery_beat, celery_worker, worker_settings
from tests.fakes.executions import flow_document
from tests.fakes.platform import Platform

FLOW = flow_document(
    {
        "fetch": {"type": "service", "config": {"service": "prices", "path": "/today", "timeoutMs": 60000}},
        "double": {"output": "${nodes.fetch.output.body.close * 2.0}"},
    },
    [("fetch", "double")],
)


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform(f1=FLOW).serving() as platform:
        yield platform


@pytest.fixture
def environment(postgres_url: str, redis_url: str, platform: Platform, tmp_path: Path) -> dict[str, str]:
    return worker_settings(postgres_url, redis_url, tmp_path, registry_url=platform.url, HOME=str(tmp_path), **SHORT_LEASES)


@pytest.fixture
def container(environment: dict[str, str]) -> Iterator[Container]:
    """The web process's part: it starts executions and relays their messages, nothing more."""
    container = build_container(Settings.from_environment(environment))
    container.relay.start()
    yield container
    container.stop()


def start(container: Container) -> str:
    with request_context("caller-1"):
        return container.executions.start("f1", {}, triggered_by="tests", execution_context={}).execution.id


def test_a_flow_runs_on_a_real_worker_and_the_request_id_goes_all_the_way(
    environment: dict[str, str], container: Container, platform: Platform, tmp_path: Path
) -> None:
    execution_id = start(container)
    with celery_worker(environment, tmp_path) as running:
        view = container.executions.wait(execution_id, 30)
        assert view.status is ExecutionStatus.COMPLETED, running.said()
        assert view.result == 25.0
        assert platform.reported.wait(10), running.said()
        assert running.stop() == 0, running.said()
    assert platform.calls[0]["x-request-id"] == "caller-1"
    assert platform.calls[0]["idempotency-key"] == f"{execution_id}:fetch"
    assert platform.reports == [{"status": "completed", "result": 25.0}]
    log = running.said()
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
    with celery_beat(environment, tmp_path), celery_worker(environment, tmp_path) as first:
        assert platform.called.acquire(timeout=30), first.said()
        if whole_worker:
            first.kill_everything()
        else:
            first.kill_children()
        platform.gate.set()
        with celery_worker(environment, tmp_path, "w2") as second:
            view = container.executions.wait(execution_id, 40)
    assert view.status is ExecutionStatus.COMPLETED, second.said()
    assert view.nodes[0].attempts == 2
    assert view.nodes[1].attempts == 1
    assert {call["idempotency-key"] for call in platform.calls} == {f"{execution_id}:fetch"}


def test_a_worker_that_is_asked_to_leave_hands_back_what_it_has_in_hand(
    environment: dict[str, str], container: Container, platform: Platform, tmp_path: Path
) -> None:
    environment |= {"NODE_LEASE_SECONDS": "300", "WORKER_SOFT_SHUTDOWN_SECONDS": "1", "REMAP_SIGTERM": "SIGQUIT"}
    platform.gate.clear()
    execution_id = start(container)
    with celery_worker(environment, tmp_path) as first:  # no beat: nobody sweeps
        assert platform.called.acquire(timeout=30), first.said()
        with celery_worker(environment, tmp_path, "w2") as second:
            assert wait_until(lambda: " ready." in second.said(), timeout_seconds=30), second.said()
            first.stop()
            taken_over = platform.called.acquire(timeout=60)  # far sooner than its lease would end
            assert taken_over, first.said() + second.said()
            platform.gate.set()
            view = container.executions.wait(execution_id, 30)
    assert view.status is ExecutionStatus.COMPLETED, second.said()
    assert (view.nodes[0].attempts, view.result) == (2, 25.0)
    assert "leases_handed_back" in first.said()
    assert "Traceback" not in first.said()


def test_a_broker_that_comes_late_gets_everything(
    environment: dict[str, str], container: Container, platform: Platform, tmp_path: Path
) -> None:
    deaf = build_container(Settings.from_environment({**environment, "DRAGONFLY_URL": "redis://127.0.0.1:1/0"}))
    deaf.relay.start()
    execution_id = start(deaf)
    deaf.stop()
    with celery_worker(environment, tmp_path) as worker:
        assert container.executions.wait(execution_id, 30).status is ExecutionStatus.COMPLETED, worker.said()
