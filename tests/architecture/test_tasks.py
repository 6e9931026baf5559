"""Every task is registered, routed and of our base; beat names real tasks."""

import pytest

from gateway.outbox.model import ROUTES, Queue, TaskName
from tasks.app import app
from tasks.base import GatewayTask


@pytest.fixture(scope="module", autouse=True)
def loaded_tasks() -> None:
    app.loader.import_default_modules()


def own_tasks() -> dict[str, object]:
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_every_task_name_is_registered_and_every_task_has_a_name() -> None:
    assert set(own_tasks()) == {name.value for name in TaskName}


def test_every_task_is_routed_to_a_declared_queue() -> None:
    for name in TaskName:
        queue = app.amqp.router.route({}, name.value)["queue"]
        assert queue.name == ROUTES[name].value
        assert queue.name in {each.value for each in Queue}


def test_every_task_logs_and_carries_the_request_id() -> None:
    assert all(isinstance(task, GatewayTask) for task in own_tasks().values())


def test_beat_names_real_tasks() -> None:
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(own_tasks())


def test_a_task_body_rings_one_service() -> None:
    for task in own_tasks().values():
        lines = task.run.__code__.co_lines()  # type: ignore[attr-defined]
        assert len({line for _, _, line in lines if line}) <= 10
