"""A BreakerStore in memory, for several processes' worth of sharing in one test."""

import threading
from collections.abc import Mapping
from dataclasses import replace

from gateway.clock import Clock
from gateway.databases.errors import DatabaseUnreachable
from gateway.recovery.ports import SharedBreaker


class FakeBreakerStore:
    """Passes the contract suite of the real one. `down` makes every call fail; `forget` is a server that restarted empty."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[str, tuple[SharedBreaker, float]] = {}
        self._probes: dict[tuple[str, int], tuple[int, float]] = {}
        self.down = False

    def read(self) -> Mapping[str, SharedBreaker]:
        with self._lock:
            self._refuse_when_down()
            now = self._clock.monotonic()
            return {target: replace(each, remaining_seconds=until - now) for target, (each, until) in self._breakers.items()}

    def write(self, breaker: SharedBreaker) -> bool:
        with self._lock:
            self._refuse_when_down()
            standing = self._breakers.get(breaker.target)
            if (standing[0].version if standing else 0) != breaker.version - 1:
                return False
            self._breakers[breaker.target] = (breaker, self._clock.monotonic() + breaker.remaining_seconds)
            return True

    def lease_probe(self, target: str, version: int, *, limit: int, seconds: float) -> bool:
        with self._lock:
            self._refuse_when_down()
            now = self._clock.monotonic()
            taken, until = self._probes.get((target, version), (0, 0.0))
            taken, until = (1, now + seconds) if now >= until else (taken + 1, until)
            self._probes[target, version] = (taken, until)
            return taken <= limit

    def forget(self) -> None:
        """Lose everything."""
        with self._lock:
            self._breakers.clear()
            self._probes.clear()

    def _refuse_when_down(self) -> None:
        if self.down:
            raise DatabaseUnreachable("dragonflydb", "DragonflyDB cannot be reached")
