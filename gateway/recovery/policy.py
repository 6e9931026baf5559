"""What may be done about faults, declared once. Frozen values; an operator's allow-list bounds what is done automatically."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.recovery.model import Action, FaultType

DELAYED_ACTION: Mapping[FaultType, Action] = {
    FaultType.DATABASE_CONNECTION: Action.RECONNECT_DATABASE,
    FaultType.SERVICE_DISCOVERY: Action.REFRESH_DISCOVERY,
    FaultType.UPSTREAM: Action.FAILOVER_INSTANCE,
    FaultType.TIMEOUT: Action.RETRY,
    FaultType.FLOW: Action.RUN_RECOVERY_FLOW,
}

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
