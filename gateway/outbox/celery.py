"""The one sender: publishes tasks by name. Every wait is bounded and nothing is retried here: the row waits in the outbox instead.

Celery and kombu are imported when first used: 10 MB that a process which sends nothing does without.
Source: kombu/transport/redis.py (transport options) of kombu 5.7, docs/adr/0004-celery-settings.md.
"""

import os
from typing import TYPE_CHECKING, Any

from gateway.outbox.errors import BrokerUnreachable, MessageUnroutable
from gateway.outbox.model import ROUTES, Message, Queue, TaskName

if TYPE_CHECKING:
    from celery import Celery
    from kombu.entity import Queue as BrokerQueue

SEND_TIMEOUT_SECONDS = 2.0
EXCHANGE = "gateway"
REQUEST_ID_HEADER = "request_id"


class CelerySender:
    """Publishes to the broker. A forked child, and the first message after a failure, get a connection of their own."""

    def __init__(self, broker_url: str | None) -> None:
        """`broker_url`: redis:// URL, or None when no broker is configured: every message then waits."""
        self._broker_url = broker_url
        self._app: Celery | None = None
        self._pid = 0

    def send(self, message: Message) -> None:
        """Publish one message.

        Raises:
            BrokerUnreachable: not taken within about twice `SEND_TIMEOUT_SECONDS`.
            MessageUnroutable: no queue is declared for its task.
        """
        from kombu.exceptions import KombuError
        from redis.exceptions import RedisError

        queue = _queue_of(message)
        headers = {REQUEST_ID_HEADER: message.request_id} if message.request_id else {}
        try:
            self._connected().send_task(
                message.task,
                kwargs=dict(message.arguments),
                queue=queue.value,
                headers=headers,
                retry=False,
                ignore_result=True,
                add_to_parent=False,
            )
        except (KombuError, RedisError, OSError) as error:
            self.close()
            raise BrokerUnreachable("The broker does not take messages") from error

    def close(self) -> None:
        """Close the connection; the next message opens a new one."""
        app, self._app = self._app, None
        if app is not None and self._pid == os.getpid():
            app.close()

    def _connected(self) -> "Celery":
        if self._broker_url is None:
            raise BrokerUnreachable("No broker is configured; set DRAGONFLY_URL or REDIS_URL")
        if self._app is None or self._pid != os.getpid():
            self._app, self._pid = _sending_app(self._broker_url), os.getpid()
        return self._app


def broker_queues() -> "list[BrokerQueue]":
    """Every queue by its name; nothing else is ever declared."""
    from kombu.entity import Exchange
    from kombu.entity import Queue as BrokerQueue

    exchange = Exchange(EXCHANGE, type="direct")  # type: ignore[no-untyped-call]  # kombu ships no types
    return [BrokerQueue(queue.value, exchange, routing_key=queue.value) for queue in Queue]  # type: ignore[no-untyped-call]


def transport_options(timeout_seconds: float) -> dict[str, Any]:
    """Options of the Redis transport that bound every wait and notice a peer that went silent."""
    return {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": min(timeout_seconds, SEND_TIMEOUT_SECONDS),
        "socket_keepalive": True,
        "health_check_interval": 5,
        "retry_on_timeout": False,
    }


def _queue_of(message: Message) -> Queue:
    try:
        return ROUTES[TaskName(message.task)]
    except (ValueError, KeyError) as error:
        raise MessageUnroutable("No queue is declared for this task") from error


def _sending_app(broker_url: str) -> "Celery":
    from celery import Celery

    app = Celery("gateway-outbox", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_queues=broker_queues(),
        task_create_missing_queues=False,
        task_ignore_result=True,
        task_publish_retry=False,
        broker_connection_timeout=SEND_TIMEOUT_SECONDS,
        broker_pool_limit=1,
        broker_transport_options={
            **transport_options(SEND_TIMEOUT_SECONDS),
            "max_retries": 0,
            "connect_retries_timeout": SEND_TIMEOUT_SECONDS,
        },
    )
    return app
