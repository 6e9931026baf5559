"""What happens around every request: its id, its log line, its metrics, and its row for analytics."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, Response, g, request

from config.broken_request import ENVIRON_KEY
from gateway.analytics.model import RequestEvent
from gateway.api.services import services
from gateway.observability.context import accept_request_id, current_request_id, request_context
from gateway.observability.metrics import RequestMetrics
from gateway.security.callers import caller_name, current_tenant

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger("gateway.requests")

UNMATCHED = "unmatched"  # the route of requests to unknown paths: one label, whatever paths are tried
PROBES = frozenset({"/livez", "/readyz", "/health", "/metrics"})
BAD_REQUEST = 400


class RequestIds:
    """WSGI middleware, the outermost: accepts or makes the request id, binds it for everything inside, and sends it with every response."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request_id = accept_request_id(environ.get("HTTP_X_REQUEST_ID"))

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            return start_response(status, [*headers, ("X-Request-ID", request_id)], exc_info)

        with request_context(request_id):
            return self._app(environ, start)


def install_request_log(app: Flask, metrics: RequestMetrics) -> None:
    """Measure every request and tell the log, the metrics and analytics. Installed first: its after_request runs last."""
    app.wsgi_app = RequestIds(app.wsgi_app)  # type: ignore[method-assign]

    @app.before_request
    def begin() -> None:
        g.started_at = time.perf_counter()
        metrics.begin()
        g.counted = True
        if (error := request.environ.get(ENVIRON_KEY)) is not None:  # the server has no request for us, but something to be answered
            raise error

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("started_at", time.perf_counter())
        metrics.observe(route(), request.method, response.status_code, seconds)
        _tell(response, seconds * 1000)
        return response

    @app.teardown_request
    def release(_: BaseException | None) -> None:
        if g.pop("counted", False):
            metrics.end()


def route() -> str:
    """The template of the route that matched, so that ids never become labels."""
    return request.url_rule.rule if request.url_rule else UNMATCHED


def _tell(response: Response, duration_ms: float) -> None:
    refusal = g.get("refusal", {})
    event = RequestEvent(
        at=services().clock.now(),
        route=route(),
        method=request.method,
        status=response.status_code,
        duration_ms=round(duration_ms, 3),
        bytes_sent=response.calculate_content_length() or 0,
        tenant=current_tenant(),
        caller=caller_name(),
        request_id=current_request_id(),
        fault_type=refusal.get("fault_type"),
        served_from=g.get("served_from", "live"),
    )
    say = log.debug if event.route in PROBES and event.status < BAD_REQUEST else log.info  # a probe every few seconds is no news
    say(
        "request_finished",
        method=event.method,
        route=event.route,
        status=event.status,
        duration_ms=event.duration_ms,
        bytes=event.bytes_sent,
        caller=event.caller,
        tenant=event.tenant,
        **refusal,
    )
    services().analytics.record_request(event)
