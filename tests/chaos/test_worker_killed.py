"""Workers are killed with SIGKILL, one after the other, while recoveries are under way: each recovery ends, and each acts once.

What acts here is the call that a recovery flow makes. A node whose worker died is tried again, so a call may be sent twice; it carries the
same `Idempotency-Key` then, and an upstream that honours keys acts once. Nothing better can be had over HTTP.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.processes import wait_until
from gateway.container import Container
from gateway.recovery.ledger.model import RecoveryStatus
from gateway.recovery.model import Action, Decision, FaultType, Strategy
from tests.fakes.celery_process import SHORT_LEASES, celery_beat, celery_worker, worker_settings
from tests.fakes.platform import Platform
from tests.fakes.recoveries import fault
from tests.fakes.recovering import HEAL, recovering_container

RECOVERIES, KILLS = 6, 2
RUN_FLOW = Decision(Action.RUN_RECOVERY_FLOW, Strategy.DELAYED, "tests")


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
