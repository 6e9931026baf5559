"""Every breaker of this process, by its target."""

import random
import threading
from collections.abc import Callable, Mapping

from gateway.clock import Clock
from gateway.errors import NotFound
from gateway.recovery.breaker import Breaker, BreakerPolicy, BreakerSnapshot

TARGET_LIMIT = 1000  # targets come from registrations: nobody may fill the memory with names


class BreakerNotFound(NotFound):
    """No breaker of this name exists in this process."""


class Breakers:
    """Builds a breaker at the first use of its target: `database:<name>` or `service:<name>`."""

    def __init__(
        self,
        clock: Clock,
        policy: BreakerPolicy | None = None,
        *,
        overrides: Mapping[str, BreakerPolicy] | None = None,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._policy = policy or BreakerPolicy()
        self._overrides = dict(overrides or {})
        self._roll = roll
        self._lock = threading.Lock()
        self._breakers: dict[str, Breaker] = {}

    def of(self, target: str) -> Breaker:
        """The target's breaker, made when it is new. Beyond the limit the oldest one is forgotten."""
        with self._lock:
            breaker = self._breakers.get(target)
            if breaker is None:
                if len(self._breakers) >= TARGET_LIMIT:
                    del self._breakers[next(iter(self._breakers))]
                breaker = Breaker(target, self._clock, self._overrides.get(target, self._policy), self._roll)
                self._breakers[target] = breaker
            return breaker

    def find(self, target: str) -> Breaker | None:
        """The target's breaker, or None when it was never called."""
        with self._lock:
            return self._breakers.get(target)

    def get(self, target: str) -> Breaker:
        """The target's breaker.

        Raises:
            BreakerNotFound: it was never called.
        """
        breaker = self.find(target)
        if breaker is None:
            raise BreakerNotFound("No breaker of this name exists")
        return breaker

    def snapshot(self) -> Mapping[str, BreakerSnapshot]:
        """All of them, by target."""
        with self._lock:
            breakers = tuple(self._breakers.values())
        return {breaker.name: breaker.snapshot() for breaker in breakers}
