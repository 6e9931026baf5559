"""Recoveries on a real Celery worker, killed in the middle of them: each ends, none acts twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.processes import wait_until
from gateway.container import Container
from gateway.recovery.decide import Situation, decide
from gateway.recovery.ledger.model import AttemptOutcome, RecoveryStatus, RecoveryView
from gateway.recovery.model import FaultType
from tests.fakes.celery_process import SHORT_LEASES, CeleryProcess, celery_beat, celery_worker, worker_settings
from tests.fakes.executions import flow_document
from tests.fakes.platform import Platform
from tests.fakes.recoveries import fault
from tests.fakes.recovering import HEAL, recovering_container

NO_RETRY = {"retryPolicy": {"maxAttempts": 1}}


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform(heal=HEAL).serving() as platform:
        yield platform


@pytest.fixture
def environment(postgres_url: str, redis_url: str, platform: Platform, tmp_path: Path) -> dict[str, str]:
    return worker_settings(postgres_url, redis_url, tmp_path, registry_url=platform.url, **SHORT_LEASES)


@pytest.fixture
def container(environment: dict[str, str]) -> Iterator[Container]:
    with recovering_container(environment) as container:
        yield container


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
        if whole_worker:
            first.kill_everything()
        else:
            first.kill_children()
        platform.gate.set()
        with celery_worker(environment, tmp_path, "w2") as second:
            views = [until_ended(container, recovery_id, second) for recovery_id in opened]
    assert {view.status for view in views} == {RecoveryStatus.RECOVERED}, views
    assert len({view.execution_id for view in views}) == 3
    assert container.executions.list_for_flow("heal").total == 3
    assert len({call["idempotency-key"] for call in platform.calls}) == 3  # a node may be tried again, by the same key
    assert all(view.attempts[-1].outcome is AttemptOutcome.SUCCEEDED for view in views)


@pytest.mark.parametrize(("triggered_by", "opened"), [("api", 1), ("recovery", 0)])
def test_what_fails_while_recovering_asks_for_no_recovery_of_its_own(
    container: Container, platform: Platform, triggered_by: str, opened: int
) -> None:
    platform.flows["f1"] = flow_document({"fetch": {"type": "service", "config": {"service": "nobody", "path": "/"}}}, **NO_RETRY)
    execution_id = container.executions.start("f1", {}, triggered_by=triggered_by, execution_context={}).execution.id
    container.executions.run_node(execution_id, "fetch")
    container.recoveries.stop()  # what waits is written down
    assert container.recoveries.list_page(target="service:nobody").total == opened
