"""Immediate recovery: the one layer that repeats a call. Drivers and clients below it repeat nothing (design.md, decision 6).

Each try goes through the target's breaker; whether there is another one is decided by `decide`, and paid from the target's retry budget.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog

from gateway.clock import Clock
from gateway.databases.errors import DatabaseTimeout
from gateway.errors import GatewayError, Unavailable, UpstreamInvalid, UpstreamTimeout
from gateway.recovery.breaker import Breaker, BreakerOpen
from gateway.recovery.breaker_model import Judge
from gateway.recovery.budget import BudgetPolicy, RetryBudget
from gateway.recovery.classify import classify
from gateway.recovery.decide import Situation, decide
from gateway.recovery.model import Action, Fault, FaultType
from gateway.recovery.policy import RecoveryPolicy
from gateway.recovery.registry import TARGET_LIMIT, Breakers

log = structlog.get_logger(__name__)
T = TypeVar("T")

LONGEST_WAIT_SECONDS = 1.0  # a thread sleeps meanwhile: who asks for more is left to a worker
TIMEOUTS = (UpstreamTimeout, DatabaseTimeout)  # each held a thread to its end
NEVER_AT_ONCE = frozenset({FaultType.RATE_LIMIT})  # asking again is what it complains about


@dataclass(frozen=True, slots=True)
class _Try:
    """The state of one call between two tries."""

    target: str
    breaker: Breaker
    number: int
    repeatable: bool
    remaining_seconds: float


class ImmediateRecovery:
    """Calls targets, and calls again when that is harmless, hopeful, affordable and in time. Safe for threads.

    Args:
        policy: bounds what is done here, and everywhere else: the process has one.
        sleep, roll: how to wait, and where random numbers come from.
    """

    def __init__(
        self,
        breakers: Breakers,
        clock: Clock,
        *,
        policy: RecoveryPolicy | None = None,
        budget: BudgetPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self.breakers = breakers
        self._clock = clock
        self.policy = policy or RecoveryPolicy()
        self._budget = budget or BudgetPolicy()
        self._sleep = sleep
        self._roll = roll
        self._lock = threading.Lock()
        self._budgets: dict[str, RetryBudget] = {}

    def run(self, target: str, attempt: Callable[[float], T], *, timeout_seconds: float, repeatable: bool, judge: Judge | None = None) -> T:
        """What an attempt returns.

        Args:
            attempt: one try, given the seconds that are left.
            timeout_seconds: limit of all tries and waits together.
            repeatable: doing it twice is harmless. If not, it is repeated only when nothing of it was sent (`sent` of the error is False).
            judge: in place of the target's own.
        Raises:
            BreakerOpen: it was not tried. Or whatever the last try raised.
        """
        breaker, deadline, number = self.breakers.of(target), self._clock.monotonic() + timeout_seconds, 0
        while True:
            number += 1
            try:
                with breaker.guard(judge):
                    value = attempt(max(0.001, deadline - self._clock.monotonic()))
            except BreakerOpen:
                raise
            except GatewayError as error:
                if isinstance(error, (Unavailable, UpstreamTimeout, UpstreamInvalid)):
                    error.target = error.target or target
                harmless = repeatable or getattr(error, "sent", None) is False
                wait = self._wait_before_next(error, _Try(target, breaker, number, harmless, deadline - self._clock.monotonic()))
                if wait is None:
                    raise
                self._sleep(wait)
            else:
                self._budget_of(target).succeeded()
                return value

    def budgets(self) -> Mapping[str, float]:
        """The retries that each target can pay for now, for metrics."""
        with self._lock:
            budgets = dict(self._budgets)
        return {target: budget.balance() for target, budget in budgets.items()}

    def _wait_before_next(self, error: GatewayError, tried: _Try) -> float | None:
        """Seconds to wait before the next try, which is paid then; None when there is none."""
        fault = classify(error, target=tried.target)
        if fault.type in NEVER_AT_ONCE:
            return None
        budget, timeout = self._budget_of(tried.target), isinstance(error, TIMEOUTS)
        decision = decide(fault, self._situation(tried, affordable=budget.affords(timeout=timeout)), self.policy)
        if decision.action is not Action.RETRY or decision.delay_ms is None or not budget.spend(timeout=timeout):
            return None
        self._note(fault, tried, decision.delay_ms)
        return decision.delay_ms / 1000

    def _situation(self, tried: _Try, *, affordable: bool) -> Situation:
        return Situation(
            attempt=tried.number,
            repeatable=tried.repeatable,
            remaining_seconds=min(tried.remaining_seconds, LONGEST_WAIT_SECONDS),
            breaker=tried.breaker.state(),
            breaker_seconds=tried.breaker.remaining_open_seconds(),
            budget=affordable,
            deferrable=False,
            roll=self._roll(),
        )

    def _note(self, fault: Fault, tried: _Try, delay_ms: int) -> None:
        log.info("call_repeated", target=tried.target, fault_type=fault.type.value, attempt=tried.number + 1, delay_ms=delay_ms)

    def _budget_of(self, target: str) -> RetryBudget:
        with self._lock:
            budget = self._budgets.get(target)
            if budget is None:
                if len(self._budgets) >= TARGET_LIMIT:
                    del self._budgets[next(iter(self._budgets))]
                budget = self._budgets[target] = RetryBudget(self._clock, self._budget)
            return budget
