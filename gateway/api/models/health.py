"""Health on the wire."""

from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from gateway.api.models.common import Moment, Wire
from gateway.api.models.databases import DatabaseShape

Overall = Literal["healthy", "degraded", "unhealthy"]


class Liveness(Wire, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(Wire, frozen=True):
    """It may get traffic."""

    status: Literal["ready"] = "ready"


class GatewayShape(Wire, frozen=True):
    """This process."""

    status: Overall
    version: str
    uptime: float
    draining: bool


class OpenShape(TypedDict):
    """A part that says more about itself than its status; the rest is as the part itself writes it."""

    status: str


class AnalyticsStateShape(Wire, frozen=True):
    """Events on their way: what waits where, and what was lost since this process started."""

    buffered: int
    written: int
    spooled_bytes: int
    dropped: int
    writing_to: str


class BreakersShape(Wire, frozen=True):
    """The breakers of this process."""

    shared: Annotated[bool | None, Meta(description="Whether their states are shared with other processes now; null without DragonflyDB")]
    states: Annotated[dict[str, str], Meta(description="By target: database:<name> or service:<name>")]


class ServicesShape(Wire, frozen=True):
    """Everything the gateway is made of and leans on."""

    api_gateway: GatewayShape
    databases: dict[str, DatabaseShape]
    configuration_service: OpenShape
    workers: OpenShape
    analytics: AnalyticsStateShape
    breakers: BreakersShape


class Health(Wire, frozen=True):
    """Everything. `uptime` in seconds."""

    status: Overall
    version: str
    uptime: float
    environment: str
    request_id: str | None
    timestamp: Moment
    services: ServicesShape


class HealthAnswer(Health, frozen=True, kw_only=True):
    """Under `data` as everywhere, and at the top, where load balancers and the platform's dashboards look."""

    success: Literal[True] = True
    data: Health
