"""Rings again for recoveries that nobody heard of, fails those that took too long, forgets what is old. None is left open for ever."""

from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway.clock import Clock
from gateway.outbox.model import TaskName
from gateway.outbox.service import Outbox
from gateway.recovery.ledger.model import Ended
from gateway.recovery.ledger.postgres import RecoveryStore

log = structlog.get_logger(__name__)

RING_AGAIN_SECONDS = 30.0  # a message that nobody acted upon for this long counts as lost
BATCH = 500


@dataclass(frozen=True)
class Swept:
    """What one sweep did; `failed` are those that took too long."""

    rung: int = 0
    failed: tuple[Ended, ...] = ()
    forgotten: int = 0


class Sweeper:
    """Any number of them at once: each takes rows that no other holds."""

    def __init__(self, outbox: Outbox, clock: Clock, *, max_seconds: float, retention_days: int) -> None:
        self._outbox = outbox
        self._clock = clock
        self._max_seconds = max_seconds
        self._retention_days = retention_days

    def sweep(self) -> Swept:
        """Ring for what should be under way and is not. While the outbox itself is behind (the broker is down) nothing is added to it.

        Raises:
            DatabaseError: PostgreSQL failed; the next sweep does it.
        """
        now = self._clock.now()
        with self._outbox.transaction() as work:
            store = RecoveryStore(work.connection)
            failed = store.fail_overdue(now, now - timedelta(seconds=self._max_seconds), BATCH)
            forgotten = store.delete_ended_before(now - timedelta(days=self._retention_days), BATCH)
            unheard: list[str] = []
            if work.outbox.backlog().oldest_seconds <= RING_AGAIN_SECONDS / 2:
                unheard = store.take_unheard(now, now - timedelta(seconds=RING_AGAIN_SECONDS), BATCH)
                work.outbox.ring_each(TaskName.RUN_RECOVERY, [{"recovery_id": recovery_id} for recovery_id in unheard])
        swept = Swept(len(unheard), tuple(failed), forgotten)
        if swept != Swept():
            log.info("recoveries_swept", rung=swept.rung, failed=len(failed), forgotten=forgotten)
        return swept

    def hand_back(self, workers: str) -> int:
        """Ring for the recoveries that ended workers held; whatever one of them may still write is void. Returns how many.

        Args:
            workers: how their names begin.
        Raises:
            DatabaseError: PostgreSQL failed; the leases run out by themselves.
        """
        with self._outbox.transaction() as work:
            released = RecoveryStore(work.connection).release(workers, self._clock.now())
            work.outbox.ring_each(TaskName.RUN_RECOVERY, [{"recovery_id": recovery_id} for recovery_id in released])
        if released:
            log.info("recoveries_handed_back", count=len(released))
        return len(released)
