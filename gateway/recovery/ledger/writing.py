"""Carries what the intake holds to PostgreSQL, or to the local spool while PostgreSQL is away. Runs in a background loop only."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from gateway.clock import Clock
from gateway.databases.errors import DatabaseDisabled, DatabaseError
from gateway.errors import InvalidInput
from gateway.outbox.model import TaskName
from gateway.outbox.service import Outbox
from gateway.recovery.ledger.intake import Intake
from gateway.recovery.ledger.model import Ended, Intent, Record
from gateway.recovery.ledger.postgres import RecoveryStore
from gateway.recovery.ledger.records import find_record, to_line
from gateway.spool import FileSpool

log = structlog.get_logger(__name__)

BATCH = 100
UNREACHABLE = (DatabaseError, DatabaseDisabled)


class Writer:
    """Writes a record and rings for it in one transaction."""

    def __init__(self, outbox: Outbox, intake: Intake, spool: FileSpool, clock: Clock, tell: Callable[[Ended], None]) -> None:
        self._outbox = outbox
        self._intake = intake
        self._spool = spool
        self._clock = clock
        self._tell = tell
        self._spooling = False

    def write(self) -> bool:
        """Write everything that waits, what was spooled first; whether PostgreSQL took it (or there was nothing)."""
        if dropped := self._intake.take_dropped():
            log.error("recovery_intents_dropped", count=dropped)
        try:
            if self._spool.waiting_bytes():
                self._drain()
            while records := self._intake.take(BATCH):
                self._write_or_put_back(records)
        except UNREACHABLE as error:
            self._note_spooling(error)
            self._spool_rest()
            return False
        self._spooling = False
        return True

    def _write_or_put_back(self, records: Sequence[Record]) -> None:
        try:
            self._apply_or_drop(records)
        except Exception:
            self._intake.put_back(records)  # those of them that were written before are harmless when they come again
            raise

    def _apply_or_drop(self, records: Sequence[Record]) -> None:
        """What PostgreSQL refuses for what it holds would be refused for ever, and stand before all others: it is logged and dropped."""
        try:
            self._apply(records)
        except (InvalidInput, ValueError) as error:  # ValueError: the driver itself refuses NUL and half a surrogate pair
            if len(records) > 1:
                for record in records:
                    self._apply_or_drop([record])
                return
            log.error("recovery_record_refused", error=type(error).__name__, kind=type(records[0]).__name__)
            self._intake.forget(records)

    def _apply(self, records: Sequence[Record]) -> None:
        """All of them in one transaction; by target, so that two processes never wait for each other crosswise."""
        ended: list[Ended] = []
        with self._outbox.transaction() as work:
            store = RecoveryStore(work.connection)
            for record in sorted(records, key=lambda each: each.target):
                if not isinstance(record, Intent):
                    ended += store.heal(record)
                elif store.open(record, self._clock.now()):
                    work.outbox.ring(TaskName.RUN_RECOVERY, recovery_id=record.recovery_id)
        self._intake.written(records)
        for each in ended:
            self._tell(each)

    def _drain(self) -> None:
        def take(lines: list[dict[str, Any]]) -> None:
            self._apply_or_drop([record for line in lines if (record := find_record(line))])

        if records := self._spool.drain(take, BATCH):
            log.info("recovery_spool_drained", records=records)

    def _spool_rest(self) -> None:
        """What fits goes to the file; the rest stays in memory, in its order."""
        while records := self._intake.take(BATCH):
            try:
                kept = self._spool.append(to_line(record) for record in records)
            except OSError as error:
                log.warning("recovery_spool_failed", error=type(error).__name__, errno=error.errno)
                kept = 0
            if kept < len(records):
                self._intake.put_back(records[kept:])
                return

    def _note_spooling(self, error: DatabaseError | DatabaseDisabled) -> None:
        if not self._spooling:
            log.warning("recoveries_spooled", code=error.code)
        self._spooling = True
