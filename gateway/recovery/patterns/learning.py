"""From memory to rows: each process tells what it learned in batches, and every batch is merged exactly once.

A batch that PostgreSQL did not take goes to the local spool, under its id; when it was merged after all, because only the answer got
lost, its second coming changes nothing. A spool that is full or cannot be written leaves the batch in memory, and the buffer goes on
counting: both are bounded. A batch that PostgreSQL refuses for what it holds would be refused for ever: it is logged and dropped.
"""

import uuid
from collections.abc import Callable
from typing import Any

import structlog

from gateway.clock import Clock
from gateway.errors import GatewayError, InvalidInput
from gateway.recovery.patterns.buffer import PatternBuffer
from gateway.recovery.patterns.model import Batch
from gateway.recovery.patterns.postgres import PatternStore
from gateway.recovery.patterns.rows import from_line, to_line
from gateway.recovery.registry import Breakers
from gateway.spool import FileSpool
from gateway.targets import database_target

log = structlog.get_logger(__name__)

POSTGRES = database_target("postgres")


class Learning:
    """Moves what `buffer` counted into `store`. Called by one thread at a time."""

    def __init__(self, buffer: PatternBuffer, store: PatternStore, spool: FileSpool, breakers: Breakers, clock: Clock) -> None:
        self._buffer = buffer
        self._store = store
        self._spool = spool
        self._breakers = breakers
        self._clock = clock
        self._held: Batch | None = None

    def tell(self) -> int:
        """Merge what was counted, and what waits; the number of new patterns. Never raises because of PostgreSQL or the disk."""
        if dropped := self._buffer.take_dropped():
            log.warning("pattern_outcomes_dropped", count=dropped)
        batch = self._held or self._next()
        new = 0
        if batch:
            self._held = batch
            merged = self._merge(batch)
            if merged is None and not self._spooled(batch):
                return 0
            self._held = None
            if merged is None:
                return 0
            new = merged
        return new + self._drain()

    def close(self) -> None:
        """Tell what is left, twice when a batch was held back; then close the spool's file."""
        self.tell()
        if len(self._buffer) or self._held:
            self.tell()
        self._spool.close()

    def _next(self) -> Batch | None:
        sightings, outcomes = self._buffer.take()
        return Batch(str(uuid.uuid4()), sightings, outcomes) if sightings or outcomes else None

    def _merge(self, batch: Batch) -> int | None:
        """The number of new patterns; None when nobody knows whether it was merged."""
        try:
            with self._breakers.of(POSTGRES).guard():
                return self._merge_or_drop(batch)
        except GatewayError as error:
            log.warning("patterns_not_merged", code=error.code, patterns=len(batch.sightings))
            return None

    def _merge_or_drop(self, batch: Batch) -> int:
        try:
            return self._store.merge(batch, self._clock.now()) or 0
        except InvalidInput as error:
            log.error("patterns_dropped", code=error.code, patterns=len(batch.sightings))
            return 0

    def _spooled(self, batch: Batch) -> bool:
        try:
            return self._spool.append([to_line(batch)]) == 1
        except OSError as error:
            log.warning("pattern_spool_failed", error=type(error).__name__, errno=error.errno)
            return False

    def _drain(self) -> int:
        """Merge what the spool holds, now that PostgreSQL answers."""
        if not self._spool.waiting_bytes():
            return 0
        new = 0

        def take(lines: list[dict[str, Any]]) -> None:
            nonlocal new
            batches = [batch for batch in map(from_line, lines) if batch]
            if len(batches) < len(lines):
                log.warning("pattern_lines_unreadable", count=len(lines) - len(batches))
            for batch in batches:
                with self._breakers.of(POSTGRES).guard():  # not around the whole: a spool that others hold gives nothing
                    new += self._merge_or_drop(batch)

        self._logged(lambda: self._spool.drain(take, batch_records=20))
        return new

    def _logged(self, drain: Callable[[], int]) -> None:
        try:
            if batches := drain():
                log.info("pattern_spool_drained", batches=batches)
        except GatewayError as error:
            log.warning("pattern_spool_not_drained", code=error.code)
        except OSError as error:
            log.warning("pattern_spool_failed", error=type(error).__name__, errno=error.errno)
