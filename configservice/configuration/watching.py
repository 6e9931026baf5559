"""Long polls on changes.

A waiter holds a thread of the process, so only some may wait (half of the threads); the next one is answered at once. A write of this
process wakes the waiters at once, a write of another process is seen within `LOOK_SECONDS`: each waiter then asks for the newest revision,
an indexed read of one row. No connection is held while waiting.
"""

import threading
import time
from dataclasses import dataclass

from configservice.configuration.model import Changes
from configservice.configuration.store import ConfigurationStore

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Watched:
    """How a long poll ended. `refused`: too many wait already, so it did not wait."""

    changes: Changes
    refused: bool = False


class Watchers:
    """The long polls of this process; `waiting` counts them."""

    def __init__(self, store: ConfigurationStore, capacity: int) -> None:
        self._store = store
        self._capacity = capacity
        self._changed = threading.Condition()
        self.waiting = 0
        self._closed = False

    def watch(self, since: int | None, wait_seconds: float) -> Watched:
        """The changes after `since` (None: after now), waited for when there are none yet.

        A `since` that is newer than every revision comes from a database that is gone: everything counts as changed then.
        """
        newest = self._store.revision()
        since = newest if since is None else since
        if since > newest:
            return Watched(self._store.changes_since(0))
        if since < newest or wait_seconds <= 0:
            return Watched(self._store.changes_since(since))
        if not self._enter():
            return Watched(Changes(newest, ()), refused=True)
        try:
            self._wait(since, time.monotonic() + wait_seconds)
        finally:
            self._leave()
        return Watched(self._store.changes_since(since))

    def announce(self) -> None:
        """A write of this process was committed."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """The process is about to stop: waiters are answered within LOOK_SECONDS, and nobody waits any more. Takes no lock (signals)."""
        self._closed = True

    def _enter(self) -> bool:
        with self._changed:
            if self.waiting >= self._capacity:
                return False
            self.waiting += 1
            return True

    def _leave(self) -> None:
        with self._changed:
            self.waiting -= 1

    def _wait(self, since: int, until: float) -> None:
        while not self._closed and (left := until - time.monotonic()) > 0:
            with self._changed:
                self._changed.wait(min(LOOK_SECONDS, left))
            if self._store.revision() > since:
                return
