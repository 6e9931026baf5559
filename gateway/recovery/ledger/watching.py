"""Reads the poller's snapshot: a database that is down opens a recovery though nobody asked for it, one that answers closes its own."""

from collections.abc import Callable, Mapping
from datetime import datetime

from gateway.background import BackgroundLoop
from gateway.databases.model import DatabaseName, DatabaseStatus, Status
from gateway.databases.observing import NOT_CHECKED_YET
from gateway.recovery.ledger.intake import Intake
from gateway.recovery.model import Fault
from gateway.recovery.noticed import unwell
from gateway.targets import database_target

WATCH_SECONDS = 0.5

Snapshot = Callable[[], Mapping[DatabaseName, DatabaseStatus]]


class Watch:
    """One loop per web process, no I/O: it reads what the poller saw last.

    Args:
        notice: told once of each outage that no call met before.
        report: told of each fault that no recovery is open for, with the moment it was seen.
        healed: told of each target that is well, with the moment it was seen.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        intake: Intake,
        notice: Callable[[Fault], object],
        report: Callable[[Fault, datetime], object],
        healed: Callable[[str, datetime], object],
    ) -> None:
        self._snapshot = snapshot
        self._intake = intake
        self._notice = notice
        self._report = report
        self._healed = healed
        self._down: set[str] = set()
        self._loop = BackgroundLoop("recovery-watch", self.step)

    def start(self) -> None:
        """Begin in the background."""
        self._loop.start()

    def stop(self) -> None:
        """End it."""
        self._loop.stop()

    def step(self) -> float:
        """Look once; returns the seconds until the next look."""
        for status in self._snapshot().values():
            self._look(status)
        return WATCH_SECONDS

    def sees_down(self, target: str) -> bool:
        """Whether the last look at a database was bad. Of what nobody looks at, services among them, nothing is seen. Memory only."""
        return any(target == database_target(status.name) and _is_down(status) for status in self._snapshot().values())

    def _look(self, status: DatabaseStatus) -> None:
        target = database_target(status.name)
        if _is_down(status):
            is_news = target not in self._down
            self._down.add(target)
            if self._intake.may_open(target, status.timestamp):
                fault = unwell(target, status.error)
                if is_news:
                    self._notice(fault)
                self._report(fault, status.timestamp)
        elif status.error is None and status.last_ok_at is not None:
            self._down.discard(target)
            self._healed(target, status.last_ok_at)


def _is_down(status: DatabaseStatus) -> bool:
    return status.status is Status.UNHEALTHY and status.error not in (None, NOT_CHECKED_YET)
