"""What follows a try that did not heal."""

from gateway.recovery.ledger.escalating import next_action
from gateway.recovery.model import Action

EVERYTHING = frozenset(Action)
RECONNECT, RETRY, FAILOVER, REFRESH = Action.RECONNECT_DATABASE, Action.RETRY, Action.FAILOVER_INSTANCE, Action.REFRESH_DISCOVERY


def sequence(first: Action, target: str, length: int, allowed: frozenset[Action] = EVERYTHING) -> list[Action]:
    tried = [first]
    while len(tried) < length:
        tried.append(next_action(tried, target, allowed))
    return tried


def test_strategies_take_turns() -> None:
    assert sequence(RECONNECT, "database:redis", 4) == [RECONNECT, RETRY, RECONNECT, RETRY]
    assert sequence(RETRY, "service:orders", 5) == [RETRY, FAILOVER, REFRESH, RETRY, FAILOVER]


def test_only_what_is_allowed_and_applicable_takes_a_turn() -> None:
    assert sequence(FAILOVER, "service:orders", 3, frozenset({FAILOVER})) == [FAILOVER] * 3
    assert sequence(FAILOVER, "service:configuration-service", 3) == [FAILOVER] * 3
    assert sequence(RETRY, "fault:TIMEOUT_ERROR", 3) == [RETRY] * 3
    assert sequence(Action.RUN_RECOVERY_FLOW, "database:redis", 2) == [Action.RUN_RECOVERY_FLOW] * 2
