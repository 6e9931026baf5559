"""A local circuit breaker in the sense of resilience4j: failure and slow-call rate over a sliding window of calls.

Every operation is O(1) under a lock that is never held while the guarded call runs. No I/O, no thread, time injected.
Source: https://resilience4j.readme.io/docs/circuitbreaker
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from gateway.clock import Clock
from gateway.errors import GatewayError, Unavailable, UpstreamInvalid, UpstreamTimeout


class BreakerState(StrEnum):
    """`forced_open` and `disabled` are an operator's word and end only by `reset`."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    DISABLED = "disabled"


class BreakerOpen(Unavailable):
    """The target failed too often lately: the call was not made. Retryable after `retry_after_seconds`."""

    code = "BREAKER_OPEN"

    def __init__(self, target: str, retry_after_seconds: float) -> None:
        super().__init__(
            f"{target.partition(':')[2] or target} is not called for a moment: it failed too often", retry_after_seconds=retry_after_seconds
        )
        self.target = target


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens and how it closes again.

    Attributes:
        window_calls: calls that the rates are computed over.
        minimum_calls: fewer recorded calls never open it.
        failure_rate, slow_rate: 0 to 1; reaching either opens it.
        slow_seconds: a call that takes longer counts as slow.
        open_seconds: time it stays open the first time; doubles with every failed probe up to `open_seconds_cap`.
        jitter: 0 to 1; each open time is shortened by up to this share, so that processes do not probe in step.
        half_open_permits: probes at a time while half open; all of them must succeed.
        probe_seconds: a probe that never reported back gives its permit free after this time.
    """

    window_calls: int = 20
    minimum_calls: int = 5
    failure_rate: float = 0.5
    slow_rate: float = 0.8
    slow_seconds: float = 2.0
    open_seconds: float = 1.0
    open_seconds_cap: float = 30.0
    jitter: float = 0.3
    half_open_permits: int = 2
    probe_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """A breaker at one moment. Rates are None until `minimum_calls` are recorded."""

    name: str
    state: BreakerState
    calls: int
    failure_rate: float | None
    slow_rate: float | None
    remaining_open_seconds: float
    opened_times: int


@dataclass(slots=True)
class Permit:
    """The right to make one call; `epoch` tells a late report from before the last change of state."""

    epoch: int


class Breaker:
    """One target's breaker. Safe to use from many threads."""

    def __init__(self, name: str, clock: Clock, policy: BreakerPolicy | None = None, roll: Callable[[], float] = random.random) -> None:
        self.name = name
        self._policy = policy or BreakerPolicy()
        self._clock = clock
        self._roll = roll
        self._lock = threading.Lock()
        self._state = BreakerState.CLOSED
        self._epoch = 0
        self._window: deque[tuple[bool, bool]] = deque()
        self._failures = self._slow = 0
        self._opened_times = self._opened_in_a_row = 0
        self._open_until = 0.0
        self._probes: deque[float] = deque()
        self._probe_successes = 0

    def permit(self) -> Permit:
        """The right to call now; report the call's end by `record`.

        Raises:
            BreakerOpen: not now; `retry_after_seconds` says when the next probe may be let through.
        """
        with self._lock:
            now = self._clock.monotonic()
            self._move_on(now)
            if self._state is BreakerState.HALF_OPEN and self._take_probe(now):
                return Permit(self._epoch)
            if self._state in (BreakerState.CLOSED, BreakerState.DISABLED):
                return Permit(self._epoch)
            raise BreakerOpen(self.name, max(0.1, self._remaining(now)))

    def record(self, permit: Permit, *, success: bool, duration_seconds: float) -> None:
        """How the permitted call ended. A report from before the last change of state says nothing about now and is dropped."""
        with self._lock:
            if permit.epoch != self._epoch:
                return
            slow = duration_seconds > self._policy.slow_seconds
            if self._state is BreakerState.CLOSED:
                self._count(failed=not success, slow=slow)
                if slow or not success:  # a good call is no reason to open, whatever came before it
                    self._open_when_bad()
            elif self._state is BreakerState.HALF_OPEN:
                self._judge_probe(good=success and not slow)

    @contextmanager
    def guard(self, is_failure: Callable[[BaseException], bool] | None = None) -> Iterator[None]:
        """Permit, time and record the block. By default an error counts when it is one that waiting heals (or is not ours).

        Raises:
            BreakerOpen: the block was not run.
        """
        permit, started = self.permit(), self._clock.monotonic()
        try:
            yield
        except BaseException as error:
            failed = (is_failure or counts_as_failure)(error)
            self.record(permit, success=not failed, duration_seconds=self._clock.monotonic() - started)
            raise
        self.record(permit, success=True, duration_seconds=self._clock.monotonic() - started)

    def state(self) -> BreakerState:
        """The state now; an open one whose time is over counts as half open."""
        with self._lock:
            self._move_on(self._clock.monotonic())
            return self._state

    def remaining_open_seconds(self) -> float:
        """How long no call is let through; 0 when one may be. Honest for Retry-After."""
        with self._lock:
            return self._remaining(self._clock.monotonic())

    def snapshot(self) -> BreakerSnapshot:
        """Everything about it at one moment."""
        with self._lock:
            now = self._clock.monotonic()
            self._move_on(now)
            calls = len(self._window)
            known = calls >= self._policy.minimum_calls
            return BreakerSnapshot(
                name=self.name,
                state=self._state,
                calls=calls,
                failure_rate=self._failures / calls if known else None,
                slow_rate=self._slow / calls if known else None,
                remaining_open_seconds=self._remaining(now),
                opened_times=self._opened_times,
            )

    def force_open(self) -> None:
        """Let nothing through until `reset`: an operator's word."""
        self._set_by_operator(BreakerState.FORCED_OPEN)

    def disable(self) -> None:
        """Let everything through and count nothing until `reset`: an operator's word."""
        self._set_by_operator(BreakerState.DISABLED)

    def reset(self) -> None:
        """Closed, with nothing remembered."""
        self._set_by_operator(BreakerState.CLOSED)

    def _set_by_operator(self, state: BreakerState) -> None:
        with self._lock:
            self._opened_in_a_row = 0
            self._enter(state)

    def _enter(self, state: BreakerState) -> None:
        self._state = state
        self._epoch += 1
        self._window.clear()
        self._failures = self._slow = self._probe_successes = 0
        self._probes.clear()

    def _move_on(self, now: float) -> None:
        if self._state is BreakerState.OPEN and now >= self._open_until:
            self._enter(BreakerState.HALF_OPEN)

    def _take_probe(self, now: float) -> bool:
        while self._probes and now - self._probes[0] >= self._policy.probe_seconds:
            self._probes.popleft()
        if len(self._probes) + self._probe_successes >= self._policy.half_open_permits:
            return False
        self._probes.append(now)
        return True

    def _count(self, *, failed: bool, slow: bool) -> None:
        self._window.append((failed, slow))
        self._failures += failed
        self._slow += slow
        if len(self._window) > self._policy.window_calls:
            old_failed, old_slow = self._window.popleft()
            self._failures -= old_failed
            self._slow -= old_slow

    def _open_when_bad(self) -> None:
        calls = len(self._window)
        if calls < self._policy.minimum_calls:
            return
        if self._failures >= self._policy.failure_rate * calls or self._slow >= self._policy.slow_rate * calls:
            self._open()

    def _judge_probe(self, *, good: bool) -> None:
        if not good:
            self._open()
            return
        if self._probes:
            self._probes.popleft()
        self._probe_successes += 1
        if self._probe_successes >= self._policy.half_open_permits:
            self._opened_in_a_row = 0
            self._enter(BreakerState.CLOSED)

    def _open(self) -> None:
        doublings = min(self._opened_in_a_row, 32)
        longest = min(self._policy.open_seconds_cap, self._policy.open_seconds * 2**doublings)
        self._open_until = self._clock.monotonic() + longest * (1 - self._policy.jitter * self._roll())
        self._opened_in_a_row += 1
        self._opened_times += 1
        self._enter(BreakerState.OPEN)

    def _remaining(self, now: float) -> float:
        if self._state is BreakerState.FORCED_OPEN:
            return self._policy.open_seconds_cap
        if self._state is BreakerState.OPEN:
            return max(0.0, self._open_until - now)
        return 0.0


def counts_as_failure(error: BaseException) -> bool:
    """Whether an error speaks against the target: it could not serve, or the error is not ours. A caller's mistake does not."""
    if isinstance(error, GatewayError):
        blamed = error.retryable or isinstance(error, (Unavailable, UpstreamTimeout, UpstreamInvalid))
        return blamed and not isinstance(error, BreakerOpen)
    return isinstance(error, Exception)
