"""How the databases room reaches the breakers: around each call of the house, around callers' reads, and by the poller's looks."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from gateway.databases.errors import DatabasePoolExhausted
from gateway.databases.model import DatabaseName, ResultSet
from gateway.databases.observing import Look
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.registry import Breakers
from gateway.recovery.targets import DATABASE, judge_of


class DatabaseGuards:
    """One breaker per database stands behind all three."""

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers
        self._looked_bad: set[DatabaseName] = set()

    def around(self, name: DatabaseName, stopwatch: Callable[[], float] | None = None) -> AbstractContextManager[None]:
        """A `gateway.databases.guarding.Guard`. Raises DatabaseBreakerOpen on entering."""
        return self._breakers.of(f"{DATABASE}{name}").guard(stopwatch=stopwatch)

    def saw(self, name: DatabaseName, look: Look) -> None:
        """What the poller saw: a second bad look in a row opens the breaker, traffic or not, and a good one readmits the database."""
        if look.error is not None and look.error.code == DatabasePoolExhausted.code:
            return
        again = name in self._looked_bad
        (self._looked_bad.discard if look.usable else self._looked_bad.add)(name)
        seconds = (look.latency_ms or 0.0) / 1000
        self._breakers.of(f"{DATABASE}{name}").observe(success=look.usable, duration_seconds=seconds, decisive=again)

    def state(self, name: str) -> str:
        """The breaker's state; of one that was never called, closed."""
        breaker = self._breakers.find(f"{DATABASE}{name}")
        return breaker.state().value if breaker else "closed"


def read_recovery(recovery: ImmediateRecovery) -> Callable[[DatabaseName, Callable[[float], ResultSet], float], ResultSet]:
    """A `gateway.databases.service.Recover` for statements that callers chose: they are reads, so repeating one is harmless."""

    def run(name: DatabaseName, read: Callable[[float], ResultSet], timeout_seconds: float) -> ResultSet:
        target = f"{DATABASE}{name}"
        judge = judge_of(target, callers_own=True)
        return recovery.run(target, read, timeout_seconds=timeout_seconds, repeatable=True, judge=judge)

    return run
