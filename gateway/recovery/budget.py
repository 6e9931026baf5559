"""A retry budget: retries may be a tenth of what succeeds, so that retrying never becomes the outage.

Source: https://sre.google/sre-book/addressing-cascading-failures/ (retry budgets); token bucket as in gRPC A6 (retry throttling).
"""

import threading
from dataclasses import dataclass

from gateway.clock import Clock


@dataclass(frozen=True, slots=True)
class BudgetPolicy:
    """How much may be retried.

    Attributes:
        per_success: tokens that one success earns.
        floor_per_second: tokens that time earns, so that a quiet target can be retried at all.
        limit: tokens that can be saved up.
        timeout_cost: tokens of a retry after a timeout, which held a thread; any other costs one.
    """

    per_success: float = 0.1
    floor_per_second: float = 0.2
    limit: float = 20.0
    timeout_cost: float = 2.0


class RetryBudget:
    """One target's budget. Safe to use from many threads; O(1)."""

    def __init__(self, clock: Clock, policy: BudgetPolicy | None = None) -> None:
        self._clock = clock
        self._policy = policy or BudgetPolicy()
        self._lock = threading.Lock()
        self._tokens = self._policy.limit / 2
        self._seen_at = clock.monotonic()

    def succeeded(self) -> None:
        """A call succeeded."""
        with self._lock:
            self._add(self._policy.per_success)

    def affords(self, *, timeout: bool) -> bool:
        """Whether a retry could be paid now. Spends nothing."""
        with self._lock:
            self._accrue()
            return self._tokens >= self._cost(timeout)

    def spend(self, *, timeout: bool) -> bool:
        """Pay for one retry; False when there is not enough, and then nothing was spent."""
        with self._lock:
            self._accrue()
            cost = self._cost(timeout)
            if self._tokens < cost:
                return False
            self._tokens -= cost
            return True

    def balance(self) -> float:
        """Tokens that are there now."""
        with self._lock:
            self._accrue()
            return self._tokens

    def _cost(self, timeout: bool) -> float:
        return self._policy.timeout_cost if timeout else 1.0

    def _accrue(self) -> None:
        now = self._clock.monotonic()
        self._add((now - self._seen_at) * self._policy.floor_per_second)
        self._seen_at = now

    def _add(self, tokens: float) -> None:
        self._tokens = min(self._policy.limit, self._tokens + tokens)
