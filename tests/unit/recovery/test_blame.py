"""A breaker tells what opened it, so that a refusal does not hide its cause."""

import pytest

from gateway.databases.errors import DatabaseUnreachable
from gateway.errors import Unavailable
from gateway.recovery.breaker import Breaker, BreakerOpen, BreakerState
from gateway.recovery.breaker_model import BreakerChange, Cause
from gateway.recovery.classify import classify
from gateway.recovery.model import Category, FaultType
from gateway.recovery.registry import Breakers
from tests.fakes.clock import FakeClock


def unreachable() -> DatabaseUnreachable:
    return DatabaseUnreachable("clickhouse", "ClickHouse does not answer", vendor_code="210")


def fail(breaker: Breaker, times: int = 5) -> None:
    for _ in range(times):
        with pytest.raises(DatabaseUnreachable), breaker.guard():
            raise unreachable()


def test_a_refused_call_says_what_opened_the_breaker() -> None:
    breaker = Breakers(FakeClock()).of("database:clickhouse")
    fail(breaker)
    with pytest.raises(BreakerOpen) as refused:
        breaker.permit()
    cause = refused.value.blamed
    assert cause
    assert (cause.type, cause.vendor_code, cause.detail) == (FaultType.DATABASE_CONNECTION, "210", "ClickHouse does not answer")
    fault = classify(refused.value)
    assert (fault.refused, fault.cause, fault.fingerprint) == (True, cause, cause.fingerprint)
    wrapped = Unavailable("It is down")
    wrapped.__cause__ = refused.value
    assert classify(wrapped).underlying == cause


def test_a_breaker_that_closed_blames_nothing_any_more() -> None:
    breaker = Breakers(FakeClock()).of("database:clickhouse")
    fail(breaker)
    breaker.adopt(BreakerState.CLOSED)
    assert breaker.blamed is None
    fail(breaker, 1)
    with breaker.guard():
        pass
    assert breaker.blamed is None  # it failed once and was well since


def test_an_operators_word_has_no_fault_behind_it() -> None:
    breaker = Breakers(FakeClock()).of("database:clickhouse")
    fail(breaker)
    breaker.force_open()
    with pytest.raises(BreakerOpen) as refused:
        breaker.permit()
    fault = classify(refused.value)
    assert (fault.refused, fault.cause, fault.underlying) == (True, None, fault)


def test_who_looked_at_the_target_may_blame_it() -> None:
    breaker = Breakers(FakeClock()).of("database:clickhouse")
    breaker.observe(success=False, duration_seconds=1.0, decisive=True, fault=classify(unreachable()))
    with pytest.raises(BreakerOpen) as refused:
        breaker.permit()
    assert refused.value.blamed


def test_listeners_hear_what_opened_it() -> None:
    breakers, heard = Breakers(FakeClock()), list[BreakerChange]()
    breakers.listen(heard.append)
    fail(breakers.of("database:clickhouse"))
    assert [(change.cause, change.blamed is not None) for change in heard] == [(Cause.CALLS, True)]


def pass_slowly(breaker: Breaker, clock: FakeClock, times: int = 5) -> None:
    for _ in range(times):
        with breaker.guard():
            clock.advance(20)


@pytest.mark.parametrize(("target", "source"), [("database:clickhouse", "clickhouse"), ("service:orders", "http")])
def test_a_breaker_that_slowness_opened_blames_a_target_that_answers_too_slowly(target: str, source: str) -> None:
    clock = FakeClock()
    breaker = Breakers(clock).of(target)
    pass_slowly(breaker, clock)
    with pytest.raises(BreakerOpen) as refused:
        breaker.permit()
    cause = refused.value.blamed
    assert cause
    assert (cause.type, cause.category, cause.source, cause.target) == (FaultType.TIMEOUT, Category.INFRASTRUCTURE, source, target)
    assert (cause.retryable, cause.detail) == (True, "It answers too slowly")
    assert classify(refused.value).fingerprint == cause.fingerprint


def test_a_slow_probe_is_what_keeps_a_breaker_open() -> None:
    clock = FakeClock()
    breaker = Breakers(clock).of("database:clickhouse")
    fail(breaker)
    clock.advance(5)
    pass_slowly(breaker, clock, 1)
    assert breaker.blamed
    assert breaker.blamed.type is FaultType.TIMEOUT


def test_one_slow_call_is_forgotten_with_the_next_good_one() -> None:
    clock = FakeClock()
    breaker = Breakers(clock).of("service:orders")
    pass_slowly(breaker, clock, 1)
    assert breaker.blamed
    with breaker.guard():
        pass
    assert breaker.blamed is None


def test_a_call_that_fails_after_an_operators_word_blames_nobody() -> None:
    breaker = Breakers(FakeClock()).of("database:clickhouse")

    def cut_off() -> None:
        with breaker.guard():
            breaker.force_open()
            raise unreachable()

    with pytest.raises(DatabaseUnreachable):
        cut_off()
    assert breaker.blamed is None
