"""PostgreSQL is killed again and again while recoveries are opened and carried out: none is left open, every id can be read."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from embedded.postgres import EmbeddedPostgres
from embedded.processes import wait_until
from gateway.container import Container, build_container
from gateway.databases.errors import DatabaseError
from gateway.errors import NotFound
from gateway.recovery.ledger.model import OPEN
from gateway.recovery.model import Action, Decision, Strategy
from tests.conftest import migrate
from tests.fakes.celery_process import SHORT_LEASES, celery_beat, celery_worker, worker_settings
from tests.fakes.recoveries import RECONNECT, fault

ROUNDS = 3
UP_SECONDS = 2.0
PROBE = Decision(Action.RETRY, Strategy.DELAYED, "tests")


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """One that survives being killed."""
    server = EmbeddedPostgres(tmp_path / "postgres")
    server.start()
    migrate(server.url)
    yield server
    server.remove()


@pytest.fixture
def environment(own_postgres: EmbeddedPostgres, redis_url: str, tmp_path: Path) -> dict[str, str]:
    return worker_settings(own_postgres.url, redis_url, tmp_path, RECOVERY_MAX_SECONDS="20", **SHORT_LEASES)


@pytest.fixture
def container(environment: dict[str, str]) -> Iterator[Container]:
    container = build_container(Settings.from_environment(environment))
    container.start()
    yield container
    container.stop()


def read_all(container: Container, given: list[str]) -> list[str]:
    """The statuses of these recoveries; empty while they cannot be read yet."""
    try:
        return [container.recoveries.get(recovery_id).status.value for recovery_id in given]
    except (DatabaseError, NotFound):
        return []


def test_no_recovery_is_left_open_for_ever(
    container: Container, own_postgres: EmbeddedPostgres, environment: dict[str, str], tmp_path: Path
) -> None:
    given: list[str] = []
    with celery_beat(environment, tmp_path), celery_worker(environment, tmp_path) as worker:
        for round_number in range(ROUNDS):
            until = time.monotonic() + UP_SECONDS
            given += open_some(container, f"before-{round_number}")
            assert wait_until(lambda until=until: time.monotonic() >= until, timeout_seconds=10)  # type: ignore[misc]
            own_postgres.kill()
            given += open_some(container, f"during-{round_number}")
            own_postgres.start()
        open_words = {status.value for status in OPEN}
        assert wait_until(lambda: bool(found := read_all(container, given)) and not open_words & set(found), timeout_seconds=75), (
            read_all(container, given),
            worker.said()[-3000:],
        )
    assert len(given) == ROUNDS * 4
    for status in OPEN:
        assert wait_until(lambda status=status: container.recoveries.list_page(status=status).total == 0, timeout_seconds=30)  # type: ignore[misc]


def open_some(container: Container, name: str) -> list[str]:
    """One of PostgreSQL itself, one of a service that nobody knows: there is an answer, whatever is away."""
    ids = [
        container.recoveries.intend(fault("database:postgres"), RECONNECT),
        container.recoveries.intend(fault(f"service:{name}"), PROBE),
    ]
    return [each for each in ids if each]
