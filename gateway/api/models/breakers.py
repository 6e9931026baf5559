"""Breakers on the wire."""

from typing import Annotated

from msgspec import Meta

from gateway.api.models.common import Wire


class BreakerShape(Wire, frozen=True):
    """One breaker. Rates are 0 to 1, null until enough calls were counted."""

    name: Annotated[str, Meta(description="`database:<name>` or `service:<name>`")]
    state: Annotated[str, Meta(description="closed, open, half_open, forced_open or disabled")]
    calls: Annotated[int, Meta(description="Calls that this process counts the rates over")]
    failure_rate: float | None
    slow_rate: float | None
    remaining_open_seconds: Annotated[float, Meta(description="How long no call is let through")]
    opened_times: Annotated[int, Meta(description="Since this process started, by what it saw itself")]
