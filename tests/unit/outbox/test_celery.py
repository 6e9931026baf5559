import socket
from collections.abc import Iterator

import pytest

from gateway.outbox.celery import CelerySender
from gateway.outbox.errors import BrokerUnreachable, MessageUnroutable
from gateway.outbox.model import Message, TaskName

MESSAGE = Message(TaskName.REPORT, {"execution_id": "e1"}, "request-1")


@pytest.fixture
def silent_server() -> Iterator[int]:
    """Accepts connections (the kernel does) and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        yield listening.getsockname()[1]


def test_a_broker_that_refuses_is_told_at_once() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        sender = CelerySender(f"redis://127.0.0.1:{port}/0")
        with pytest.raises(BrokerUnreachable):
            sender.send(MESSAGE)


def test_a_hung_broker_is_given_up(silent_server: int) -> None:
    sender = CelerySender(f"redis://127.0.0.1:{silent_server}/0")
    with pytest.raises(BrokerUnreachable):
        sender.send(MESSAGE)


def test_without_a_broker_every_message_waits() -> None:
    with pytest.raises(BrokerUnreachable):
        CelerySender(None).send(MESSAGE)


def test_a_task_of_another_version_is_unroutable() -> None:
    with pytest.raises(MessageUnroutable):
        CelerySender("redis://127.0.0.1:1/0").send(Message("future.task", {}))
