"""The one sender: puts tasks by name where Celery's workers look. Every wait is bounded and nothing is retried: the row waits instead.

It writes Celery's message itself, with the redis-py that a web process has loaded anyway: Celery and kombu would keep 7 MB resident
in every process that rings. What it writes is compared with what Celery sends in tests/contract/outbox (ADR 0005).
Source: https://docs.celeryq.dev/en/stable/internals/protocol.html (version 2); kombu 5.7, transport/virtual/base.py and transport/redis.py.
"""

import base64
import json
import os
import socket
import uuid
from typing import TYPE_CHECKING, Any

from gateway.databases.process_local import ProcessLocal
from gateway.outbox.errors import BrokerUnreachable, MessageUnroutable
from gateway.outbox.model import ROUTES, Message, Queue, TaskName

if TYPE_CHECKING:
    from redis import Redis

SEND_TIMEOUT_SECONDS = 2.0
REQUEST_ID_HEADER = "request_id"
PERSISTENT = 2  # AMQP's delivery mode


class CelerySender:
    """Publishes to the broker. A forked child, and the first message after a failure, get a connection of their own."""

    def __init__(self, broker_url: str | None) -> None:
        """`broker_url`: redis:// URL, or None when no broker is configured: every message then waits."""
        self._broker_url = broker_url
        self._client = ProcessLocal(self._build_client)

    def send(self, message: Message) -> None:
        """Publish one message.

        Raises:
            BrokerUnreachable: not taken within about twice `SEND_TIMEOUT_SECONDS`.
            MessageUnroutable: no queue is declared for its task.
        """
        queue = _queue_of(message)
        client = self._client.get()
        from redis.exceptions import RedisError

        try:
            client.lpush(queue.value, task_message(message, queue))
        except (RedisError, OSError) as error:
            self.close()
            raise BrokerUnreachable("The broker does not take messages") from error

    def close(self) -> None:
        """Close the connection; the next message opens a new one."""
        if (client := self._client.take()) is not None:
            client.close()

    def _build_client(self) -> "Redis":
        if self._broker_url is None:
            raise BrokerUnreachable("No broker is configured; set DRAGONFLY_URL or REDIS_URL")
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.maint_notifications import MaintNotificationsConfig
        from redis.retry import Retry

        return Redis.from_url(
            self._broker_url,
            socket_timeout=SEND_TIMEOUT_SECONDS,
            socket_connect_timeout=SEND_TIMEOUT_SECONDS,
            socket_keepalive=True,
            health_check_interval=5,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )


def task_message(message: Message, queue: Queue) -> str:
    """The message as it lies in the broker's list: kombu's envelope around Celery's task."""
    task_id = str(uuid.uuid4())
    body = json.dumps([[], dict(message.arguments), {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    envelope = {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": _headers(message, task_id),
        "properties": {
            "correlation_id": task_id,
            "reply_to": "",
            "delivery_mode": PERSISTENT,
            "delivery_info": {"exchange": "", "routing_key": queue.value},  # the nameless exchange: straight to the queue
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }
    return json.dumps(envelope)


def _headers(message: Message, task_id: str) -> dict[str, Any]:
    own = {REQUEST_ID_HEADER: message.request_id} if message.request_id else {}
    return {
        "lang": "py",
        "task": message.task,
        "id": task_id,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": task_id,
        "parent_id": None,
        "argsrepr": "()",
        "kwargsrepr": repr(dict(message.arguments)),
        "origin": f"gen{os.getpid()}@{socket.gethostname()}",
        "ignore_result": True,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
        **own,
    }


def _queue_of(message: Message) -> Queue:
    try:
        return ROUTES[TaskName(message.task)]
    except (ValueError, KeyError) as error:
        raise MessageUnroutable("No queue is declared for this task") from error
