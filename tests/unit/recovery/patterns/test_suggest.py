"""The suggested action: the default before 20 tries, the best lower bound after, never beyond the allow-list."""

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest

from gateway.recovery.model import Action, FaultType
from gateway.recovery.patterns.evidence import Evidence, evidence_of
from gateway.recovery.patterns.suggest import default_action, explore, suggest
from gateway.recovery.policy import alternatives_to

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING = frozenset(Action)


def record(won: int, of: int, at: datetime = NOW) -> Evidence:
    return reduce(Evidence.merged, (evidence_of(success=number < won, duration_ms=100, at=at) for number in range(of)))


@pytest.mark.parametrize(
    ("evidence", "allowed", "action", "reason", "automatic"),
    [
        ({}, EVERYTHING, Action.RECONNECT_DATABASE, "default", True),
        ({Action.RETRY: (19, 19)}, EVERYTHING, Action.RECONNECT_DATABASE, "default", True),
        ({Action.RETRY: (20, 20)}, EVERYTHING, Action.RETRY, "learned", True),
        ({Action.RETRY: (9, 15), Action.WAIT: (5, 5)}, EVERYTHING, Action.WAIT, "learned", True),
        ({Action.RETRY: (90, 100), Action.WAIT: (5, 5)}, EVERYTHING, Action.RETRY, "learned", True),
        ({Action.RETRY: (90, 100), Action.WAIT: (5, 9)}, EVERYTHING - {Action.RETRY}, Action.WAIT, "learned", True),
        ({Action.RETRY: (0, 50)}, EVERYTHING, Action.RECONNECT_DATABASE, "default", True),
        ({}, frozenset({Action.RETRY}), Action.RECONNECT_DATABASE, "default", False),
    ],
)
def test_suggestions(
    evidence: dict[Action, tuple[int, int]], allowed: frozenset[Action], action: Action, reason: str, automatic: bool
) -> None:
    known = {each: record(*counts) for each, counts in evidence.items()}
    found = suggest(known, fault_type=FaultType.DATABASE_CONNECTION, retryable=True, allowed=allowed, now=NOW)
    assert (found.action, found.reason, found.automatic) == (action, reason, automatic)
    assert (found.lower_bound is None) == (reason == "default")


def test_old_evidence_fades_until_the_default_is_back() -> None:
    known = {Action.RETRY: record(40, 40)}
    asked = {"fault_type": FaultType.DATABASE_CONNECTION, "retryable": True, "allowed": EVERYTHING}
    assert suggest(known, now=NOW + timedelta(days=6), **asked).reason == "learned"  # type: ignore[arg-type]
    assert suggest(known, now=NOW + timedelta(days=9), **asked).reason == "default"  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(FaultType))
def test_every_type_has_a_default_and_what_cannot_heal_is_left_alone(kind: FaultType) -> None:
    assert default_action(kind, retryable=True) in Action
    if kind in {FaultType.DATABASE_CONNECTION, FaultType.NOT_FOUND, FaultType.UNKNOWN, FaultType.CONFLICT}:
        assert default_action(kind, retryable=False) is Action.NONE


@pytest.mark.parametrize(
    ("share", "roll", "tries", "chosen"),
    [
        (0.05, 0.049, {}, Action.RETRY),
        (0.05, 0.05, {}, Action.RECONNECT_DATABASE),
        (0.05, 0.0, {Action.RETRY: 19.9}, Action.RETRY),
        (0.05, 0.0, {Action.RETRY: 20.0}, Action.RECONNECT_DATABASE),
        (0.0, 0.0, {}, Action.RECONNECT_DATABASE),
        (1.0, 0.99, {}, Action.RETRY),
    ],
)
def test_now_and_then_an_alternative_without_enough_tries_is_begun_with(
    share: float, roll: float, tries: dict[Action, float], chosen: Action
) -> None:
    alternatives = alternatives_to(Action.RECONNECT_DATABASE, "database:redis", EVERYTHING)
    assert explore(Action.RECONNECT_DATABASE, alternatives, tries=tries, share=share, roll=roll) is chosen


def test_the_share_is_kept() -> None:
    begun = [explore(Action.RECONNECT_DATABASE, (Action.RETRY,), tries={}, share=0.05, roll=number / 1000) for number in range(1000)]
    assert begun.count(Action.RETRY) == 50


@pytest.mark.parametrize(
    ("action", "target", "allowed", "alternatives"),
    [
        (Action.RECONNECT_DATABASE, "database:redis", EVERYTHING, (Action.RETRY,)),
        (Action.RECONNECT_DATABASE, "database:redis", frozenset({Action.RECONNECT_DATABASE}), ()),
        (Action.FAILOVER_INSTANCE, "service:orders", EVERYTHING, (Action.REFRESH_DISCOVERY,)),
        (Action.RETRY, "service:orders", EVERYTHING, (Action.FAILOVER_INSTANCE, Action.REFRESH_DISCOVERY)),
        (Action.FAILOVER_INSTANCE, "service:configuration-service", EVERYTHING, ()),
        (Action.RUN_RECOVERY_FLOW, "database:redis", EVERYTHING, ()),
        (Action.RETRY, "fault:TIMEOUT_ERROR", EVERYTHING, ()),
    ],
)
def test_alternatives_are_applicable_to_the_target_and_allowed(
    action: Action, target: str, allowed: frozenset[Action], alternatives: tuple[Action, ...]
) -> None:
    assert alternatives_to(action, target, allowed) == alternatives
