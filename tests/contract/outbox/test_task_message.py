"""What the sender lays into the broker is what Celery itself would: compared with Celery's own message, and read back by kombu."""

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis
from celery import Celery

from config.settings import Settings
from gateway.outbox.celery import CelerySender
from gateway.outbox.model import ROUTES, Message, TaskName
from tasks.configuration import celery_settings

MESSAGE = Message(TaskName.RUN_NODE, {"execution_id": "e1", "node_id": "größe"}, "request-1")
QUEUE = ROUTES[TaskName.RUN_NODE].value


@pytest.fixture
def sender(redis_url: str) -> Iterator[CelerySender]:
    with closing(CelerySender(redis_url)) as sender:
        yield sender


@pytest.fixture
def celery_app(redis_url: str) -> Iterator[Celery]:
    app = Celery("contract", set_as_current=False)
    app.conf.update(celery_settings(Settings.from_environment({"REDIS_URL": redis_url})))
    with closing(app):
        yield app


def taken(redis_url: str) -> dict[str, Any]:
    """The one message in the queue, with its body opened."""
    with closing(redis.Redis.from_url(redis_url)) as client:
        assert client.llen(QUEUE) == 1
        raw = client.rpop(QUEUE)
    assert isinstance(raw, bytes)
    found: dict[str, Any] = json.loads(raw)
    return found


def without_ids(message: dict[str, Any]) -> dict[str, Any]:
    headers, properties = message["headers"], message["properties"]
    assert headers["id"] == headers["root_id"] == properties["correlation_id"]
    for name in (headers.pop("id"), headers.pop("root_id"), properties.pop("correlation_id"), properties.pop("delivery_tag")):
        uuid.UUID(name)
    properties.pop("reply_to")  # Celery names a queue for results, which every task ignores
    return message


def test_it_is_the_message_that_celery_sends(sender: CelerySender, celery_app: Celery, redis_url: str) -> None:
    sender.send(MESSAGE)
    ours = without_ids(taken(redis_url))
    celery_app.send_task(
        MESSAGE.task,
        kwargs=dict(MESSAGE.arguments),
        queue=QUEUE,
        headers={"request_id": MESSAGE.request_id},
        ignore_result=True,
        add_to_parent=False,
    )
    assert ours == without_ids(taken(redis_url))


def test_a_consumer_reads_the_task_and_acknowledges_it(sender: CelerySender, celery_app: Celery, redis_url: str) -> None:
    sender.send(MESSAGE)
    with celery_app.connection_for_read() as connection, connection.SimpleQueue(celery_app.amqp.queues[QUEUE]) as queue:
        message = queue.get(timeout=5)
        message.ack()
    args, arguments, _ = message.payload
    assert (args, arguments) == ([], MESSAGE.arguments)
    assert message.headers["task"] == MESSAGE.task
    assert message.headers["request_id"] == MESSAGE.request_id
    assert message.delivery_info["routing_key"] == QUEUE
