"""From the snapshots to one word: healthy, degraded or unhealthy. Pure: a hung store never makes a probe slow (decision 8)."""

from collections.abc import Mapping
from typing import Literal

from gateway.databases.model import DatabaseName, DatabaseStatus, Status

CRITICAL = frozenset({DatabaseName.POSTGRES})
FINE = frozenset({"healthy", "disabled"})


def critical_down(databases: Mapping[DatabaseName, DatabaseStatus]) -> tuple[str, ...]:
    """The critical databases that cannot be used, by name. One that is not configured cannot be used either."""
    return tuple(str(name) for name, state in databases.items() if name in CRITICAL and not state.status.usable)


def overall(databases: Mapping[DatabaseName, DatabaseStatus], others: Mapping[str, str]) -> Literal["healthy", "degraded", "unhealthy"]:
    """`unhealthy` when a critical dependency is down, `degraded` when any other configured part is not healthy.

    Args:
        others: status of the Configuration Service, the workers and whatever else is watched, by name.
    """
    if critical_down(databases):
        return "unhealthy"
    databases_fine = all(state.status in {Status.HEALTHY, Status.DISABLED} for state in databases.values())
    return "healthy" if databases_fine and all(status in FINE for status in others.values()) else "degraded"
