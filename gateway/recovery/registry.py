"""Every breaker of this process, by its target."""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import structlog

from gateway.clock import Clock
from gateway.errors import NotFound
from gateway.recovery.breaker import Breaker, BreakerPolicy, BreakerSnapshot, BreakerState
from gateway.recovery.breaker_model import BreakerChange, Cause
from gateway.recovery.classify import classify
from gateway.recovery.noticed import too_slow
from gateway.recovery.targets import judge_of, policy_of, refuse

log = structlog.get_logger(__name__)

TARGET_LIMIT = 1000  # targets come from registrations: nobody may fill the memory with names

Listener = Callable[[BreakerChange], None]
"""Told after the change, on the thread that caused it. Must be quick: no I/O. A raise is logged."""


class BreakerNotFound(NotFound):
    """No breaker of this name exists in this process."""

    code = "BREAKER_NOT_FOUND"


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
        """`policy`: of every target without an override; by default each kind of target has its own (`targets.py`)."""
        self._clock = clock
        self._policy = policy
        self._overrides = dict(overrides or {})
        self._roll = roll
        self._lock = threading.Lock()
        self._breakers: dict[str, Breaker] = {}
        self._listeners: list[Listener] = []
        self._own_changes: Callable[[str, Cause], None] | None = None
        self._demands: Callable[[str], None] | None = None

    def of(self, target: str) -> Breaker:
        """The target's breaker, made when it is new. Beyond the limit the oldest one that is closed is forgotten."""
        with self._lock:
            breaker = self._breakers.get(target)
            if breaker is None:
                breaker = self._build(target)
                if len(self._breakers) >= TARGET_LIMIT:
                    del self._breakers[self._least_missed()]
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

    def list_all(self) -> Iterable[Breaker]:
        """Every breaker as of now."""
        with self._lock:
            return tuple(self._breakers.values())

    def snapshot(self) -> Mapping[str, BreakerSnapshot]:
        """All of them, by target."""
        return {breaker.name: breaker.snapshot() for breaker in self.list_all()}

    def listen(self, on_transition: Listener) -> None:
        """Tell `on_transition` every change of state from now on, those taken over from other processes too."""
        self._listeners.append(on_transition)

    def share_through(self, changed: Callable[[str, Cause], None], demanded: Callable[[str], None]) -> None:
        """For the one who shares them: told every change, and every call that waits for a leased probe. Both must not block."""
        self._own_changes, self._demands = changed, demanded

    def _build(self, target: str) -> Breaker:
        return Breaker(
            target,
            self._clock,
            self._overrides.get(target) or self._policy or policy_of(target),
            self._roll,
            judge=judge_of(target),
            refuse=refuse,
            explain=partial(classify, target=target),
            slowness=too_slow(target),
            on_change=self._changed,
            on_demand=self._demanded,
        )

    def _least_missed(self) -> str:
        """The oldest that is closed; with none closed, the oldest. States are read as they are: nothing moves on here."""
        closed = (name for name, breaker in self._breakers.items() if breaker.is_closed)
        return next(closed, next(iter(self._breakers)))

    def _changed(self, target: str, old: BreakerState, new: BreakerState, cause: Cause) -> None:
        if self._own_changes:
            self._own_changes(target, cause)
        if old is new:  # an operator's word, which changed nothing here
            return
        at = self._clock.now()
        level = log.info if new in (BreakerState.CLOSED, BreakerState.HALF_OPEN) else log.warning
        level("breaker_changed", target=target, old=old.value, new=new.value, cause=cause.value)
        if not self._listeners:
            return
        breaker = self.find(target)
        change = BreakerChange(target, old, new, at, cause, breaker.blamed if breaker else None)
        for listener in self._listeners:
            try:
                listener(change)
            except Exception:  # a listener must not fail the call that it only hears of
                log.exception("breaker_listener_failed", target=target)

    def _demanded(self, target: str) -> None:
        if self._demands:
            self._demands(target)
