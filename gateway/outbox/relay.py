"""Carries messages from the outbox to the broker, in a thread of its own: no request and no task ever waits for the broker."""

import os
from datetime import datetime

import structlog

from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.databases.postgres import Postgres
from gateway.errors import GatewayError
from gateway.outbox.errors import BrokerUnreachable, MessageUnroutable
from gateway.outbox.model import Drained, Message
from gateway.outbox.ports import Sender
from gateway.outbox.postgres import OutboxStore

log = structlog.get_logger(__name__)

BATCH = 100
SEND_SECONDS = 5.0  # of one batch: PostgreSQL ends a transaction that says nothing for a minute, and all of it would be sent again
IDLE_SECONDS = 1.0  # how late a timer, or a row of a process that died, may be noticed
BACKOFF_SECONDS = (0.25, 0.5, 1.0, 2.0, 5.0)
UNROUTABLE_SECONDS = 60.0


class Relay:
    """One loop per process. Many processes relay at once: each claims rows that no other holds."""

    def __init__(self, postgres: Postgres, sender: Sender, clock: Clock) -> None:
        self._postgres = postgres
        self._sender = sender
        self._clock = clock
        self._loop: BackgroundLoop | None = None
        self._pid = 0
        self._failures = 0
        self._lost: GatewayError | None = None
        self._not_before = 0.0

    def start(self) -> None:
        """Start this process's loop; does nothing when it runs already."""
        if self._loop is None or self._pid != os.getpid():
            self._loop, self._pid = BackgroundLoop("outbox-relay", self.step), os.getpid()
        self._loop.start()

    def wake(self) -> None:
        """Something was committed: look at once. A process that never started its relay leaves the row to another one."""
        if self._loop is None:
            return
        if self._pid != os.getpid():  # a fork copies this object, but no thread
            self.start()
        self._loop.wake()

    def stop(self) -> None:
        """End the loop. What is due and not sent stays a row: another process sends it, or this one's successor."""
        if self._loop is not None and self._pid == os.getpid():
            self._loop.stop()
        self._loop = None
        self._sender.close()

    def step(self) -> float:
        """One round; returns the seconds until the next. A broker or a PostgreSQL that is down is logged when that changes."""
        waiting = self._not_before - self._clock.monotonic()
        if waiting > 0:
            return waiting
        try:
            drained = self.drain()
        except GatewayError as error:  # the broker, PostgreSQL, or none is configured
            return self._back_off(error)
        if drained.sent or not isinstance(self._lost, BrokerUnreachable):  # a round that sent nothing says nothing of the broker
            self._recover()
        return self._pause(drained)

    def drain(self) -> Drained:
        """Send one batch of due messages, or as much of it as a slow broker takes in `SEND_SECONDS`.

        A message may be sent twice when the process dies before it commits: whoever is rung must not mind.

        Raises:
            BrokerUnreachable: the broker took some or none; what it took is removed.
            DatabaseError: PostgreSQL failed; nothing is removed, and what was sent is sent again.
        """
        failure: BrokerUnreachable | None = None
        with self._postgres.transaction() as connection:
            store = OutboxStore(connection, self._clock)
            messages = store.claim_due(BATCH)
            sent, unroutable, failure = self._send_each(messages)
            store.remove(sent)
            store.postpone(unroutable, UNROUTABLE_SECONDS)
            more = len(messages) == BATCH or len(sent) + len(unroutable) < len(messages)
            next_due_at = None if more or failure else store.find_next_due_at()
        if failure:
            raise failure
        return Drained(len(sent), more, next_due_at)

    def _send_each(self, messages: list[Message]) -> tuple[list[int], list[int], BrokerUnreachable | None]:
        sent: list[int] = []
        unroutable: list[int] = []
        until = self._clock.monotonic() + SEND_SECONDS
        for message in messages:
            if self._clock.monotonic() >= until:
                break
            try:
                self._sender.send(message)
            except MessageUnroutable:
                log.warning("outbox_message_unroutable", task=message.task, message_id=message.id)
                unroutable.append(message.id)
            except BrokerUnreachable as error:
                return sent, unroutable, error
            else:
                sent.append(message.id)
        return sent, unroutable, None

    def _recover(self) -> None:
        if self._failures:
            log.info("outbox_relay_recovered", failures=self._failures)
        self._failures, self._lost = 0, None

    def _back_off(self, error: GatewayError) -> float:
        if self._failures == 0:
            log.warning("outbox_relay_failed", code=error.code, reason=error.detail)
        self._lost = error
        seconds = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        self._failures += 1
        self._not_before = self._clock.monotonic() + seconds
        return seconds

    def _pause(self, drained: Drained) -> float:
        if drained.more:
            return 0.0
        return min(IDLE_SECONDS, self._seconds_until(drained.next_due_at))

    def _seconds_until(self, due_at: datetime | None) -> float:
        # a row that is due already is held by another relay, or by a transaction that commits soon
        return max(0.05, (due_at - self._clock.now()).total_seconds()) if due_at else IDLE_SECONDS
