"""Recoveries on a real Celery worker, killed in the middle of them: each ends, none acts twice."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from embedded.processes import wait_until
from gateway.container import Container, build_container
from gateway.recovery.decide import Situation, decide
from gateway.recovery.ledger.flows import FlowRefresher
from gateway.recovery.ledger.model import AttemptOutcome, RecoveryStatus, RecoveryView
from gateway.recovery.model import FaultType
from tests.fakes.celery_process import CeleryProcess, celery_beat, celery_worker
from tests.fakes.executions import flow_document
from tests.fakes.platform import Platform
from tests.fakes.recoveries import FakeRegistry, fault

NO_RETRY = {"retryPolicy": {"maxAttempts": 1}}
HEAL = {
    **flow_document(
        {"fetch": {"type": "service", "config": {"service": "prices", "path": "/today", "timeoutMs": 60000}}},
        parameters=[{"name": "target", "type": "string", "required": True}],
        tags=["recovery:UPSTREAM_ERROR"],
    ),
    "id": "heal",
}


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform().serving() as platform:
        platform.flows["heal"] = HEAL
        yield platform


@pytest.fixture
def environment(postgres_url: str, redis_url: str, platform: Platform, tmp_path: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": postgres_url,
        "DRAGONFLY_URL": redis_url,
        "FLOW_REGISTRY_URL": f"http://127.0.0.1:{platform.port}",
        "NODE_LEASE_SECONDS": "2",
        "RECOVERY_LEASE_SECONDS": "2",
        "SWEEP_INTERVAL_SECONDS": "1",
        "WORKER_CONCURRENCY": "2",
        "LOG_FORMAT": "json",
        "SPOOL_DIRECTORY": str(tmp_path / "spool"),
    }


@pytest.fixture
def container(environment: dict[str, str]) -> Iterator[Container]:
    """The web process's part: it opens recoveries and relays their messages."""
    container = build_container(Settings.from_environment(environment))
    FlowRefresher(container.outbox, FakeRegistry([{**HEAL, "status": "active"}])).refresh()
    container.recoveries.step()
    container.relay.start()
    container.recoveries.start(watching=False)
    yield container
    container.stop()


def open_recovery(container: Container, target: str) -> str:
    broken = fault(target, FaultType.UPSTREAM)
    recovery_id = container.recoveries.intend(broken, decide(broken, Situation(recovery_flow=container.recoveries.has_flow(broken))))
    assert recovery_id
    return recovery_id


def until_ended(container: Container, recovery_id: str, worker: CeleryProcess) -> RecoveryView:
    assert wait_until(lambda: find_ended(container, recovery_id) is not None, timeout_seconds=60), worker.said()[-4000:]
    return container.recoveries.get(recovery_id)


def find_ended(container: Container, recovery_id: str) -> RecoveryView | None:
    found = container.recoveries.list_page(limit=100).recoveries  # written in the background: not there at once
    return next((container.recoveries.get(each.id) for each in found if each.id == recovery_id and each.status.is_final), None)


def test_a_recovery_flow_runs_on_a_real_worker(
    environment: dict[str, str], container: Container, platform: Platform, tmp_path: Path
) -> None:
    with celery_worker(environment, tmp_path) as worker:
        view = until_ended(container, open_recovery(container, "service:orders"), worker)
    assert (view.status, view.healed_by, view.action) == (RecoveryStatus.RECOVERED, "run_recovery_flow", "run_recovery_flow")
    assert view.execution_id
    execution = container.executions.get(view.execution_id)
    assert (execution.triggered_by, execution.parameters) == ("recovery", {"target": "service:orders"})
    assert len(platform.calls) == 1


@pytest.mark.parametrize("whole_worker", [True, False], ids=["worker", "children"])
def test_a_worker_killed_during_recoveries_acts_once_for_each(
    environment: dict[str, str], container: Container, platform: Platform, tmp_path: Path, whole_worker: bool
) -> None:
    platform.gate.clear()
    with celery_beat(environment, tmp_path), celery_worker(environment, tmp_path) as first:
        opened = [open_recovery(container, f"service:s{number}") for number in range(3)]
        assert platform.called.acquire(timeout=30), first.said()
        kill(first, whole_worker=whole_worker)
        platform.gate.set()
        with celery_worker(environment, tmp_path, "w2") as second:
            views = [until_ended(container, recovery_id, second) for recovery_id in opened]
    assert {view.status for view in views} == {RecoveryStatus.RECOVERED}, views
    assert len({view.execution_id for view in views}) == 3
    assert container.executions.list_for_flow("heal").total == 3
    assert len({call["idempotency-key"] for call in platform.calls}) == 3  # a node may be tried again, by the same key
    assert all(view.attempts[-1].outcome is AttemptOutcome.SUCCEEDED for view in views)


def kill(worker: CeleryProcess, *, whole_worker: bool) -> None:
    if whole_worker:
        worker.kill_everything()
        return
    pid = worker.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)


@pytest.mark.parametrize(("triggered_by", "opened"), [("api", 1), ("recovery", 0)])
def test_what_fails_while_recovering_asks_for_no_recovery_of_its_own(
    container: Container, platform: Platform, triggered_by: str, opened: int
) -> None:
    platform.flows["f1"] = flow_document({"fetch": {"type": "service", "config": {"service": "nobody", "path": "/"}}}, **NO_RETRY)
    execution_id = container.executions.start("f1", {}, triggered_by=triggered_by, execution_context={}).execution.id
    container.executions.run_node(execution_id, "fetch")
    container.recoveries.stop()  # what waits is written down
    assert container.recoveries.list_page(target="service:nobody").total == opened
