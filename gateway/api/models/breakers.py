"""Breakers on the wire."""

from pydantic import Field

from gateway.api.models.common import Wire


class BreakerShape(Wire):
    """One breaker. Rates are 0 to 1, null until enough calls were counted."""

    name: str = Field(description="`database:<name>` or `service:<name>`")
    state: str = Field(description="closed, open, half_open, forced_open or disabled")
    calls: int = Field(description="Calls that this process counts the rates over")
    failure_rate: float | None
    slow_rate: float | None
    remaining_open_seconds: float = Field(description="How long no call is let through")
    opened_times: int = Field(description="Since this process started, by what it saw itself")
