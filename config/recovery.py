"""Settings of recovering in the background."""

from config.reading import comma_separated
from config.variables import Group, variable

# What the gateway can do by itself, by the names of gateway.recovery.model.Action (a test compares them).
ACTIONS = (
    "retry",
    "fallback",
    "serve_stale",
    "reauthenticate",
    "rediscover_service",
    "reconnect_database",
    "failover_instance",
    "refresh_discovery",
    "run_recovery_flow",
)


def _known_actions(text: str) -> tuple[str, ...]:
    actions = comma_separated(text)
    if not set(actions) <= set(ACTIONS):
        raise ValueError(f"must be some of {', '.join(ACTIONS)}")
    return actions


class RecoverySettings(Group):
    """Recovering in the background."""

    lease_seconds: float = variable(
        "RECOVERY_LEASE_SECONDS",
        default=30.0,
        unit="s",
        ge=2,
        le=600,
        meaning="A recovery whose worker has not reported for this long is taken over by another",
    )
    max_seconds: float = variable(
        "RECOVERY_MAX_SECONDS", default=900.0, unit="s", ge=5, le=86_400, meaning="A recovery that is open for this long has failed"
    )
    actions: tuple[str, ...] = variable(
        "RECOVERY_ACTIONS",
        default=ACTIONS,
        read=_known_actions,
        unit="list",
        meaning="What may be done about a fault without a human, separated by commas; learning suggests nothing else",
    )
    explore_share: float = variable(
        "RECOVERY_EXPLORE_SHARE",
        default=0.05,
        unit="share",
        ge=0,
        le=1,
        meaning="Share of recoveries that begin with an alternative which has too few tries to be judged by; 0 is none",
    )
    retention_days: int = variable(
        "RECOVERY_RETENTION_DAYS", default=30, unit="days", ge=1, le=400, meaning="Recoveries that ended longer ago are deleted"
    )
