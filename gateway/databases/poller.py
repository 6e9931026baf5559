"""Asks each configured database in the background how it is, so that nobody else has to wait for the answer."""

import math
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from config.databases import PollerSettings
from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.databases.model import NAMES, DatabaseName, DatabaseStatus
from gateway.databases.observing import (
    AGAIN_SECONDS,
    NO_ANSWER,
    NOT_CHECKED_YET,
    READMITTING,
    BreakerState,
    Look,
    OnLook,
    describe,
    look_at,
    no_breaker,
    nobody_listens,
    timed_out,
)
from gateway.databases.ports import Database

log = structlog.get_logger(__name__)

CALM_SECONDS = 0.5  # after a look: many callers who were kept waiting at the same time ask for one look, not for many
OVERDUE_FACTOR = 3  # a ping that overstays its own timeout this many times counts as failed, whatever its driver is doing


@dataclass
class _Watch:
    """One database under watch: its last finished look, and since when one is under way."""

    database: Database
    look: Look
    looking_since: float | None = None
    looked_at: float = -math.inf
    seen: threading.Event = field(default_factory=threading.Event)


class Poller:
    """One thread per configured database, six at the most: a hung one delays none of the others.

    Not started at construction. After a fork, `start` begins anew in the child.
    """

    def __init__(
        self,
        databases: Iterable[Database],
        settings: PollerSettings,
        clock: Clock,
        breaker_state: BreakerState = no_breaker,
        on_look: OnLook = nobody_listens,
    ) -> None:
        """`on_look`: told each finished look. A database whose breaker is not closed yet is looked at as often as one that is down.

        One that begins to be silent is looked at once more at once: whether it hangs is known after two looks, whatever the interval.
        """
        self._databases = list(databases)
        self._settings = settings
        self._clock = clock
        self._breaker_state = breaker_state
        self._on_look = on_look
        self._loops: dict[DatabaseName, BackgroundLoop] = {}
        self._pid: int | None = None
        self._watches = self._new_watches()

    def start(self) -> None:
        """Begin polling in this process; does nothing when it runs already."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._watches = self._new_watches()
        self._loops = {name: self._new_loop(watch) for name, watch in self._watches.items()}
        for loop in self._loops.values():
            loop.start()

    def stop(self) -> None:
        """End polling; waits for looks under way no longer than their timeout."""
        loops, self._loops, mine = self._loops, {}, self._pid == os.getpid()
        self._pid = None
        for loop in loops.values() if mine else ():
            loop.stop(self._settings.timeout_seconds)

    def snapshot(self) -> Mapping[DatabaseName, DatabaseStatus]:
        """All six as last seen. No I/O, no waiting."""
        looks = {name: self._current(watch) for name, watch in self._watches.items()}
        return describe(self._databases, looks, self._breaker_state, self._settings.slow_ms, self._clock)

    def wait_until_seen(self, timeout_seconds: float) -> bool:
        """Wait until each configured database was looked at once; False when the time is over before that."""
        deadline = self._clock.monotonic() + timeout_seconds
        return all(watch.seen.wait(max(0.0, deadline - self._clock.monotonic())) for watch in self._watches.values())

    def check_now(self, timeout_seconds: float) -> Mapping[DatabaseName, DatabaseStatus]:
        """Ask all configured ones now, at the same time, each by its own driver; one that hangs is reported as such.

        Returns within about twice `timeout_seconds`, whatever the servers and drivers do.
        """
        looks: dict[DatabaseName, Look] = {}
        threads = [self._look_in_thread(database, timeout_seconds, looks) for database in self._databases if database.configured]
        deadline = self._clock.monotonic() + 2 * timeout_seconds
        for thread in threads:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        late = Look(self._clock.now(), NO_ANSWER)
        finished = dict(looks)
        return describe(
            self._databases,
            {database.name: finished.get(database.name, late) for database in self._databases if database.configured},
            self._breaker_state,
            self._settings.slow_ms,
            self._clock,
        )

    def look_soon(self, name: DatabaseName) -> None:
        """A call has waited for it in vain: look now, not when it is due. Does nothing where nobody polls. O(1), no waiting."""
        watch, loop = self._watches.get(name), self._loops.get(name)
        if loop and watch and watch.looking_since is None and self._clock.monotonic() - watch.looked_at >= CALM_SECONDS:
            loop.wake()

    def looking_seconds(self, name: str) -> float:
        """How long the look under way has lasted; 0 without one."""
        watch = self._watches.get(DatabaseName(name)) if name in NAMES else None  # stores of other names are asked for too
        since = watch.looking_since if watch else None
        return 0.0 if since is None else self._clock.monotonic() - since

    def step(self, name: DatabaseName) -> float:
        """Look at one database now; returns the seconds until it should be looked at again."""
        watch = self._watches[name]
        watch.looking_since = self._clock.monotonic()
        try:
            look = look_at(watch.database, self._settings.timeout_seconds, self._clock, watch.look)
        finally:
            watch.looking_since, watch.looked_at = None, self._clock.monotonic()
        self._log_change(watch, look)
        before, watch.look = watch.look, look
        watch.seen.set()
        self._on_look(name, look)
        if timed_out(look) and not timed_out(before):
            return AGAIN_SECONDS
        calm = look.error is None and self._breaker_state(name) not in READMITTING
        return self._settings.interval_seconds if calm else self._settings.down_interval_seconds

    def _new_watches(self) -> dict[DatabaseName, _Watch]:
        unseen = Look(self._clock.now(), NOT_CHECKED_YET)
        return {database.name: _Watch(database, unseen) for database in self._databases if database.configured}

    def _new_loop(self, watch: _Watch) -> BackgroundLoop:
        name = watch.database.name
        return BackgroundLoop(f"poll-{name}", lambda: self.step(name), retry_seconds=self._settings.down_interval_seconds)

    def _look_in_thread(self, database: Database, timeout_seconds: float, looks: dict[DatabaseName, Look]) -> threading.Thread:
        def run() -> None:
            first = look_at(database, timeout_seconds, self._clock, Look(self._clock.now(), None))
            looks[database.name] = first
            if first.error is None:  # it loaded a driver and connected too: how fast the database answers tells the second one
                looks[database.name] = look_at(database, timeout_seconds, self._clock, first)

        thread = threading.Thread(target=run, name=f"check-{database.name}", daemon=True)
        thread.start()
        return thread

    def _current(self, watch: _Watch) -> Look:
        since = watch.looking_since
        if since is None or self._clock.monotonic() - since <= OVERDUE_FACTOR * self._settings.timeout_seconds:
            return watch.look
        return replace(watch.look, error=NO_ANSWER, usable=False)

    @staticmethod
    def _log_change(watch: _Watch, look: Look) -> None:
        before, now = watch.look.error, look.error
        if now and (before is None or before.code != now.code):
            log.warning("database_failed", database=watch.database.name, error=now.kind, vendor_code=now.vendor_code)
        elif now is None and before is not None:
            log.info("database_answered", database=watch.database.name, version=look.version, latency_ms=look.latency_ms)
