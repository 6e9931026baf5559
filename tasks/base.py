"""What every task does around its one service call: request id, logs with duration, and a sign of life for its queue."""

import time
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Ignore

from gateway.container import Container
from gateway.databases.errors import DatabaseDisabled, DatabaseError
from gateway.errors import GatewayError
from gateway.observability.context import accept_request_id, request_context
from gateway.outbox.celery import REQUEST_ID_HEADER
from tasks.process import process

log = structlog.get_logger(__name__)


class GatewayTask(Task):  # type: ignore[misc]  # Celery ships no types
    """Base of all tasks. A task that fails is not retried by Celery: attempts are rows, and the sweeper rings again."""

    abstract = True
    routine = False  # rung by beat again and again: worth a line only when it fails

    @property
    def container(self) -> Container:
        """The services of this process."""
        return process.container()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        request_id = accept_request_id((self.request.headers or {}).get(REQUEST_ID_HEADER))
        with request_context(request_id, task=self.name, task_id=str(self.request.id)):
            say = log.debug if self.routine else log.info
            say("task_started")
            began = time.monotonic()
            try:
                self._consumed()
                result = self.run(*args, **kwargs)
            except GatewayError as error:
                log.warning("task_failed", code=error.code, reason=error.detail, duration_ms=_since(began))
                raise Ignore from error  # said in one line; Celery would log the whole traceback
            except Exception:
                log.exception("task_crashed", duration_ms=_since(began))
                raise Ignore from None
            say("task_finished", duration_ms=_since(began))
            return result

    def _consumed(self) -> None:
        """Tell that this queue is being consumed. Without PostgreSQL nobody can be told; the task itself will say so."""
        delivery = self.request.delivery_info or {}
        try:
            self.container.worker_health.consumed(str(self.request.hostname), str(delivery.get("routing_key", "")))
        except (DatabaseError, DatabaseDisabled) as error:
            log.info("heartbeat_not_written", code=error.code)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
