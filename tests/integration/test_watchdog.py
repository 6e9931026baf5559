"""A real worker whose consumer is made deaf is ended by its watchdog, and only then."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from config.settings import Settings
from embedded.processes import wait_until
from embedded.redis import EmbeddedRedis
from gateway.container import Container, build_container
from tasks.watchdog import EXIT_CODE
from tests.fakes.celery_process import CeleryProcess, celery_beat, celery_worker, worker_settings

DEAF = "tests.doubles.deaf_worker"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """One of its own: it is killed."""
    server = EmbeddedRedis(tmp_path / "broker")
    server.start()
    yield server
    server.remove()


@pytest.fixture
def environment(postgres_url: str, broker: EmbeddedRedis, tmp_path: Path) -> dict[str, str]:
    return worker_settings(postgres_url, broker.url, tmp_path, WORKER_CONCURRENCY="1", DEAF_FLAG=str(tmp_path / "deaf"))


@pytest.fixture
def container(environment: dict[str, str]) -> Iterator[Container]:
    container = build_container(Settings.from_environment(environment))
    yield container
    container.stop()


def consumes(container: Container, worker: CeleryProcess, *, beyond: str = "") -> str:
    """Wait until the worker consumed something later than `beyond`; when that was."""

    def seen() -> str:
        container.worker_health.refresh()
        return max((each["lastSeenAt"] for each in container.worker_health.snapshot()["workers"]), default="")

    assert wait_until(lambda: seen() > beyond, timeout_seconds=40), worker.said()
    return seen()


def test_a_deaf_worker_is_ended(environment: dict[str, str], container: Container, tmp_path: Path) -> None:
    with celery_worker(environment, tmp_path, app=DEAF) as worker:
        consumes(container, worker)
        Path(environment["DEAF_FLAG"]).touch()
        assert worker.process.wait(60) == EXIT_CODE, worker.said()
        assert '"worker_ended_by_watchdog"' in worker.said()
    Path(environment["DEAF_FLAG"]).unlink()
    container.worker_health.refresh()
    before = max(each["lastSeenAt"] for each in container.worker_health.snapshot()["workers"])
    with celery_worker(environment, tmp_path, app=DEAF) as worker:  # what the supervisor does
        consumes(container, worker, beyond=before)


def test_a_worker_outlives_its_broker_and_consumes_again(
    environment: dict[str, str], container: Container, broker: EmbeddedRedis, tmp_path: Path
) -> None:
    """Would notice a set of versions that stays deaf after a reconnect."""
    with celery_beat(environment, tmp_path), celery_worker(environment, tmp_path) as worker:
        last = consumes(container, worker)
        broker.kill()
        assert wait_until(
            lambda: "Connection to broker lost" in worker.said() or "watchdog_ring_failed" in worker.said(), timeout_seconds=40
        )
        broker.start()
        consumes(container, worker, beyond=last)
        assert worker.process.poll() is None
        assert "worker_ended_by_watchdog" not in worker.said()


def test_a_worker_leaves_no_queue_behind_in_an_exchange(
    environment: dict[str, str], container: Container, broker: EmbeddedRedis, tmp_path: Path
) -> None:
    with celery_worker(environment, tmp_path) as worker:
        consumes(container, worker)
    with redis.Redis.from_url(broker.url) as client:
        bindings = [member for key in client.scan_iter("_kombu.binding.*") for member in client.smembers(key)]
    assert not [member for member in bindings if b"worker-w1@test" in member]
