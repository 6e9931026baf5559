"""A worker that is connected and consumes nothing is ended, so that whoever runs it starts it again.

Known failure: after a reconnect to Redis, a Celery worker may stay connected, answer pings and never take a message again. Each worker
therefore has a queue of its own, by which it rings itself. Whatever it receives, from any queue, shows that it hears: all queues of a
worker hang on one BRPOP. A ring that the broker took and that the worker does not receive means that it is deaf, unless all its children
are busy (prefetch 1: it may not take more), or it is just connecting. No beat and no other worker is needed for the judgement.

Source: kombu/transport/redis.py (`_brpop_start`), celery/worker/state.py (`should_stop`, `reserved_requests`) of celery 5.7.0.
"""

import os
import signal
import threading
from enum import StrEnum
from typing import Any

import structlog
from celery import Celery, bootsteps
from celery.signals import task_received
from celery.worker import state
from kombu.entity import Exchange
from kombu.entity import Queue as BrokerQueue

from gateway.background import BackgroundLoop
from gateway.clock import Clock, SystemClock
from gateway.outbox.model import TaskName

log = structlog.get_logger(__name__)

RING_SECONDS = 3.0
DEAF_SECONDS = 12.0  # a ring that the broker took this long ago, and nothing came since
DEAF_RINGS = 4  # and as many rings: a process that was itself stopped for a while has to be asked again first
UNCONNECTED_SECONDS = (
    20.0  # a try to connect takes 2 s and the wait for the next 2 s more (tasks/connection.py); longer than this it is stuck
)
WARM_SECONDS = 10.0  # running tasks may end within this time; then the process ends without them, and their leases run out
EXIT_CODE = 75  # EX_TEMPFAIL: try again
RINGS_EXPIRE_SECONDS = 30.0
ANONYMOUS = Exchange("")  # type: ignore[no-untyped-call]  # kombu ships no types


class Verdict(StrEnum):
    """What the watchdog makes of a worker."""

    FINE = "fine"
    DEAF = "deaf"
    STUCK = "stuck"


class Hearing:
    """Whether a worker hears, judged by when it was rung and when it last received something. No I/O. Safe for threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unanswered_since: float | None = None
        self._rings = 0

    def heard(self) -> None:
        """Something was received."""
        self._unanswered_since, self._rings = None, 0

    def rung(self) -> None:
        """The broker took a ring."""
        self._rings += 1
        if self._unanswered_since is None:
            self._unanswered_since = self._clock.monotonic()

    def excused(self) -> None:
        """Nothing can be expected: the broker is down, or every child is busy."""
        self._unanswered_since, self._rings = None, 0

    def judge(self, *, connected: bool) -> Verdict:
        """The verdict now. `connected`: the worker believes that it consumes."""
        since = self._unanswered_since
        silent_seconds = 0.0 if since is None or self._rings < DEAF_RINGS else self._clock.monotonic() - since
        if connected:
            return Verdict.DEAF if silent_seconds >= DEAF_SECONDS else Verdict.FINE
        return Verdict.STUCK if silent_seconds >= UNCONNECTED_SECONDS else Verdict.FINE


class Watchdog(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery ships no types
    """A step of the worker's main process. It starts before the consumer, which then blocks the main thread."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: Any) -> None:
        super().__init__(worker)
        self._hearing = Hearing(SystemClock())
        self._app: Celery = worker.app
        self._queue = own_queue(str(worker.hostname))
        self._app.amqp.queues.select_add(self._queue)
        self._queue.exchange = ANONYMOUS  # select_add gave it the default one, where it would leave a binding behind
        self._handlers: list[Any] = []
        self._ending = threading.Event()
        self._loop = BackgroundLoop("worker-watchdog", lambda: self.step(worker), retry_seconds=RING_SECONDS)

    def start(self, _worker: Any) -> None:
        """Watch from now on."""
        self._handlers = signal_handlers()
        task_received.connect(self._received, weak=False)
        self._loop.start()

    def close(self, _worker: Any) -> None:
        """The worker leaves by itself: nothing is judged any more."""
        self._ending.set()
        task_received.disconnect(self._received)

    def stop(self, worker: Any) -> None:
        """End the thread."""
        self.close(worker)
        self._loop.stop(0.1)

    def step(self, worker: Any) -> float:
        """Ring, judge, and end the worker when it is deaf; returns the seconds until the next look."""
        if self._ending.is_set():
            return RING_SECONDS
        if is_busy(worker) or self._is_leaving() or not self._ring():
            self._hearing.excused()
            return RING_SECONDS
        verdict = self._hearing.judge(connected=is_connected(worker))
        if verdict is not Verdict.FINE:
            self._end(verdict)
        return RING_SECONDS

    def _is_leaving(self) -> bool:
        """Celery's soft shutdown waits inside a signal handler, and the first thing that it does is to replace the handlers."""
        return signal_handlers() != self._handlers

    def _ring(self) -> bool:
        """Whether the broker took it. Over a connection of its own, each time: what is judged is not what asks."""
        try:
            with self._app.connection_for_write() as connection:
                self._app.send_task(
                    TaskName.ECHO.value,
                    queue=self._queue,
                    connection=connection,
                    retry=False,
                    ignore_result=True,
                    expires=RINGS_EXPIRE_SECONDS,
                )
        except Exception as error:  # noqa: BLE001 - whatever the transport raises: the broker did not take it
            log.info("watchdog_ring_failed", error=type(error).__name__)
            return False
        self._hearing.rung()
        return True

    def _received(self, **_: Any) -> None:
        self._hearing.heard()

    def _end(self, verdict: Verdict) -> None:
        """Leave warmly, and by force when that takes too long: the main thread may be what hangs."""
        log.error("worker_ended_by_watchdog", reason=verdict.value, exit_code=EXIT_CODE)
        self._ending.set()
        timer = threading.Timer(WARM_SECONDS, os._exit, [EXIT_CODE])
        timer.daemon = True
        timer.start()
        state.should_stop = EXIT_CODE


def own_queue(hostname: str) -> BrokerQueue:
    """The queue that only this worker reads."""
    name = f"worker-{hostname}"
    return BrokerQueue(name, ANONYMOUS, routing_key=name)  # type: ignore[no-untyped-call]  # kombu ships no types


def signal_handlers() -> list[Any]:
    """What answers the signals that ask a worker to leave."""
    return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)]


def is_busy(worker: Any) -> bool:
    """Whether the worker may not take another message: with prefetch 1 it holds as many as it has children."""
    return len(state.reserved_requests) >= int(worker.concurrency)


def is_connected(worker: Any) -> bool:
    """Whether the consumer believes that it consumes: its last step, the event loop, runs."""
    consumer = getattr(worker, "consumer", None)
    if consumer is None or consumer.connection is None:
        return False
    return bool(consumer.blueprint.started == len(consumer.steps))


def install_watchdog(app: Celery) -> None:
    """Have every worker of this app watched."""
    app.steps["worker"].add(Watchdog)
