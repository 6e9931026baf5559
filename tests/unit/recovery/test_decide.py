"""Deciding is a table: fault and situation in, one decision out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.databases.errors import DatabaseAuthenticationFailed, DatabaseTimeout, DatabaseUnreachable, StatementConflict
from gateway.errors import (
    Conflict,
    FieldError,
    Forbidden,
    GatewayError,
    InvalidInput,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpstreamTimeout,
)
from gateway.recovery.backoff import full_jitter_seconds
from gateway.recovery.breaker import BreakerState
from gateway.recovery.budget import BudgetPolicy, RetryBudget
from gateway.recovery.classify import classify
from gateway.recovery.decide import Situation, decide
from gateway.recovery.guidance import error_object, guidance
from gateway.recovery.model import Action, Decision, Fault, FaultType, Strategy
from gateway.recovery.policy import RecoveryPolicy
from tests.fakes.clock import FakeClock

HOPEFUL = Situation(repeatable=True, budget=True, remaining_seconds=5.0)
END = Situation()
DOWN = DatabaseUnreachable("clickhouse", "ClickHouse does not answer")
GONE = Unavailable("The service is gone")


class NoInstance(NotFound):
    code = "SERVICE_DISCOVERY_ERROR"
    retryable = True
    service = "prices"


class PricesDown(Unavailable):
    service = "prices"


@pytest.mark.parametrize(
    ("error", "situation", "action", "strategy"),
    [
        (DOWN, HOPEFUL, Action.RETRY, Strategy.IMMEDIATE),
        (DOWN, replace(HOPEFUL, repeatable=False), Action.RECONNECT_DATABASE, Strategy.DELAYED),
        (DOWN, replace(HOPEFUL, budget=False), Action.RECONNECT_DATABASE, Strategy.DELAYED),
        (DOWN, replace(HOPEFUL, attempt=3), Action.RECONNECT_DATABASE, Strategy.DELAYED),
        (DOWN, replace(HOPEFUL, remaining_seconds=0.001), Action.RECONNECT_DATABASE, Strategy.DELAYED),
        (DOWN, replace(HOPEFUL, breaker=BreakerState.OPEN), Action.RECONNECT_DATABASE, Strategy.DELAYED),
        (DOWN, replace(HOPEFUL, breaker=BreakerState.FORCED_OPEN, fallback=True), Action.FALLBACK, Strategy.IMMEDIATE),
        (DOWN, replace(HOPEFUL, budget=False, fallback=True), Action.FALLBACK, Strategy.IMMEDIATE),
        (DOWN, replace(HOPEFUL, budget=False, stale=True), Action.SERVE_STALE, Strategy.IMMEDIATE),
        (DOWN, replace(HOPEFUL, answer_begun=True, fallback=True), Action.RECONNECT_DATABASE, Strategy.DELAYED),
        (DOWN, END, Action.RECONNECT_DATABASE, Strategy.DELAYED),
        (DOWN, replace(END, deferrable=False), Action.WAIT, Strategy.NONE),
        (DOWN, replace(END, recovery_flow=True), Action.RUN_RECOVERY_FLOW, Strategy.DELAYED),
        (DatabaseAuthenticationFailed("redis", "x"), HOPEFUL, Action.NONE, Strategy.NONE),
        (DatabaseAuthenticationFailed("redis", "x"), replace(HOPEFUL, fallback=True), Action.FALLBACK, Strategy.IMMEDIATE),
        (DatabaseTimeout("postgres", "x", vendor_code="57014"), HOPEFUL, Action.RETRY, Strategy.IMMEDIATE),
        (StatementConflict("postgres", "x", vendor_code="40001"), HOPEFUL, Action.RETRY, Strategy.IMMEDIATE),
        (StatementConflict("postgres", "x", vendor_code="40001"), replace(END, stale=True), Action.WAIT, Strategy.NONE),
        (Conflict("x"), HOPEFUL, Action.NONE, Strategy.NONE),
        (InvalidInput("x"), replace(HOPEFUL, fallback=True, stale=True), Action.CORRECT_REQUEST, Strategy.NONE),
        (Forbidden("x"), HOPEFUL, Action.NONE, Strategy.NONE),
        (NotFound("x"), HOPEFUL, Action.NONE, Strategy.NONE),
        (Unauthenticated("x"), replace(HOPEFUL, credentials=True), Action.NONE, Strategy.NONE),
        (RateLimited("x", retry_after_seconds=9), HOPEFUL, Action.WAIT, Strategy.NONE),
        (NoInstance("x"), replace(HOPEFUL, other_instance=True), Action.REDISCOVER_SERVICE, Strategy.IMMEDIATE),
        (NoInstance("x"), END, Action.REFRESH_DISCOVERY, Strategy.DELAYED),
        (PricesDown("x"), END, Action.FAILOVER_INSTANCE, Strategy.DELAYED),
        (GONE, END, Action.WAIT, Strategy.NONE),
        (UpstreamTimeout("x"), HOPEFUL, Action.RETRY, Strategy.IMMEDIATE),
        (ValueError("x"), HOPEFUL, Action.NONE, Strategy.NONE),
    ],
)
def test_the_table(error: BaseException, situation: Situation, action: Action, strategy: Strategy) -> None:
    decision = decide(classify(error), situation)
    assert (decision.action, decision.strategy) == (action, strategy)


def test_our_credentials_at_a_service_are_renewed_once() -> None:
    fault = classify(Unauthenticated("x"), target="service:prices")
    assert decide(fault, replace(HOPEFUL, credentials=True)).action is Action.REAUTHENTICATE
    assert decide(fault, HOPEFUL).action is Action.NONE
    refused = classify(DatabaseAuthenticationFailed("redis", "x"))
    assert decide(refused, replace(HOPEFUL, credentials=True)).action is Action.REAUTHENTICATE
    strict = RecoveryPolicy(allowed=frozenset({Action.FALLBACK}))
    assert decide(refused, replace(HOPEFUL, credentials=True, fallback=True), strict).action is Action.FALLBACK


def test_only_what_is_allowed_is_done() -> None:
    strict = RecoveryPolicy(allowed=frozenset({Action.SERVE_STALE}))
    offered = replace(HOPEFUL, fallback=True, stale=True)
    assert decide(classify(DOWN), offered, strict).action is Action.SERVE_STALE
    assert decide(classify(DOWN), END, strict).action is Action.WAIT


def test_retry_after_is_the_breakers_time_then_what_was_asked_for_then_the_default() -> None:
    asked = classify(DatabaseUnreachable("clickhouse", "x", retry_after_seconds=2))
    assert decide(asked, replace(END, breaker=BreakerState.OPEN, breaker_seconds=0.7)).retry_after_ms == 700
    assert decide(asked).retry_after_ms == 2000
    assert decide(classify(DOWN)).retry_after_ms == 5000
    assert decide(classify(Conflict("x"))).retry_after_ms is None


@given(
    st.builds(
        Situation,
        attempt=st.integers(1, 10),
        repeatable=st.booleans(),
        answer_begun=st.booleans(),
        remaining_seconds=st.floats(0, 10),
        breaker=st.sampled_from(BreakerState),
        budget=st.booleans(),
        fallback=st.booleans(),
        stale=st.booleans(),
        other_instance=st.booleans(),
        credentials=st.booleans(),
        deferrable=st.booleans(),
        recovery_flow=st.booleans(),
        roll=st.floats(0, 1, exclude_max=True),
    ),
    st.sampled_from([DOWN, GONE, InvalidInput("x"), ValueError("x"), UpstreamTimeout("x"), NoInstance("x"), RateLimited("x")]),
)
def test_a_retry_is_always_harmless_affordable_and_in_time(situation: Situation, error: BaseException) -> None:
    decision = decide(classify(error), situation)
    if decision.action is Action.RETRY and decision.strategy is Strategy.IMMEDIATE:
        assert situation.repeatable
        assert situation.budget
        assert not situation.answer_begun
        assert situation.breaker not in (BreakerState.OPEN, BreakerState.FORCED_OPEN)
        assert decision.delay_ms / 1000 <= situation.remaining_seconds + 0.001
    if isinstance(error, InvalidInput):
        assert decision.strategy is Strategy.NONE


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_backoff_is_full_jitter_below_the_cap(attempt: int, roll: float) -> None:
    wait = full_jitter_seconds(attempt, base_seconds=0.1, cap_seconds=5.0, roll=roll)
    assert 0 <= wait <= 5.0
    assert full_jitter_seconds(3, base_seconds=0.1, cap_seconds=5.0, roll=0.5) == pytest.approx(0.2)


def test_retries_stay_a_tenth_of_successes() -> None:
    budget = RetryBudget(FakeClock(), BudgetPolicy(limit=20))
    while budget.spend(timeout=False):
        pass
    for _ in range(100):
        budget.succeeded()
    assert sum(budget.spend(timeout=False) for _ in range(50)) in (9, 10)


def test_a_timeout_costs_double_and_time_earns_a_floor() -> None:
    clock = FakeClock()
    budget = RetryBudget(clock, BudgetPolicy(limit=4, floor_per_second=0.5))
    assert budget.spend(timeout=True)
    assert not budget.affords(timeout=False)
    clock.advance(2)
    assert budget.affords(timeout=False)
    assert not budget.spend(timeout=True)
    assert budget.spend(timeout=False)


def test_guidance_tells_waiting_from_asking_for_less_and_from_calling_an_operator() -> None:
    lost = Fault(FaultType.DATABASE_CONNECTION, True, "postgres", 1.0, "v1-0", "x", "x", target="database:postgres")
    wait = Decision(Action.WAIT, Strategy.NONE, "time_may_heal", retry_after_ms=4000)
    assert "retryAfter" in guidance(lost, wait)
    assert "operator" in guidance(replace(lost, retryable=False), Decision(Action.NONE, Strategy.NONE, "nothing_helps"))
    slow = replace(lost, type=FaultType.TIMEOUT, retryable=False)
    assert "retryAfter" not in guidance(slow, decide(slow))


def test_guidance_names_each_field_of_invalid_input() -> None:
    fault = classify(InvalidInput("bad", [FieldError("/nodes/0/id", "is required"), FieldError("", "is no object")]))
    text = guidance(fault, decide(fault))
    assert "/nodes/0/id: is required" in text
    assert "the whole body: is no object" in text


@pytest.mark.parametrize("fault_type", FaultType)
@pytest.mark.parametrize("action", Action)
def test_there_is_guidance_for_everything(fault_type: FaultType, action: Action) -> None:
    fault = replace(classify(ValueError("x")), type=fault_type)
    assert guidance(fault, Decision(action, Strategy.NONE, "x")).endswith(".")


def test_the_error_object_is_the_contracts() -> None:
    fault = classify(DOWN)
    shown = error_object(fault)
    assert shown["type"] == "DATABASE_CONNECTION_ERROR"
    assert shown["message"] == "ClickHouse does not answer"
    assert (shown["severity"], shown["category"], shown["retryable"]) == ("high", "infrastructure", True)


def test_driver_text_never_reaches_the_wire() -> None:
    error: GatewayError | Exception = RuntimeError("password=hunter2 at 10.0.0.1")
    fault = classify(error)
    assert "hunter2" not in str(error_object(fault)) + guidance(fault, decide(fault))


def test_what_was_learned_goes_before_the_types_own_action_within_the_allow_list() -> None:
    lost = replace(classify(ConnectionResetError(104, "reset")), target="service:orders")
    assert lost.type is FaultType.UPSTREAM
    learned = Situation(learned=Action.REFRESH_DISCOVERY)
    assert decide(lost, learned).action is Action.REFRESH_DISCOVERY
    assert decide(lost, learned).reason == "learned_what_heals"
    assert decide(lost, Situation(learned=Action.SERVE_STALE)).action is Action.FAILOVER_INSTANCE
    bounded = RecoveryPolicy(allowed=frozenset(Action) - {Action.REFRESH_DISCOVERY})
    assert decide(lost, learned, bounded).strategy is Strategy.NONE
