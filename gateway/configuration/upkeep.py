"""What this room does in the background of each process: write copies down, prune them, and ring again for uploads that got lost."""

import structlog

from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.configuration.copies import Copies
from gateway.configuration.health import Waiting
from gateway.configuration.uploads import FlowUploads
from gateway.databases.errors import DatabaseDisabled, DatabaseError

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 1.0
RETRY_SECONDS = 5.0
SWEEP_SECONDS = 30.0
PRUNE_SECONDS = 600.0


class Upkeep:
    """One loop for all of it, so that a PostgreSQL that hangs holds nobody else up."""

    def __init__(self, copies: Copies, uploads: FlowUploads, waiting: Waiting, clock: Clock) -> None:
        self._copies = copies
        self._uploads = uploads
        self._waiting = waiting
        self._clock = clock
        self._sweep_at = 0.0
        self._prune_at = clock.monotonic() + PRUNE_SECONDS
        self._loop = BackgroundLoop("configuration-upkeep", self.step, retry_seconds=RETRY_SECONDS)

    def start(self) -> None:
        """Begin in the background."""
        self._loop.start()

    def stop(self) -> None:
        """End it, after writing what was not written yet if PostgreSQL lets it."""
        self._loop.stop()
        try:
            self._flush_all()
        except (DatabaseError, DatabaseDisabled) as error:
            log.warning("known_copies_not_written", code=error.code)

    def step(self) -> float:
        """One round; returns the seconds until the next one."""
        try:
            self._flush_all()
            self._at_intervals()
        except (DatabaseError, DatabaseDisabled) as error:
            log.warning("known_copies_not_written", code=error.code)
            return RETRY_SECONDS
        return FLUSH_SECONDS

    def _flush_all(self) -> None:
        while self._copies.flush():
            pass

    def _at_intervals(self) -> None:
        now = self._clock.monotonic()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_SECONDS
            self._uploads.sweep()
            self._waiting.flows = self._uploads.count_waiting()
        if now >= self._prune_at:
            self._prune_at = now + PRUNE_SECONDS
            self._copies.prune()
