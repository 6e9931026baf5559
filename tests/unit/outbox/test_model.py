from gateway.outbox.model import ROUTES, Queue, TaskName
from tasks.configuration import broker_queues


def test_every_task_has_a_queue() -> None:
    assert set(ROUTES) == set(TaskName)


def test_every_queue_is_declared_to_the_broker() -> None:
    assert {queue.name for queue in broker_queues()} == {queue.value for queue in Queue}
