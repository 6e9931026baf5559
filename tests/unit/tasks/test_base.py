from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Ignore

from gateway.databases.errors import DatabaseUnreachable
from gateway.errors import Unavailable
from gateway.observability.context import current_request_id
from tasks.app import app
from tasks.base import GatewayTask
from tasks.process import Process
from tests.fakes.logs import own_logs


class FakeHealth:
    def __init__(self) -> None:
        self.consumed_from: list[tuple[str, str]] = []
        self.error: Exception | None = None

    def consumed(self, hostname: str, queue: str) -> None:
        if self.error:
            raise self.error
        self.consumed_from.append((hostname, queue))


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> FakeHealth:
    health = FakeHealth()
    monkeypatch.setattr("tasks.base.process", SimpleNamespace(container=lambda: SimpleNamespace(worker_health=health)))
    return health


@pytest.fixture
def ring(health: FakeHealth) -> Iterator[Any]:
    """Call a body as a worker would, as a task of our base."""
    task = GatewayTask()
    task.bind(app)
    task.name = "tests.task"
    delivery = {"routing_key": "executions"}
    task.push_request(id="t1", hostname="w1", delivery_info=delivery, headers={"request_id": "caller-1"}, called_directly=False)

    def call(body: Any) -> Any:
        task.run = body
        return task()

    yield call
    task.pop_request()


def test_the_callers_request_id_is_bound_while_the_task_runs(ring: Any) -> None:
    assert ring(current_request_id) == "caller-1"
    assert current_request_id() is None


def test_start_and_end_are_logged_with_the_duration(ring: Any) -> None:
    with own_logs() as logs:
        ring(lambda: None)
    assert [each["event"] for each in logs] == ["task_started", "task_finished"]
    assert isinstance(logs[1]["duration_ms"], int)


def test_an_expected_failure_is_one_line_and_not_retried(ring: Any) -> None:
    def fail() -> None:
        raise Unavailable("PostgreSQL cannot be reached")

    with own_logs() as logs, pytest.raises(Ignore):
        ring(fail)
    assert logs[-1]["event"] == "task_failed"
    assert logs[-1]["code"] == "SERVICE_UNAVAILABLE"


def test_a_bug_is_logged_with_its_traceback(ring: Any) -> None:
    with own_logs() as logs, pytest.raises(Ignore):
        ring(lambda: 1 / 0)
    assert logs[-1]["event"] == "task_crashed"
    assert logs[-1]["exc_info"]


def test_every_task_is_a_sign_of_life_of_its_queue(ring: Any, health: FakeHealth) -> None:
    ring(lambda: None)
    assert health.consumed_from == [("w1", "executions")]


def test_a_task_runs_when_its_sign_of_life_cannot_be_written(ring: Any, health: FakeHealth) -> None:
    health.error = DatabaseUnreachable("postgres", "PostgreSQL cannot be reached")
    assert ring(lambda: "ran") == "ran"


def test_each_process_builds_its_own_container_once() -> None:
    built: list[Any] = []

    def build() -> Any:
        built.append(SimpleNamespace(start_worker=lambda: None, stop=lambda: built.append("stopped")))
        return built[-1]

    process = Process(build)
    assert process.container() is process.container()
    process._pid = -1  # as after a fork
    process.container()
    assert len(built) == 2
    process.stop()
    process.stop()
    assert built[2:] == ["stopped"]
