"""Workers are killed with SIGKILL, one after the other, while recoveries are under way: each recovery ends, and each acts once.

What acts here is the call that a recovery flow makes. A node whose worker died is tried again, so a call may be sent twice; it carries the
same `Idempotency-Key` then, and an upstream that honours keys acts once. Nothing better can be had over HTTP.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from embedded.processes import wait_until
from gateway.container import Container, build_container
from gateway.recovery.ledger.flows import FlowRefresher
from gateway.recovery.ledger.model import RecoveryStatus
from gateway.recovery.model import Action, Decision, FaultType, Strategy
from tests.fakes.celery_process import celery_beat, celery_worker
from tests.fakes.executions import flow_document
from tests.fakes.platform import Platform
from tests.fakes.recoveries import FakeRegistry, fault

RECOVERIES, KILLS = 6, 2
HEAL = {
    **flow_document(
        {"act": {"type": "service", "config": {"service": "prices", "path": "/today", "timeoutMs": 60000}}},
        tags=["recovery:UPSTREAM_ERROR"],
    ),
    "id": "heal",
}
RUN_FLOW = Decision(Action.RUN_RECOVERY_FLOW, Strategy.DELAYED, "tests")


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


def statuses(container: Container, opened: list[str]) -> set[RecoveryStatus]:
    """Of the recoveries that are written down; the others count as pending."""
    found = {each.id: each.status for each in container.recoveries.list_page(limit=100).recoveries}
    return {found.get(each, RecoveryStatus.PENDING) for each in opened}


def test_every_recovery_ends_and_acts_once_though_its_workers_are_killed(
    environment: dict[str, str], container: Container, platform: Platform, tmp_path: Path
) -> None:
    platform.gate.clear()
    given = [container.recoveries.intend(fault(f"service:s{number}", FaultType.UPSTREAM), RUN_FLOW) for number in range(RECOVERIES)]
    opened = [each for each in given if each]
    with celery_beat(environment, tmp_path):
        for number in range(KILLS):
            with celery_worker(environment, tmp_path, f"killed-{number}") as worker:
                assert platform.called.acquire(timeout=60), worker.said()[-3000:]
                worker.kill_everything()  # its call is under way, and nobody will hear the answer
        platform.gate.set()
        with celery_worker(environment, tmp_path, "last") as worker:
            ended = wait_until(lambda: statuses(container, opened) == {RecoveryStatus.RECOVERED}, timeout_seconds=90)
            assert ended, (statuses(container, opened), worker.said()[-3000:])
    views = [container.recoveries.get(each) for each in opened]
    assert len({view.execution_id for view in views}) == container.executions.list_for_flow("heal").total == RECOVERIES
    assert len({call["idempotency-key"] for call in platform.calls}) == RECOVERIES
    assert len(platform.calls) > RECOVERIES  # what was cut off was sent again, by the same key
