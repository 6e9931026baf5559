"""A circuit breaker in the sense of resilience4j: failure and slow-call rate over a sliding window of calls.

Every operation is O(1) under a lock that is never held while the guarded call runs. No I/O, no thread, time injected.
Source: https://resilience4j.readme.io/docs/circuitbreaker
"""

import math
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.clock import Clock
from gateway.recovery.breaker_model import (
    BY_CLASS,
    BreakerOpen,
    BreakerPolicy,
    BreakerSnapshot,
    BreakerState,
    Cause,
    Judge,
    Outcome,
    Permit,
    counts_as_failure,
)
from gateway.recovery.call_window import CallWindow
from gateway.recovery.model import Fault

__all__ = ["Breaker", "BreakerOpen", "BreakerPolicy", "BreakerSnapshot", "BreakerState", "Permit", "counts_as_failure"]

Change = tuple[BreakerState, BreakerState, Cause]
SHORTEST_WAIT_SECONDS = 0.1
WATCHED_SECONDS = 10.0  # who looks at the target that often readmits it: no call is spent on probing
RELAPSE_SECONDS = 10.0  # one that fails again so soon after it closed was closed too early: it goes on as if it never had been


class Breaker:
    """One target's breaker. Safe to use from many threads.

    `permit` and `record` frame a call; `observe` takes what was seen without one (a health probe); `adopt`, `lease_probes` and
    `grant_probe` are for whoever shares its state among processes.

    Args:
        refuse: makes the error of a call that is not made, from the target and the seconds to wait.
        explain: what a failed call's error says about the target, for those whose calls are refused. Must not block or raise.
        slowness: the fault that calls speak of which ended well, and too late.
        on_change: told every change of state, and every word of an operator, after it happened and outside of the lock. Must not block
            or raise.
        on_demand: told when a call was refused for want of a leased probe. Must not block or raise.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        policy: BreakerPolicy | None = None,
        roll: Callable[[], float] = random.random,
        *,
        judge: Judge = BY_CLASS,
        refuse: Callable[[str, float], BreakerOpen] = BreakerOpen,
        explain: Callable[[BaseException], Fault] | None = None,
        slowness: Fault | None = None,
        on_change: Callable[[str, BreakerState, BreakerState, Cause], None] | None = None,
        on_demand: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self._policy = policy or BreakerPolicy()
        self._clock = clock
        self._roll = roll
        self._judge = judge
        self._refuse = refuse
        self._explain = explain
        self._slowness = slowness
        self._blamed: Fault | None = None
        self._on_change = on_change
        self._on_demand = on_demand
        self._lock = threading.Lock()
        self._inside = threading.local()
        self._state = BreakerState.CLOSED
        self._epoch = 0
        self._window = CallWindow(self._policy)
        self._changes: list[Change] = []
        self._opened_times = self._streak = 0
        self._open_until = self._half_open_since = 0.0
        self._leased_until = 0.0
        self._watched_until = -math.inf
        self._closed_at = -math.inf
        self._relapsed = False
        self._grants = 0
        self._demanded = False
        self._probes: deque[float] = deque()
        self._probe_successes = 0

    def permit(self) -> Permit:
        """The right to call now; report the call's end by `record` or `forget`.

        Raises:
            BreakerOpen: not now; `retry_after_seconds` says when the next probe may be let through.
        """
        with self._changing():
            now = self._moved_on()
            if self._state in (BreakerState.CLOSED, BreakerState.DISABLED):
                return Permit(self._epoch)
            if self._state is BreakerState.HALF_OPEN and now >= self._watched_until and self._take_probe(now):
                return Permit(self._epoch)
            wanted, self._demanded = not self._demanded and self._state is BreakerState.HALF_OPEN, True
            refusal = self._refuse(self.name, max(SHORTEST_WAIT_SECONDS, self._remaining(now)))
            refusal.blamed = self._blamed
        if wanted and self._on_demand:
            self._on_demand(self.name)
        raise refusal

    def record(self, permit: Permit, *, success: bool, duration_seconds: float, fault: Fault | None = None) -> None:
        """How the permitted call ended. A report from before the last change of state says nothing about now and is dropped.

        Args:
            fault: what a failed call says about the target.
        """
        with self._changing():
            if permit.epoch != self._epoch:
                return
            self._count(success=success, slow=duration_seconds > self._policy.slow_seconds, fault=fault)
            if self._probes:
                self._probes.popleft()

    def forget(self, permit: Permit) -> None:
        """The permitted call said nothing about the target. A probe's place is free again."""
        with self._changing():
            if permit.epoch == self._epoch and self._probes:
                self._probes.popleft()
                self._grants += self._leased(self._clock.monotonic())

    def observe(self, *, success: bool, duration_seconds: float, decisive: bool = False, fault: Fault | None = None) -> None:
        """What a health probe saw, outside of any call. While open, a good one begins the half-open time at once.

        As long as somebody looks, calls are not used as probes: nobody's request waits for a target that may still hang.

        Args:
            decisive: a bad one alone opens it.
            fault: what a bad one says about the target.
        """
        with self._changing():
            self._watched_until = self._moved_on() + WATCHED_SECONDS
            slow = duration_seconds > self._policy.slow_seconds
            if self._state is BreakerState.OPEN and success and not slow and not self._relapsed:
                self._begin_half_open(Cause.CALLS)
            if self._state is BreakerState.CLOSED and decisive and not success:
                self._blamed = self._accused(success=False, fault=fault)
                self._open()
            else:
                self._count(success=success, slow=slow, fault=fault)

    @contextmanager
    def guard(self, judge: Judge | None = None, stopwatch: Callable[[], float] | None = None) -> Iterator[None]:
        """Permit, time and record the block. A guard inside a guard of the same thread is the same call and counts once.

        Args:
            judge: in place of the breaker's own.
            stopwatch: seconds that count, where the block does more than call the target; the clock's by default. One that
                did not move tells that the target was not called, and success says nothing then.
        Raises:
            BreakerOpen: the block was not run.
        """
        if getattr(self._inside, "guarded", False):
            yield
            return
        judge, elapsed = judge or self._judge, stopwatch or self._clock.monotonic
        permit, started = self.permit(), elapsed()

        def report(outcome: Outcome, error: BaseException | None = None) -> None:
            seconds = elapsed() - started
            fault = self._explain(error) if error is not None and outcome is Outcome.FAILURE and self._explain else None
            uncalled = stopwatch is not None and seconds == 0.0 and outcome is Outcome.SUCCESS
            self._report(permit, Outcome.NOTHING if uncalled else outcome, seconds if judge.by_time else 0.0, fault)

        self._inside.guarded = True
        try:
            yield
        except BaseException as error:
            report(judge.of_error(error, elapsed() - started), error)
            raise
        else:
            report(Outcome.SUCCESS)
        finally:
            self._inside.guarded = False

    def state(self) -> BreakerState:
        """The state now; an open one whose time is over counts as half open."""
        with self._changing():
            self._moved_on()
            return self._state

    @property
    def is_closed(self) -> bool:
        """Whether it is closed, as last known; asking changes nothing."""
        return self._state is BreakerState.CLOSED

    @property
    def blamed(self) -> Fault | None:
        """The fault that speaks against the target, as last known; None when nobody told one."""
        return self._blamed

    def remaining_open_seconds(self) -> float:
        """How long no call is let through; 0 when one may be. Honest for Retry-After."""
        with self._lock:
            return self._remaining(self._clock.monotonic())

    def snapshot(self) -> BreakerSnapshot:
        """Everything about it at one moment."""
        with self._changing():
            now = self._moved_on()
            return BreakerSnapshot(
                name=self.name,
                state=self._state,
                calls=len(self._window),
                failure_rate=self._window.failure_rate,
                slow_rate=self._window.slow_rate,
                remaining_open_seconds=self._remaining(now),
                opened_times=self._opened_times,
                streak=self._streak,
                blamed=self._blamed,
            )

    def force_open(self) -> None:
        """Let nothing through until `reset`: an operator's word."""
        self.adopt(BreakerState.FORCED_OPEN, cause=Cause.OPERATOR)

    def disable(self) -> None:
        """Let everything through and count nothing until `reset`: an operator's word."""
        self.adopt(BreakerState.DISABLED, cause=Cause.OPERATOR)

    def reset(self) -> None:
        """Closed, with nothing remembered."""
        self.adopt(BreakerState.CLOSED, cause=Cause.OPERATOR)

    def adopt(
        self,
        state: BreakerState,
        *,
        remaining_seconds: float = 0.0,
        streak: int = 0,
        cause: Cause = Cause.SHARED,
        blamed: Fault | None = None,
    ) -> None:
        """Take a state over from elsewhere.

        Args:
            blamed: the fault that others blame the target for.
            remaining_seconds: of an open one; none left means half open, since so long ago when it is negative.
            streak: how often it opened in a row.
        """
        with self._changing():
            now = self._moved_on()
            self._streak = streak
            self._blamed = blamed or self._blamed
            self._open_until = now + remaining_seconds
            if state is BreakerState.CLOSED:
                self._closed_at = now if cause is Cause.SHARED else -math.inf
            if state is not self._state or cause is Cause.OPERATOR:
                self._enter(state, cause)
            self._moved_on()

    def lease_probes(self, seconds: float) -> None:
        """For so long, a probe needs a grant: somebody hands them out among the processes."""
        with self._lock:
            self._leased_until = self._clock.monotonic() + seconds

    def wants_probe(self) -> bool:
        """Whether it is half open, a call was refused for want of a probe, and none is granted or under way."""
        with self._changing():
            now = self._moved_on()
            wanted = self._state is BreakerState.HALF_OPEN and self._demanded and now >= self._watched_until
            return wanted and not self._grants and not self._probes

    def grant_probe(self) -> None:
        """Let one more probe through in this half-open time."""
        with self._lock:
            if self._state is BreakerState.HALF_OPEN:
                self._grants += 1

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The lock; afterwards, without it, the changes of state are told."""
        with self._lock:
            yield
            changes, self._changes = self._changes, []
        if self._on_change:
            for old, new, cause in changes:
                self._on_change(self.name, old, new, cause)

    def _report(self, permit: Permit, outcome: Outcome, seconds: float, fault: Fault | None) -> None:
        if outcome is Outcome.NOTHING:
            self.forget(permit)
        else:
            self.record(permit, success=outcome is Outcome.SUCCESS, duration_seconds=seconds, fault=fault)

    def _enter(self, state: BreakerState, cause: Cause) -> None:
        if state is not self._state or cause is Cause.OPERATOR:  # others may not be in the state that the operator meets here
            self._changes.append((self._state, state, cause))
        self._state = state
        if state not in (BreakerState.OPEN, BreakerState.HALF_OPEN):  # an operator's word, whoever told of it, has no fault behind it
            self._blamed = None
        self._epoch += 1
        self._window.clear()
        self._probes.clear()
        self._probe_successes = self._grants = 0
        self._demanded = self._demanded and state in (BreakerState.OPEN, BreakerState.HALF_OPEN)

    def _moved_on(self) -> float:
        """What time alone changes; returns the time."""
        now = self._clock.monotonic()
        if self._state is BreakerState.OPEN and now >= self._open_until:
            self._begin_half_open(Cause.TIME)
            self._half_open_since = self._open_until  # nobody asked in between: calls are rare
        elif self._state is BreakerState.HALF_OPEN and self._probes and now - self._probes[0] > self._policy.slow_seconds:
            self._blamed = self._blamed or self._slowness
            self._open()  # slow already, whenever it ends
        return now

    def _begin_half_open(self, cause: Cause) -> None:
        self._enter(BreakerState.HALF_OPEN, cause)
        self._half_open_since = self._clock.monotonic()

    def _leased(self, now: float) -> bool:
        idle_since = max(self._half_open_since, self._watched_until)  # who is watched cannot make use of a lease
        return now < self._leased_until and now - idle_since < self._policy.idle_seconds

    def _take_probe(self, now: float) -> bool:
        if self._leased(now):
            if not self._grants:
                return False
            self._grants -= 1
        elif len(self._probes) + self._probe_successes >= self._policy.half_open_permits:
            return False
        self._probes.append(now)
        return True

    def _count(self, *, success: bool, slow: bool, fault: Fault | None = None) -> None:
        good = success and not slow
        if self._state is BreakerState.CLOSED:
            self._window.add(failed=not success, slow=slow)
            self._blamed = None if good else self._accused(success=success, fault=fault)
            if not good and self._window.is_bad:  # a good call is no reason to open, whatever came before it
                self._open()
        elif self._state is BreakerState.HALF_OPEN:
            self._blamed = self._blamed if good else self._accused(success=success, fault=fault)
            self._judge_probe(good=good)

    def _accused(self, *, success: bool, fault: Fault | None) -> Fault | None:
        """What a bad call blames the target for: its fault, or its slowness when it ended well; nothing new when neither is known."""
        return (self._slowness if success else fault) or self._blamed

    def _judge_probe(self, *, good: bool) -> None:
        if not good:
            self._open()
            return
        self._probe_successes += 1
        if self._probe_successes >= (1 if self._leased(self._clock.monotonic()) else self._policy.half_open_permits):
            self._closed_at = self._clock.monotonic()
            self._enter(BreakerState.CLOSED, Cause.CALLS)

    def _open(self) -> None:
        now = self._clock.monotonic()
        if self._state is BreakerState.CLOSED:
            self._relapsed = now - self._closed_at < RELAPSE_SECONDS
            self._streak = self._streak if self._relapsed else 0
        longest = min(self._policy.open_seconds_cap, self._policy.open_seconds * 2 ** min(self._streak, 32))
        self._open_until = now + longest * (1 - self._policy.jitter * self._roll())
        self._streak += 1
        self._opened_times += 1
        self._demanded = True
        self._enter(BreakerState.OPEN, Cause.CALLS)

    def _remaining(self, now: float) -> float:
        if self._state is BreakerState.FORCED_OPEN:
            return self._policy.open_seconds_cap
        if self._state is BreakerState.OPEN:
            return max(0.0, self._open_until - now)
        return 0.0
