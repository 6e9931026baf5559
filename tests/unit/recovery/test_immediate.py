"""Immediate recovery: what is repeated, what is not, and how much repeating may cost."""

import contextlib
from collections.abc import Callable
from random import Random

import pytest

from gateway.databases.errors import DatabaseTimeout, DatabaseUnreachable, StatementInvalid
from gateway.errors import GatewayError, RateLimited
from gateway.outbound.errors import CallTimedOut, UpstreamUnreachable
from gateway.recovery.breaker import BreakerOpen
from gateway.recovery.budget import BudgetPolicy
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.registry import Breakers
from tests.fakes.clock import FakeClock

TARGET = "service:prices"


class Bench:
    """A target that fails as told, and what it cost."""

    def __init__(self, budget: BudgetPolicy | None = None) -> None:
        self.clock = FakeClock()
        self.breakers = Breakers(self.clock)
        self.random = Random(4)
        self.waits: list[float] = []
        self.attempts = 0
        self.recovery = ImmediateRecovery(self.breakers, self.clock, budget=budget, sleep=self._sleep, roll=self.random.random)

    def call(self, *errors: GatewayError, repeatable: bool = True, timeout_seconds: float = 5.0, seconds: float = 0.01) -> str:
        """Fail with each error in turn, then succeed."""
        remaining = list(errors)

        def attempt(_left: float) -> str:
            self.attempts += 1
            self.clock.advance(seconds)
            if remaining:
                raise remaining.pop(0)
            return "done"

        return self.recovery.run(TARGET, attempt, timeout_seconds=timeout_seconds, repeatable=repeatable)

    def serve(self, requests: int, failing: Callable[[], bool]) -> tuple[float, float]:
        """Attempts per request, and the share of requests that succeeded."""
        succeeded = 0
        for _ in range(requests):
            with contextlib.suppress(GatewayError):
                self.recovery.run(TARGET, lambda _: self._answer(failing()), timeout_seconds=5.0, repeatable=True)
                succeeded += 1
            self.clock.advance(0.01)
        return self.attempts / requests, succeeded / requests

    def _answer(self, fails: bool) -> None:
        self.attempts += 1
        if fails:
            raise UpstreamUnreachable("x", sent=True)

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(seconds)


def unreachable(*, sent: bool = True) -> UpstreamUnreachable:
    return UpstreamUnreachable("x", sent=sent)


def test_an_idempotent_call_is_repeated_after_a_jittered_wait() -> None:
    bench = Bench()
    assert bench.call(unreachable(), unreachable()) == "done"
    assert bench.attempts == 3
    assert [wait < limit for wait, limit in zip(bench.waits, (0.05, 0.1), strict=True)] == [True, True]


def test_three_tries_are_the_limit() -> None:
    bench = Bench()
    with pytest.raises(UpstreamUnreachable):
        bench.call(*[unreachable()] * 3)
    assert bench.attempts == 3


@pytest.mark.parametrize(("sent", "attempts"), [(True, 1), (False, 2)])
def test_what_is_not_idempotent_is_repeated_only_when_nothing_was_sent(sent: bool, attempts: int) -> None:
    bench = Bench()
    try:
        bench.call(unreachable(sent=sent), repeatable=False)
    except UpstreamUnreachable:
        assert sent
    assert bench.attempts == attempts


@pytest.mark.parametrize("error", [StatementInvalid("postgres", "x"), RateLimited("x", retry_after_seconds=0)])
def test_what_a_repetition_cannot_heal_is_not_repeated(error: GatewayError) -> None:
    bench = Bench()
    with pytest.raises(type(error)):
        bench.call(error)
    assert bench.attempts == 1


def test_a_deadline_is_for_all_tries_together() -> None:
    bench = Bench()
    with pytest.raises(CallTimedOut):
        bench.call(CallTimedOut("x", sent=True), timeout_seconds=2.0, seconds=2.0)
    assert bench.attempts == 1


def test_each_try_is_told_what_is_left() -> None:
    bench, left = Bench(), []

    def attempt(seconds: float) -> None:
        left.append(seconds)
        bench.clock.advance(1.0)
        if len(left) == 1:
            raise unreachable()

    bench.recovery.run(TARGET, attempt, timeout_seconds=5.0, repeatable=True)
    assert left[0] == pytest.approx(5.0)
    assert left[1] == pytest.approx(4.0 - bench.waits[0])


def test_nothing_is_tried_while_the_breaker_is_open() -> None:
    bench = Bench()
    bench.breakers.of(TARGET).force_open()
    with pytest.raises(BreakerOpen):
        bench.call()
    assert bench.attempts == 0


def test_a_timeout_costs_twice_what_another_repetition_does() -> None:
    budget = BudgetPolicy(per_success=0, floor_per_second=0, limit=8)  # it begins half full
    assert [repeated(Bench(budget), error) for error in (unreachable(), DatabaseTimeout("redis", "x"))] == [4, 2]


def repeated(bench: Bench, error: GatewayError) -> int:
    """How many repetitions the budget pays for."""
    bench.breakers.of(TARGET).disable()
    for _ in range(10):
        with contextlib.suppress(GatewayError):
            bench.call(*[error] * 3)
    return len(bench.waits)


def test_a_target_that_always_fails_gets_hardly_more_attempts_than_requests() -> None:
    bench = Bench()
    bench.breakers.of(TARGET).disable()  # the budget alone, without the breaker's help
    attempts, succeeded = bench.serve(20_000, lambda: True)
    assert attempts <= 1.10
    assert succeeded == 0


def test_with_the_breaker_it_gets_far_fewer() -> None:
    bench = Bench()
    attempts, _ = bench.serve(20_000, lambda: True)
    assert attempts <= 0.05


def test_a_target_that_fails_now_and_then_is_hardly_noticed() -> None:
    bench = Bench()
    attempts, succeeded = bench.serve(50_000, lambda: bench.random.random() < 0.01)
    assert succeeded >= 0.999
    assert attempts <= 1.02


def test_databases_errors_are_repeated_too() -> None:
    bench = Bench()
    assert bench.call(DatabaseUnreachable("postgres", "x")) == "done"
