"""What a worker's processes had in hand when it left is handed back at once, instead of when their leases run out.

A soft shutdown ends processes in the middle of a node. Only the main process outlives them, and Celery tells of its end in no signal
when that is a cold one: a step of the worker sees both kinds. Source: celery/worker/worker.py (`stop`, `terminate`) of celery 5.7.0.
"""

import os
from typing import Any

import structlog
from celery import Celery, bootsteps

from gateway.errors import GatewayError
from gateway.executions.service import workers_of
from tasks.process import process

log = structlog.get_logger(__name__)


class HandBack(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery ships no types
    """Has the leases ended once every other step, the pool of processes among them, has stopped."""

    requires = ("celery.worker.components:Pool",)

    def close(self, worker: Any) -> None:
        """The worker leaves."""
        stopped = worker.blueprint.on_stopped

        def then_hand_back() -> None:
            try:
                stopped()
            finally:
                hand_back()

        worker.blueprint.on_stopped = then_hand_back


def hand_back() -> None:
    """End the leases of this process's children. The main process has a container only now: nothing of it is shared over a fork."""
    container = process.build()
    try:
        container.executions.hand_back(os.getpid())
        container.recoveries.hand_back(workers_of(os.getpid()))
    except GatewayError as error:
        log.warning("leases_not_handed_back", code=error.code, reason=error.detail)  # they run out by themselves
    finally:
        container.stop()


def install_hand_back(app: Celery) -> None:
    """Have every worker of this app hand back what it leaves."""
    app.steps["worker"].add(HandBack)
