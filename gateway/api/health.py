"""Probes: the process, whether it may get traffic, and everything. They read snapshots only, so a hung store never makes one slow."""

from typing import cast

import msgspec
from flask import Blueprint, Response
from msgspec import structs

from gateway.api.answers import answer
from gateway.api.errors import NotReady
from gateway.api.health_report import critical_down, overall
from gateway.api.models.common import Success
from gateway.api.models.databases import DatabaseShape
from gateway.api.models.health import (
    AnalyticsStateShape,
    BreakersShape,
    GatewayShape,
    Health,
    HealthAnswer,
    Liveness,
    OpenShape,
    Readiness,
    ServicesShape,
)
from gateway.api.operations import operation
from gateway.api.problems import problem_response
from gateway.api.services import services
from gateway.observability.context import current_request_id
from gateway.security.scopes import public
from gateway.version import VERSION

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
@public
@operation("Does the process answer?", answers={200: Success[Liveness]})
def livez() -> Response:
    """Touches no dependency."""
    return answer(Success[Liveness](data=Liveness()))


@blueprint.get("/readyz")
@public
@operation("May it get traffic?", answers={200: Success[Readiness]}, problems=(503,))
def readyz() -> Response:
    """Critical dependencies are usable and it is not draining."""
    container = services()
    if container.draining:
        raise NotReady("The gateway is draining", retry_after_seconds=1)
    down = critical_down(container.poller.snapshot())
    if down:
        raise NotReady(f"Not usable: {', '.join(down)}", retry_after_seconds=container.settings.poller.down_interval_seconds)
    return answer(Success[Readiness](data=Readiness()))


@blueprint.get("/health")
@public
@operation("How is everything?", answers={200: HealthAnswer}, problems=(503,))
def health() -> Response:
    """Everything the gateway is made of and leans on; 503 only when a critical dependency is down."""
    report = _report()
    if report.status == "unhealthy":
        error = NotReady("A critical dependency is down", retry_after_seconds=services().settings.poller.down_interval_seconds)
        return problem_response(error, extra={"data": msgspec.to_builtins(report)})
    return answer(HealthAnswer(data=report, **structs.asdict(report)))


def _report() -> Health:
    container = services()
    databases = container.poller.snapshot()
    configuration, workers = container.configuration_health.snapshot(), container.worker_health.snapshot()
    status = overall(databases, {"configuration": configuration["status"], "workers": workers["status"]})
    uptime = round(container.clock.monotonic() - container.started_at, 1)
    return Health(
        status=status,
        version=VERSION,
        uptime=uptime,
        environment=container.settings.process.environment,
        request_id=current_request_id(),
        timestamp=container.clock.now(),
        services=ServicesShape(
            api_gateway=GatewayShape(status="healthy", version=VERSION, uptime=uptime, draining=container.draining),
            databases={str(name): DatabaseShape.made_from(state) for name, state in databases.items()},
            configuration_service=cast("OpenShape", configuration),
            workers=cast("OpenShape", workers),
            analytics=AnalyticsStateShape.made_from(container.analytics.snapshot()),
            breakers=BreakersShape(
                shared=container.breaker_sharing.connected if container.breaker_sharing else None,
                states={name: breaker.state for name, breaker in container.breakers.snapshot().items()},
            ),
        ),
    )
