"""`GET /metrics`: Prometheus text, for callers with the scope `metrics` and for this machine itself."""

from collections.abc import Iterable

from flask import Blueprint, Response, current_app
from prometheus_client.metrics_core import Metric

from gateway.api.operations import operation
from gateway.api.services import services
from gateway.databases.model import Status
from gateway.observability.metrics import CONTENT_TYPE_LATEST, RequestMetrics, gauges, render
from gateway.recovery.breaker_model import BreakerState
from gateway.security.callers import calls_from_loopback
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("metrics", __name__)


def _is_this_machine() -> bool:
    return calls_from_loopback(trusted_proxies=services().settings.edge.trusted_proxies)


@blueprint.get("/metrics")
@requires(Scope.METRICS, unless=_is_this_machine)
@operation("Metrics", answers={200: "text/plain"}, problems=(401, 403))
def metrics() -> Response:
    """Requests by route, method and status; databases, breakers and pools as this process sees them."""
    requests: RequestMetrics = current_app.extensions["request_metrics"]
    return Response(render(requests, [*_databases(), *_recovering()]), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _databases() -> Iterable[Metric]:
    databases = services().poller.snapshot()
    yield gauges(
        "gateway_database_status",
        "1 for the status that the database has",
        ("database", "status"),
        [((name.value, status.value), float(state.status is status)) for name, state in databases.items() for status in Status],
    )
    yield gauges(
        "gateway_database_latency_seconds",
        "How long its last ping took",
        ("database",),
        [((name.value,), state.latency_ms / 1000) for name, state in databases.items() if state.latency_ms is not None],
    )
    yield gauges(
        "gateway_database_connections",
        "Connections of the process that answers this scrape",
        ("database", "state"),
        [
            ((name.value, which), float(getattr(state.pool, which)))
            for name, state in databases.items()
            if state.pool
            for which in ("in_use", "idle", "limit")
        ],
    )


def _recovering() -> Iterable[Metric]:
    breakers = services().breakers.snapshot()
    yield gauges(
        "gateway_breaker_state",
        "1 for the state that the breaker is in",
        ("target", "state"),
        [((target, state.value), float(breaker.state is state)) for target, breaker in breakers.items() for state in BreakerState],
    )
    yield gauges(
        "gateway_retry_budget",
        "Retries that the target's budget can pay for now, in the process that answers this scrape",
        ("target",),
        [((target,), balance) for target, balance in services().recovery.budgets().items()],
    )
    yield gauges(
        "gateway_immediate_recoveries",
        "How often an action was taken within a call, in the process that answers this scrape",
        ("action",),
        [((action.value,), float(count)) for action, count in services().recovery.taken().items()],
    )
