"""Settings of recovering in the background."""

from config.variables import Group, variable


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
    retention_days: int = variable(
        "RECOVERY_RETENTION_DAYS", default=30, unit="days", ge=1, le=400, meaning="Recoveries that ended longer ago are deleted"
    )
