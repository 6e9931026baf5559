"""Rings again for what nobody heard: lost messages, workers that died, reports that were forgotten. Also forgets what is old."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway.clock import Clock
from gateway.executions.postgres import ExecutionStore
from gateway.executions.postgres_leases import LeaseStore
from gateway.executions.postgres_nodes import NodeStore
from gateway.executions.postgres_reports import ReportStore
from gateway.executions.settling import ring_for
from gateway.outbox.model import TaskName
from gateway.outbox.postgres import HeartbeatStore
from gateway.outbox.service import Outbox, Work

log = structlog.get_logger(__name__)

RING_AGAIN_SECONDS = 30.0  # a message that nobody acted upon for this long counts as lost
BATCH = 1000
FORGET_BATCH = 200
FORGET_WORKER_SECONDS = 3600.0


@dataclass(frozen=True)
class Swept:
    """What one sweep did."""

    nodes: int = 0
    reports: int = 0
    forgotten: int = 0


class Sweeper:
    """Any number of them at once: each takes rows that no other holds."""

    def __init__(self, outbox: Outbox, clock: Clock, retention_days: int) -> None:
        self._outbox = outbox
        self._clock = clock
        self._retention_days = retention_days

    def sweep(self) -> Swept:
        """Ring for what should be under way and is not, and forget executions past their retention.

        While the outbox itself is behind (the broker is down) nothing is added to it.

        Raises:
            DatabaseError: PostgreSQL failed; the next sweep does it.
        """
        nodes, reports = self._ring_again()
        swept = Swept(nodes, reports, self._forget())
        if swept != Swept():
            log.info("swept", nodes=swept.nodes, reports=swept.reports, forgotten=swept.forgotten)
        return swept

    def hand_back(self, workers: str) -> int:
        """Give up the nodes and reports that ended workers held, and ring for them; whatever one of them may still write is void.

        Args:
            workers: how their names begin.
        Returns:
            How many nodes it rang for; those of paused executions wait.
        Raises:
            DatabaseError: PostgreSQL failed; the leases run out by themselves.
        """
        now = self._clock.now()
        with self._outbox.transaction() as work:
            nodes = LeaseStore(work.connection).release(workers, now)
            reports = ReportStore(work.connection).release(workers, now)
            ring_for(work, nodes)
            ring_reports(work, reports)
        if nodes or reports:
            log.info("leases_handed_back", nodes=len(nodes), reports=len(reports))
        return len(nodes)

    def _ring_again(self) -> tuple[int, int]:
        now = self._clock.now()
        long_ago = now - timedelta(seconds=RING_AGAIN_SECONDS)
        with self._outbox.transaction() as work:
            LeaseStore(work.connection).park(now)
            if work.outbox.backlog().oldest_seconds > RING_AGAIN_SECONDS / 2:
                return 0, 0
            nodes = NodeStore(work.connection).take_unheard(now, long_ago, BATCH)
            reports = ReportStore(work.connection).take_unheard(long_ago, now, BATCH)
            ring_for(work, nodes)
            ring_reports(work, reports)
        return len(nodes), len(reports)

    def _forget(self) -> int:
        now = self._clock.now()
        with self._outbox.transaction() as work:
            HeartbeatStore(work.connection).forget_before(now - timedelta(seconds=FORGET_WORKER_SECONDS))
            return ExecutionStore(work.connection).delete_ended_before(now - timedelta(days=self._retention_days), FORGET_BATCH)


def ring_reports(work: Work, execution_ids: Iterable[str]) -> None:
    """Ring for many reports in one statement."""
    work.outbox.ring_each(TaskName.REPORT, [{"execution_id": execution_id} for execution_id in execution_ids])
