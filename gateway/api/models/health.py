"""Health on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from gateway.api.models.common import Wire
from gateway.api.models.databases import DatabaseShape

Overall = Literal["healthy", "degraded", "unhealthy"]


class Liveness(Wire):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(Wire):
    """It may get traffic."""

    status: Literal["ready"] = "ready"


class GatewayShape(Wire):
    """This process."""

    status: Overall
    version: str
    uptime: float
    draining: bool


class OpenShape(Wire):
    """A part that says more about itself than its status; the rest is as the part itself writes it."""

    model_config = ConfigDict(extra="allow")

    status: str


class AnalyticsStateShape(Wire):
    """Events on their way: what waits where, and what was lost since this process started."""

    buffered: int
    written: int
    spooled_bytes: int
    dropped: int
    writing_to: str


class BreakersShape(Wire):
    """The breakers of this process."""

    shared: bool | None = Field(description="Whether their states are shared with other processes now; null without DragonflyDB")
    states: dict[str, str] = Field(description="By target: database:<name> or service:<name>")


class ServicesShape(Wire):
    """Everything the gateway is made of and leans on."""

    api_gateway: GatewayShape
    databases: dict[str, DatabaseShape]
    configuration_service: OpenShape
    workers: OpenShape
    analytics: AnalyticsStateShape
    breakers: BreakersShape


class Health(Wire):
    """Everything. `uptime` in seconds."""

    status: Overall
    version: str
    uptime: float
    environment: str
    request_id: str | None
    timestamp: datetime
    services: ServicesShape


class HealthAnswer(Health):
    """Under `data` as everywhere, and at the top, where load balancers and the platform's dashboards look."""

    success: Literal[True] = True
    data: Health
