"""Waiting for executions to end or to be paused (`Prefer: wait`), cheaply: one thread per process asks for all in one query.

Polling rather than LISTEN/NOTIFY: NOTIFY takes a lock that makes all committing transactions of the database take turns, and a listening
connection needs care of its own when PostgreSQL restarts. A waiter holds no connection.
"""

import os
import threading
from collections.abc import Callable, Collection

from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.errors import GatewayError

FASTEST_SECONDS = 0.02
SLOWEST_SECONDS = 0.2
IDLE_SECONDS = 60.0

FindStanding = Callable[[Collection[str]], set[str]]


class _Waiter:
    def __init__(self, execution_id: str, since: float) -> None:
        self.execution_id = execution_id
        self.since = since
        self.stands = False
        self.told = threading.Event()


class Waiting:
    """All waiters of this process. `find_standing` tells which of some executions do not go on by themselves."""

    def __init__(self, find_standing: FindStanding, clock: Clock) -> None:
        self._find_standing = find_standing
        self._clock = clock
        self._lock = threading.Lock()
        self._waiters: set[_Waiter] = set()
        self._loop: BackgroundLoop | None = None
        self._pid = 0
        self._released = False

    def wait(self, execution_id: str, seconds: float) -> bool:
        """Block until the execution stands still or `release` is called, for at most `seconds`; tells whether it stands still."""
        waiter = _Waiter(execution_id, self._clock.monotonic())
        with self._lock:
            loop = self._running_loop()
            self._waiters.add(waiter)
            if self._released:
                waiter.told.set()
        loop.wake()
        try:
            waiter.told.wait(seconds)
            return waiter.stands
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def release(self) -> None:
        """Let everybody go, and whoever comes later: the process leaves, and an unfinished answer is worth more than a dropped one."""
        with self._lock:
            self._released = True
            waiters = set(self._waiters)
        for waiter in waiters:
            waiter.told.set()

    def stop(self) -> None:
        """End the thread."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def step(self) -> float:
        """Ask once for everybody; returns the seconds until the next time: a young waiter is asked for often, an old one seldom."""
        with self._lock:
            waiters = set(self._waiters)
        if not waiters:
            return IDLE_SECONDS
        try:
            standing = self._find_standing({waiter.execution_id for waiter in waiters})
        except GatewayError:  # PostgreSQL is away, which its poller reports: whoever waits may see it come back
            return SLOWEST_SECONDS
        for waiter in waiters:
            if waiter.execution_id in standing:
                waiter.stands = True
                waiter.told.set()
        youngest = self._clock.monotonic() - max(waiter.since for waiter in waiters)
        return min(SLOWEST_SECONDS, max(FASTEST_SECONDS, youngest / 4))

    def _running_loop(self) -> BackgroundLoop:
        if self._loop is None or self._pid != os.getpid():
            self._loop, self._pid = BackgroundLoop("execution-waiting", self.step, retry_seconds=SLOWEST_SECONDS), os.getpid()
            self._waiters = set()
        self._loop.start()
        return self._loop
