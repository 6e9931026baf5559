"""What may be done about faults, declared once. Frozen values; an operator's allow-list bounds what is done automatically."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.recovery.model import Action, FaultType
from gateway.targets import CONFIGURATION_SERVICE, DATABASE, SERVICE, kind_of

DELAYED_ACTION: Mapping[FaultType, Action] = {
    FaultType.DATABASE_CONNECTION: Action.RECONNECT_DATABASE,
    FaultType.SERVICE_DISCOVERY: Action.REFRESH_DISCOVERY,
    FaultType.UPSTREAM: Action.FAILOVER_INSTANCE,
    FaultType.TIMEOUT: Action.RETRY,
    FaultType.FLOW: Action.RUN_RECOVERY_FLOW,
}

# What a worker may try about a target, by its kind, the usual one first. The Configuration Service has no other instance to go to.
APPLICABLE: Mapping[str, tuple[Action, ...]] = {
    DATABASE: (Action.RECONNECT_DATABASE, Action.RETRY),
    SERVICE: (Action.FAILOVER_INSTANCE, Action.REFRESH_DISCOVERY),
}
WITHOUT_ALTERNATIVES = frozenset({CONFIGURATION_SERVICE})

ALWAYS_ALLOWED = frozenset({Action.WAIT, Action.CORRECT_REQUEST, Action.NONE})  # nothing is done

# What a client is told to wait when nothing better is known.
DEFAULT_RETRY_AFTER_MS: Mapping[FaultType, int] = {
    FaultType.DATABASE_CONNECTION: 5_000,
    FaultType.SERVICE_DISCOVERY: 5_000,
    FaultType.UPSTREAM: 5_000,
    FaultType.TIMEOUT: 2_000,
    FaultType.RATE_LIMIT: 60_000,
    FaultType.CONFLICT: 100,
    FaultType.UNKNOWN: 1_000,
}


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """Bounds of recovering.

    Attributes:
        max_attempts: tries of one call within one request, the first included.
        base_seconds, cap_seconds: full-jitter backoff between them.
        allowed: what may be done without a human; anything else is decided as NONE.
    """

    max_attempts: int = 3
    base_seconds: float = 0.05
    cap_seconds: float = 1.0
    allowed: frozenset[Action] = frozenset(Action)


def policy_allowing(actions: Iterable[str]) -> RecoveryPolicy:
    """The one policy of a process: an operator's allow-list of actions, by their names."""
    return RecoveryPolicy(allowed=frozenset(map(Action, actions)) | ALWAYS_ALLOWED)


def alternatives_to(action: Action, target: str, allowed: frozenset[Action]) -> tuple[Action, ...]:
    """What else a worker may try about this target: harmless, applicable to its kind, and allowed. Nothing beside a recovery flow."""
    if target in WITHOUT_ALTERNATIVES or action is Action.RUN_RECOVERY_FLOW:
        return ()
    return tuple(each for each in APPLICABLE.get(kind_of(target), ()) if each is not action and each in allowed)
