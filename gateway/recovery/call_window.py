"""The last calls of a target, as two rates. O(1) for each call."""

from collections import deque

from gateway.recovery.breaker_model import BreakerPolicy


class CallWindow:
    """A sliding window over calls. Not safe for threads: its breaker holds the lock."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._calls: deque[tuple[bool, bool]] = deque()
        self._failures = self._slow = 0

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, *, failed: bool, slow: bool) -> None:
        """Count a call; the oldest one leaves when the window is full."""
        self._calls.append((failed, slow))
        self._failures += failed
        self._slow += slow
        if len(self._calls) > self._policy.window_calls:
            old_failed, old_slow = self._calls.popleft()
            self._failures -= old_failed
            self._slow -= old_slow

    def clear(self) -> None:
        """Forget everything."""
        self._calls.clear()
        self._failures = self._slow = 0

    @property
    def failure_rate(self) -> float | None:
        """0 to 1; None below the minimum of calls."""
        return self._failures / len(self._calls) if self._is_known() else None

    @property
    def slow_rate(self) -> float | None:
        """0 to 1; None below the minimum of calls."""
        return self._slow / len(self._calls) if self._is_known() else None

    @property
    def is_bad(self) -> bool:
        """Whether either rate is reached."""
        if not self._is_known():
            return False
        calls = len(self._calls)
        return self._failures >= self._policy.failure_rate * calls or self._slow >= self._policy.slow_rate * calls

    def _is_known(self) -> bool:
        return bool(self._calls) and len(self._calls) >= self._policy.minimum_calls
