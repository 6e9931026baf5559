"""Immediate recovery: the one layer that repeats a call. Drivers and clients below it repeat nothing (design.md, decision 6).

Each try goes through the target's breaker; whether there is another one is decided by `decide`, and paid from the target's retry budget.
Within one try, a call that an instance refused goes to another, and one whose credentials were refused is made once more with newer
ones: only how that ended speaks for or against the target.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from gateway.clock import Clock
from gateway.configuration.errors import CredentialsRefused
from gateway.databases.errors import DatabaseAuthenticationFailed, DatabaseTimeout
from gateway.errors import GatewayError, Unavailable, UpstreamInvalid, UpstreamTimeout
from gateway.recovery.breaker import Breaker, BreakerOpen
from gateway.recovery.breaker_model import Judge
from gateway.recovery.budget import BudgetPolicy, RetryBudget
from gateway.recovery.classify import classify
from gateway.recovery.credentials import Credentials
from gateway.recovery.decide import Situation, decide
from gateway.recovery.model import Action, FaultType
from gateway.recovery.policy import RecoveryPolicy
from gateway.recovery.registry import TARGET_LIMIT, Breakers

log = structlog.get_logger(__name__)
T = TypeVar("T")

LONGEST_WAIT_SECONDS = 1.0  # a thread sleeps meanwhile: who asks for more is left to a worker
TIMEOUTS = (UpstreamTimeout, DatabaseTimeout)  # each held a thread to its end
REFUSES_US = (DatabaseAuthenticationFailed, CredentialsRefused)
NEVER_AT_ONCE = frozenset({FaultType.RATE_LIMIT})  # asking again is what it complains about


def no_other(_unreached: bool) -> bool:
    """Of a target that has one address."""
    return False


@dataclass(frozen=True, slots=True)
class _Call:
    """One call, as it was asked for. `deadline`: on the clock's monotonic time."""

    target: str
    attempt: Callable[[float], Any]
    deadline: float
    repeatable: bool
    find_other: Callable[[bool], bool]


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
        credentials: the gateway's own at its targets; none that could be renewed by default.
        policy: bounds what is done here, and everywhere else: the process has one.
        sleep, roll: how to wait, and where random numbers come from.
    """

    def __init__(
        self,
        breakers: Breakers,
        clock: Clock,
        *,
        credentials: Credentials | None = None,
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
        self._taken: Counter[Action] = Counter()
        self.credentials = credentials or Credentials()

    def run(
        self,
        target: str,
        attempt: Callable[[float], T],
        *,
        timeout_seconds: float,
        repeatable: bool,
        judge: Judge | None = None,
        find_other: Callable[[bool], bool] = no_other,
    ) -> T:
        """What an attempt returns.

        Args:
            attempt: one try, given the seconds that are left.
            timeout_seconds: limit of all tries and waits together.
            repeatable: doing it twice is harmless. If not, it is repeated only when nothing of it was sent (`sent` of the error is False).
            judge: in place of the target's own.
            find_other: has the next attempt go to another instance; False when there is none that was not tried. Told whether the call
                reached no instance so far.
        Raises:
            BreakerOpen: it was not tried. Or whatever the last try raised.
        """
        breaker, deadline, number = self.breakers.of(target), self._clock.monotonic() + timeout_seconds, 0
        call = _Call(target, attempt, deadline, repeatable, find_other)
        while True:
            number += 1
            try:
                with breaker.guard(judge):
                    value: T = self._attempt(call)
            except BreakerOpen:
                raise
            except GatewayError as error:
                if isinstance(error, (Unavailable, UpstreamTimeout, UpstreamInvalid)):
                    error.target = error.target or target
                harmless = repeatable or _unsent(error)
                wait = self._wait_before_next(error, _Try(target, breaker, number, harmless, deadline - self._clock.monotonic()))
                if wait is None:
                    raise
                self._sleep(wait)
            else:
                self._budget_of(target).succeeded()
                return value

    def once(self, target: str, attempt: Callable[[float], T], *, timeout_seconds: float) -> T:
        """What one attempt returns, past the breaker; it is made again only when the target refused credentials that were old.

        Raises:
            whatever the attempt raised.
        """
        value: T = self._attempt(_Call(target, attempt, self._clock.monotonic() + timeout_seconds, False, no_other))
        return value

    def taken(self) -> Mapping[Action, int]:
        """How often each action was taken within a call, for metrics."""
        with self._lock:
            return dict(self._taken)

    def budgets(self) -> Mapping[str, float]:
        """The retries that each target can pay for now, for metrics."""
        with self._lock:
            budgets = dict(self._budgets)
        return {target: budget.balance() for target, budget in budgets.items()}

    def _attempt(self, call: _Call) -> Any:
        """One try at the target: at another instance, or with newer credentials, as long as there are any."""
        taken: list[Action] = []
        while True:
            version = self.credentials.version(call.target)
            try:
                return call.attempt(max(0.001, call.deadline - self._clock.monotonic()))
            except BreakerOpen:
                raise
            except GatewayError as error:
                action = self._remedy(call, error, taken)
                if action is None or not self._apply(action, call, version, free=_unsent(error)):
                    raise
                taken.append(action)

    def _remedy(self, call: _Call, error: GatewayError, taken: list[Action]) -> Action | None:
        """What is decided while the try is under way: another instance or newer credentials; None for anything else."""
        if call.find_other is no_other and not isinstance(error, REFUSES_US):
            return None
        fault = classify(error, target=call.target)
        situation = Situation(
            repeatable=call.repeatable or _unsent(error),
            remaining_seconds=call.deadline - self._clock.monotonic(),
            other_instance=len(taken) + 1 < self.policy.max_attempts,
            credentials=isinstance(error, REFUSES_US) and Action.REAUTHENTICATE not in taken,
            deferrable=False,
        )
        action = decide(fault, situation, self.policy).action
        in_time = situation.remaining_seconds > 0
        return action if in_time and action in (Action.REDISCOVER_SERVICE, Action.REAUTHENTICATE) else None

    def _apply(self, action: Action, call: _Call, version: int, *, free: bool) -> bool:
        """Whether there is something to try again with. A call that an instance received is paid for like any repetition."""
        if action is Action.REAUTHENTICATE:
            done = self.credentials.renew(call.target, version)
        else:
            budget = self._budget_of(call.target)
            done = (free or budget.affords(timeout=False)) and call.find_other(free) and (free or budget.spend(timeout=False))
        if done:
            self._note(action, call.target)
        return done

    def _wait_before_next(self, error: GatewayError, tried: _Try) -> float | None:
        """Seconds to wait before the next try, which is paid then; None when there is none."""
        fault = classify(error, target=tried.target)
        if fault.type in NEVER_AT_ONCE:
            return None
        budget, timeout = self._budget_of(tried.target), isinstance(error, TIMEOUTS)
        decision = decide(fault, self._situation(tried, affordable=budget.affords(timeout=timeout)), self.policy)
        if decision.action is not Action.RETRY or not budget.spend(timeout=timeout):
            return None
        self._note(Action.RETRY, tried.target, fault_type=fault.type.value, attempt=tried.number + 1, delay_ms=decision.delay_ms)
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

    def _note(self, action: Action, target: str, **fields: Any) -> None:
        with self._lock:
            self._taken[action] += 1
        log.info("call_repeated", action=action.value, target=target, **fields)

    def _budget_of(self, target: str) -> RetryBudget:
        with self._lock:
            budget = self._budgets.get(target)
            if budget is None:
                if len(self._budgets) >= TARGET_LIMIT:
                    del self._budgets[next(iter(self._budgets))]
                budget = self._budgets[target] = RetryBudget(self._clock, self._budget)
            return budget


def _unsent(error: GatewayError) -> bool:
    """Nothing of the call reached its target: doing it again is harmless, and costs the target nothing."""
    return getattr(error, "sent", None) is False
