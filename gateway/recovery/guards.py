"""How the databases room reaches the breakers: around each call of the house, around callers' reads, and by the poller's looks.

A call that waits, or waited, in vain makes the poller look at once, and a look that gets no answer either gives the database up: that it
hangs is known one ping's time after the first caller's at the latest, however seldom the poller looks and however few calls there are.
Meanwhile a few calls at a time may wait for it, and before anybody doubts it not all threads of the process (what resilience4j calls a
bulkhead): the others have other work.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from gateway.clock import Clock
from gateway.databases.errors import DatabasePoolExhausted, DatabaseTimeout, StatementTooSlow
from gateway.databases.guarding import Stopwatch
from gateway.databases.model import DatabaseName, ResultSet
from gateway.databases.observing import Look, timed_out
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.noticed import unwell
from gateway.recovery.registry import Breakers
from gateway.recovery.targets import ENDED_BY_SERVER, TELLING_SECONDS, judge_of, refuse
from gateway.targets import database_target
from gateway.under_way import UnderWay

STUCK_SECONDS = 0.3  # a call that lasts as long makes the next one ask for a look
SILENT_SECONDS = 0.75  # a look under way for as long: pings ask little
FEW = 2  # calls of a process that wait for a doubted database; those that began before the doubt count
SPARE_THREADS = 2  # of a process: these never wait for a database for which all its other threads wait already
DOUBT_SECONDS = 5.0  # where no poller looks, who waited in vain is remembered for so long
LOOK_SECONDS = 1.0  # until the poller has made up its mind, about: what the others are told to wait

Doubts = Callable[[str], bool]


def nobody_doubts(_name: str) -> bool:
    """Where no guards are wired."""
    return False


class Looker(Protocol):
    """Who looks at the databases: the poller. Neither call waits."""

    def look_soon(self, name: DatabaseName, /) -> None:
        """Look now, not when it is due."""

    def looking_seconds(self, name: str, /) -> float:
        """How long the look under way has lasted; 0 without one."""


class NobodyLooks:
    """Where no poller is wired."""

    def look_soon(self, _name: DatabaseName) -> None:
        """Nothing."""

    def looking_seconds(self, _name: str) -> float:
        """Never."""
        return 0.0


class DatabaseGuards:
    """One breaker per database stands behind all three. Safe for threads.

    `looker`: set by who wires the two.
    """

    def __init__(self, breakers: Breakers, clock: Clock, threads: int = 8) -> None:
        """`threads`: how many requests this process answers at a time."""
        self.looker: Looker = NobodyLooks()
        self._most = max(FEW, threads - SPARE_THREADS)
        self._breakers = breakers
        self._clock = clock
        self._looked_bad: set[str] = set()
        self._silent_until: dict[str, float] = {}
        self._answered_at: dict[str, float] = {}
        self._under_way = {name: UnderWay(clock.monotonic, STUCK_SECONDS) for name in DatabaseName}

    @contextmanager
    def around(self, name: DatabaseName, stopwatch: Stopwatch | None = None) -> Iterator[None]:
        """A `gateway.databases.guarding.Guard`.

        Raises:
            DatabaseBreakerOpen: on entering; it is open, or a few wait already for a database that is doubted.
            DatabasePoolExhausted: on entering; too many wait already.
        """
        with self._noticing(name, stopwatch), self._breakers.of(database_target(name)).guard(stopwatch=stopwatch):
            yield

    def reading(self, recovery: ImmediateRecovery) -> Callable[[DatabaseName, Callable[[float], ResultSet], float], ResultSet]:
        """A `gateway.databases.service.Recover` for statements that callers chose: they are reads, so repeating one is harmless."""

        def run(name: DatabaseName, read: Callable[[float], ResultSet], timeout_seconds: float) -> ResultSet:
            target = database_target(name)
            judge = judge_of(target, callers_own=True)
            with self._noticing(name):
                try:
                    return recovery.run(target, read, timeout_seconds=timeout_seconds, repeatable=True, judge=judge)
                except DatabaseTimeout as error:
                    if error.vendor_code not in ENDED_BY_SERVER:
                        raise
                    limit_ms = round(timeout_seconds * 1000)
                    raise StatementTooSlow(f"The statement was ended at its limit of {limit_ms} ms; ask for less, or allow more") from None

        return run

    def saw(self, name: DatabaseName, look: Look) -> None:
        """What the poller saw, traffic or not. A good look readmits the database.

        A second bad look in a row opens the breaker, and so does one without an answer when a call has just waited in vain.
        """
        if look.error is not None and look.error.code == DatabasePoolExhausted.code:
            return
        decisive = name in self._looked_bad or (timed_out(look) and self.doubts(name))
        if look.usable:
            self._answered_at[name] = self._clock.monotonic()
            self._looked_bad.discard(name)
            self._silent_until.pop(name, None)
        else:
            self._looked_bad.add(name)
        seconds, target = (look.latency_ms or 0.0) / 1000, database_target(name)
        fault = None if look.usable else unwell(target, look.error)
        self._breakers.of(target).observe(success=look.usable, duration_seconds=seconds, decisive=decisive, fault=fault)

    def doubts(self, name: str) -> bool:
        """Whether it is better not waited for where another can answer: the last look was bad, or a call or a look waits in vain."""
        silent = self._clock.monotonic() < self._silent_until.get(name, 0.0) or self.looker.looking_seconds(name) >= SILENT_SECONDS
        return silent or name in self._looked_bad

    def state(self, name: str) -> str:
        """The breaker's state; of one that was never called, closed."""
        breaker = self._breakers.find(database_target(name))
        return breaker.state().value if breaker else "closed"

    @contextmanager
    def _noticing(self, name: DatabaseName, stopwatch: Stopwatch | None = None) -> Iterator[None]:
        """Let the call through if not too many wait already, and notice one that the database leaves without an answer."""
        under_way = self._under_way[name]
        stuck = under_way.stuck()
        if stuck:
            self.looker.look_soon(name)
        if under_way.count() >= FEW and self.doubts(name):
            raise refuse(database_target(name), LOOK_SECONDS)
        if stuck >= self._most or (stuck and under_way.count() >= self._most and not self._just_answered(name)):
            raise DatabasePoolExhausted(name, "Too many calls wait for this database already", retry_after_seconds=LOOK_SECONDS)
        with under_way.call(stopwatch.waiting_seconds if stopwatch else None) as began:
            try:
                yield
            except DatabaseTimeout as error:
                self._note_silence(name, error, began)
                raise
            self._answered_at[name] = self._clock.monotonic()

    def _just_answered(self, name: DatabaseName) -> bool:
        """One call waits for long, a lock perhaps, while others are answered: it is not the database that hangs."""
        return self._clock.monotonic() - self._answered_at.get(name, -math.inf) < STUCK_SECONDS

    def _note_silence(self, name: DatabaseName, error: DatabaseTimeout, began: float) -> None:
        """A look decides; until then it is doubted, unless it has answered somebody since: then it may have hung before, and is back."""
        now = self._clock.monotonic()
        if error.database == name and error.vendor_code not in ENDED_BY_SERVER and now - began >= TELLING_SECONDS:
            if self._answered_at.get(name, -math.inf) <= began:
                self._silent_until[name] = now + DOUBT_SECONDS
            self.looker.look_soon(name)
